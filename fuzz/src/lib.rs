//! Fuzz targets. Each is one function over bytes; what has to hold is asserted in it.
//!
//! Everything runs against a real server over the loopback address, and what can be driven without one also by itself:
//! in any cut, the parsers must come to the same requests.

pub mod lz4;
pub mod resp;
pub mod script;
mod server;
pub mod text;
