//! The Node binding: the only crate that names napi. It converts and decides nothing.

mod bench;
mod cache;
mod calls;
mod caretaker;
mod environment;
mod events;
mod failure;
mod mailbox;
mod options;
mod outcome;
mod pin;
mod registry;
mod replay;
mod server;
mod structures;

use napi::JsValue;
use napi::bindgen_prelude::{Env, FromNapiValue, Unknown};
use napi_derive::napi;

use environment::Environment;

/// Version of the native binary; equal to the package's version.
#[napi]
pub fn native_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Readies the binding for this environment and returns the calls of the data path with the `window` they use.
/// `errorFactory` makes a `TandemError` from a code and a message.
#[napi(
    catch_unwind,
    ts_args_type = "errorFactory: (code: string, message: string) => Error, isInBounds: (array: Uint8Array) => boolean",
    ts_return_type = "object"
)]
pub fn bind<'env>(
    env: &'env Env,
    error_factory: Unknown<'env>,
    is_in_bounds: Unknown<'env>,
) -> napi::Result<Unknown<'env>> {
    pin::pin_image();
    let calls = Environment::install(env.raw(), error_factory.raw(), is_in_bounds.raw())
        .and_then(|state| calls::functions(env.raw(), state))
        .map_err(|failure| failure.raise(*env))?;
    // SAFETY: `calls` is a live value of this call.
    unsafe { Unknown::from_napi_value(env.raw(), calls) }
}
