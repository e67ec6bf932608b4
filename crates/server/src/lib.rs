//! The TCP data plane: the cache to any Redis client.
//!
//! ```text
//!  Server ── starts N event loops, one thread each; loop 0 also accepts and spreads connections evenly
//!    └─ EventLoop (epoll)      readable ─> Connection: one read, every complete request, one write
//!         ├─ RequestParser     requests as slices of the read buffer (text: the other protocol, told by the first bytes)
//!         ├─ dispatch           table lookup, then one function per command, straight onto the engine
//!         └─ Output            replies; large values by reference, sent with gathered writes
//! ```
//!
//! The buffers belong to the loop. A connection owns memory only for a request that is not complete and for
//! replies that its peer does not take, so an idle one costs nothing but its entry in the table.

mod atomic;
mod budget;
mod census;
mod clients;
mod command;
mod connection;
mod database;
mod dispatch;
mod doorstep;
mod event_loop;
mod glob;
mod idle;
mod long_double;
mod mailbox;
mod notify;
mod observe;
mod observer;
mod options;
mod output;
mod password;
mod pause;
mod pubsub;
mod script;
mod server;
mod shared;
mod text;
mod tracking;
mod transaction;
mod trim;
mod waiting;

pub use command::docs::markdown as commands_markdown;
pub use glob::matches as glob_matches;
pub use observe::{CommandReport, DURATION_BOUNDS_NS};
pub use options::{ClientLimits, ServerOptions};
pub use password::Password;
pub use server::{Server, ServerStats, StartError};
pub use tandem_wire::text::TextFraming;
