//! Replays request traces through a cache and says what they cost.
//!
//! ```text
//!  file ── source (plain, gz, xz, zst by magic) ── format (lines or records -> requests) ── run ── report
//!                                                                                            └─ target: an embedded
//!                                                                                               cache or a server
//! ```
//!
//! Everything streams: memory does not grow with the trace. A file that is broken or cut off is an error that names
//! the line or byte.

mod error;
mod format;
mod payload;
mod progress;
mod run;
mod source;
mod target;

pub use error::{Error, Position, Result};
pub use format::{Format, MAX_OBJECT_BYTES, Operation, Request, Requests};
pub use progress::Progress;
pub use run::{Bound, Report, Settings, Where, replay};
