//! Outcomes of gates as JavaScript values.

use std::ffi::c_char;
use std::ptr;

use napi::sys;
use tandem_engine::Kind;
use tandem_engine::gates::{CarriedValue, Outcome};

use crate::environment::check;
use crate::failure::Failure;

/// Fields of a post in the flat array: ticket, code, detail, payload.
const POST_FIELDS: usize = 4;

/// Codes of outcomes. `src/cache/gates/mailbox.ts` has the same numbers.
#[repr(u8)]
enum Code {
    /// detail: the token.
    Granted = 0,
    /// Read the value from the cache.
    Stored = 1,
    /// detail: codec id; payload: the value.
    Value = 2,
    Absent = 3,
    /// payload: the error's bytes.
    Failed = 4,
    /// detail: the message; payload: the error code.
    Ended = 5,
}

/// One flat array for all posts: nothing to look up by name, and no object for each.
pub fn to_array(env: sys::napi_env, posts: Vec<(u64, Outcome)>) -> Result<sys::napi_value, Failure> {
    let mut array = ptr::null_mut();
    // SAFETY: the out pointer is valid.
    check(unsafe { sys::napi_create_array_with_length(env, posts.len() * POST_FIELDS, &mut array) })?;
    for (at, (ticket, outcome)) in (0..).step_by(POST_FIELDS).zip(posts) {
        let (code, detail, payload) = match outcome {
            Outcome::Granted { token } => (Code::Granted, number(env, token as f64)?, undefined(env)?),
            Outcome::Value(None) => (Code::Stored, undefined(env)?, undefined(env)?),
            Outcome::Value(Some(carried)) => {
                (Code::Value, number(env, f64::from(carried.codec))?, value(env, &carried)?)
            }
            Outcome::Absent => (Code::Absent, undefined(env)?, undefined(env)?),
            Outcome::Failed(error) => (Code::Failed, undefined(env)?, buffer(env, &error)?),
            Outcome::Ended(error) => (Code::Ended, string(env, &error.to_string())?, string(env, error.code())?),
        };
        let fields = [number(env, ticket as f64)?, number(env, f64::from(code as u8))?, detail, payload];
        for (field, value) in (at..).zip(fields) {
            set_element(env, array, field, value)?;
        }
    }
    Ok(array)
}

/// A value as `[codec, value]`.
pub fn pair(env: sys::napi_env, carried: &CarriedValue) -> Result<sys::napi_value, Failure> {
    let mut array = ptr::null_mut();
    // SAFETY: the out pointer is valid.
    check(unsafe { sys::napi_create_array_with_length(env, 2, &mut array) })?;
    set_element(env, array, 0, number(env, f64::from(carried.codec))?)?;
    set_element(env, array, 1, value(env, carried)?)?;
    Ok(array)
}

/// As the data path delivers it: a string, a number or bigint, a Buffer, or an ArrayBuffer for the codec.
fn value(env: sys::napi_env, carried: &CarriedValue) -> Result<sys::napi_value, Failure> {
    let bytes = &*carried.bytes;
    match carried.kind {
        Kind::Text | Kind::Wire => string(env, &String::from_utf8_lossy(bytes)),
        Kind::Integer => integer(env, bytes.try_into().map_or(0, i64::from_le_bytes)),
        Kind::Bytes | Kind::Hash | Kind::Set => buffer(env, bytes),
        Kind::Coded => {
            let (mut data, mut value) = (ptr::null_mut(), ptr::null_mut());
            // SAFETY: out pointers are valid; `data` is writable for `bytes.len()` once the buffer is created.
            unsafe {
                check(sys::napi_create_arraybuffer(env, bytes.len(), &mut data, &mut value))?;
                ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast(), bytes.len());
            }
            Ok(value)
        }
    }
}

/// A JavaScript string; `text` is copied.
pub fn string(env: sys::napi_env, text: &str) -> Result<sys::napi_value, Failure> {
    let mut value = ptr::null_mut();
    // SAFETY: `text` is readable for its length.
    check(unsafe {
        sys::napi_create_string_utf8(env, text.as_ptr().cast::<c_char>(), text.len() as isize, &mut value)
    })?;
    Ok(value)
}

/// A JavaScript number.
pub fn number(env: sys::napi_env, number: f64) -> Result<sys::napi_value, Failure> {
    let mut value = ptr::null_mut();
    // SAFETY: the out pointer is valid.
    check(unsafe { sys::napi_create_double(env, number, &mut value) })?;
    Ok(value)
}

/// A number, or a bigint where a number would not be exact.
fn integer(env: sys::napi_env, integer: i64) -> Result<sys::napi_value, Failure> {
    if integer.unsigned_abs() < 1 << 53 {
        return number(env, integer as f64);
    }
    let mut value = ptr::null_mut();
    // SAFETY: the out pointer is valid.
    check(unsafe { sys::napi_create_bigint_int64(env, integer, &mut value) })?;
    Ok(value)
}

fn undefined(env: sys::napi_env) -> Result<sys::napi_value, Failure> {
    let mut value = ptr::null_mut();
    // SAFETY: the out pointer is valid.
    check(unsafe { sys::napi_get_undefined(env, &mut value) })?;
    Ok(value)
}

fn buffer(env: sys::napi_env, bytes: &[u8]) -> Result<sys::napi_value, Failure> {
    let (mut data, mut value) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: `bytes` is readable for its length; Node-API copies it.
    check(unsafe { sys::napi_create_buffer_copy(env, bytes.len(), bytes.as_ptr().cast(), &mut data, &mut value) })?;
    Ok(value)
}

fn set_element(env: sys::napi_env, array: sys::napi_value, at: u32, value: sys::napi_value) -> Result<(), Failure> {
    // SAFETY: `array` and `value` are live values of `env`.
    check(unsafe { sys::napi_set_element(env, array, at, value) })
}
