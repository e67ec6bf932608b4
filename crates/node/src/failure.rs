//! What a call reports to JavaScript when it cannot do what was asked.

use std::ffi::c_char;
use std::ptr;

use napi::sys;
use tandem_engine::Error;

use crate::environment::Environment;

/// Reasons a call ends in an exception.
#[derive(Debug)]
pub enum Failure {
    /// A refusal of the engine: becomes a `TandemError` with the engine's code, or a `RangeError` for an option.
    Engine(Error),
    /// A refusal with a code that only the binding knows.
    Coded {
        /// The code, one of `ErrorCode` in `src/errors.ts`.
        code: &'static str,
        /// The message.
        message: String,
    },
    /// An argument of a wrong type: becomes a `TypeError`.
    Type(String),
    /// JavaScript has an exception pending already.
    Pending,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Engine(error)
    }
}

impl Failure {
    /// Throws this in `env`.
    pub fn throw(self, env: sys::napi_env) {
        match self {
            Failure::Engine(error @ Error::BadOption { .. }) => {
                throw_plain(env, &error.to_string(), sys::napi_create_range_error);
            }
            Failure::Engine(error) => throw_coded(env, error.code(), &error.to_string()),
            Failure::Coded { code, message } => throw_coded(env, code, &message),
            Failure::Type(message) => throw_plain(env, &message, sys::napi_create_type_error),
            Failure::Pending => {}
        }
    }

    /// Throws this in `env` and returns the marker that tells napi an exception is pending.
    pub fn raise(self, env: napi::Env) -> napi::Error {
        self.throw(env.raw());
        napi::Error::new(napi::Status::PendingException, String::new())
    }
}

type CreateError = unsafe fn(sys::napi_env, sys::napi_value, sys::napi_value, *mut sys::napi_value) -> sys::napi_status;

/// Throws one of JavaScript's own errors.
fn throw_plain(env: sys::napi_env, message: &str, create: CreateError) {
    let Some(message) = string(env, message) else { return };
    let mut error = ptr::null_mut();
    // SAFETY: `env` is the environment of the current call and `message` one of its live values.
    unsafe {
        if create(env, ptr::null_mut(), message, &mut error) == sys::Status::napi_ok {
            sys::napi_throw(env, error);
        }
    }
}

/// Builds the error in TypeScript, so that there is one class for native and TypeScript failures.
fn throw_coded(env: sys::napi_env, code: &str, message: &str) {
    let Some(factory) = Environment::of(env).and_then(|state| state.error_factory(env)) else { return };
    let (Some(code), Some(message)) = (string(env, code), string(env, message)) else { return };
    let arguments = [code, message];
    let (mut receiver, mut error) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: all values belong to `env` and are live in the handle scope of the current call. Where a call fails an
    // exception is pending already, and that one reaches the caller instead.
    unsafe {
        if sys::napi_get_undefined(env, &mut receiver) == sys::Status::napi_ok
            && sys::napi_call_function(env, receiver, factory, 2, arguments.as_ptr(), &mut error)
                == sys::Status::napi_ok
        {
            sys::napi_throw(env, error);
        }
    }
}

fn string(env: sys::napi_env, text: &str) -> Option<sys::napi_value> {
    let mut value = ptr::null_mut();
    // SAFETY: `text` is readable for its length; Node-API copies it.
    let status =
        unsafe { sys::napi_create_string_utf8(env, text.as_ptr().cast::<c_char>(), text.len() as isize, &mut value) };
    (status == sys::Status::napi_ok).then_some(value)
}
