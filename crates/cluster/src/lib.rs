//! Two workers with the same data: who is primary of which lane, how a write gets to both, and how a copy that was away
//! becomes complete again.
//!
//! ```text
//!  Node ── the worker: its partner's life, and
//!    └─ Lane (one for every 64th slot)
//!         ├─ as primary: Log ── Stream ──> the partner; acknowledges what came back; Begin, batches, merging
//!         └─ as partner: applies the stream; Follow, Want, Upload
//! ```
//!
//! The machines have no sockets, no clocks and no threads: [`Node::step`] takes what came and the time, and says what is
//! to be done. The rules that they execute are tables ([`Rules`]), which the TypeScript layer yields.

mod clock;
mod lane;
mod log;
mod node;
mod output;
mod planted;
mod rules;
mod slots;
mod store;

pub use clock::HybridClock;
pub use lane::{Doing, Recall};
pub use log::Log;
pub use node::{Identity, Input, Node, Now, Service};
pub use output::{Event, Output};
pub use planted::Defect;
pub use rules::{Divergence, Layout, Meaning, Millis, Reunion, Rules, Signs, Testimony, Timing, Volume};
pub use slots::{LANES, SLOTS, Shape, SlotSet, crc16};
pub use store::{Full, Known, Store};
