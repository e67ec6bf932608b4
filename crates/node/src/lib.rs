//! The Node binding: the only crate that names napi. It converts and decides nothing.

use napi_derive::napi;

/// Version of the native binary; equal to the package's version.
#[napi]
pub fn native_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
