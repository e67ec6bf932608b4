//! Bytes to requests, replies to bytes: RESP2 and RESP3 as Redis speaks them, and the double-bar text protocol.
//!
//! ```text
//!  read buffer ──RequestParser──> Args (slices of that very buffer) ──> a command
//!  write buffer <──reply::*────────────────────────────────────────────┘
//! ```
//!
//! The crate does no I/O and knows no commands. Parsing a request and writing a reply allocate nothing once
//! the reused buffers are warm.

mod inline;
mod kept;
pub mod number;
pub mod replication;
pub mod reply;
mod request;
pub mod text;

pub use kept::KeptRequests;
pub use reply::Protocol;
pub use request::{Args, Limits, Progress, ProtocolError, RequestParser};
