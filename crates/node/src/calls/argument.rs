//! Reading keys and values out of JavaScript.

use std::ptr;

use napi::sys;
use tandem_engine::{Error, MAX_KEY_BYTES, MAX_VALUE_BYTES};

use super::Call;
use crate::environment::{Environment, check};
use crate::failure::Failure;

/// U+FFFD in UTF-8, which Node-API writes for a lone surrogate.
const REPLACEMENT: [u8; 3] = [0xEF, 0xBF, 0xBD];

impl<const N: usize> Call<'_, N> {
    /// Runs `f` with the bytes of the key in argument 1: the UTF-8 of a string, or a copy of a Uint8Array (another
    /// thread may be writing to a shared one). They lie in the key scratch.
    ///
    /// A string takes one Node-API call.
    #[inline(always)]
    pub fn with_key<T>(&self, f: impl FnOnce(&[u8]) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut scratch = self.state.key.borrow_mut();
        let length = read_key(self.env, self.arguments[1], &mut scratch)?;
        f(&scratch[..length])
    }

    /// Reads the string in argument `index` into the value scratch and returns its length in UTF-8.
    #[inline(always)]
    pub fn read_text(&self, index: usize) -> Result<usize, Failure> {
        let value = self.arguments[index];
        let mut scratch = self.state.value.borrow_mut();
        let mut length = copy_utf8(self.env, value, &mut scratch)
            .ok_or_else(|| Failure::Type("the value must be a string".into()))?;
        // Node-API stops before a character that does not fit, so a result this close to the end may be cut.
        if length + 4 >= scratch.len() {
            length = read_long_text(self.env, value, &mut scratch)?;
        }
        reject_lone_surrogate(self.env, value, &scratch[..length], "value")?;
        Ok(length)
    }

    /// The bytes of the Uint8Array in argument `index`, borrowed for the call; messages call it `what`.
    #[inline(always)]
    pub fn bytes(&self, index: usize, what: &'static str) -> Result<(*mut u8, usize), Failure> {
        let value = self.arguments[index];
        uint8_array(self.env, value)?
            .ok_or_else(|| Failure::Type(format!("{what} must be a Uint8Array; got {}", describe(self.env, value))))
    }

    /// The number in argument `index`.
    #[inline(always)]
    pub fn number(&self, index: usize) -> Result<f64, Failure> {
        let mut number = 0.0;
        // SAFETY: the argument is a live value of this call.
        check(unsafe { sys::napi_get_value_double(self.env, self.arguments[index], &mut number) })
            .map_err(|_| Failure::Type(format!("argument {index} must be a number")))?;
        Ok(number)
    }

    /// The unsigned 64-bit bigint in argument `index`.
    pub fn version(&self, index: usize) -> Result<u64, Failure> {
        let (mut version, mut lossless) = (0, false);
        // SAFETY: the argument is a live value of this call.
        let status =
            unsafe { sys::napi_get_value_bigint_uint64(self.env, self.arguments[index], &mut version, &mut lossless) };
        if status == sys::Status::napi_ok && lossless {
            Ok(version)
        } else {
            Err(Failure::Type("a version must be a bigint from 0n to 2n ** 64n - 1n".into()))
        }
    }
}

/// Copies the key in `value` to the front of `scratch` and returns its length.
#[inline(always)]
pub fn read_key(env: sys::napi_env, value: sys::napi_value, scratch: &mut [u8]) -> Result<usize, Failure> {
    let Some(length) = copy_utf8(env, value, scratch) else { return read_key_bytes(env, value, scratch) };
    if length > MAX_KEY_BYTES {
        let bytes = utf8_length(env, value).unwrap_or(length);
        return Err(Error::KeyTooLong { bytes }.into());
    }
    reject_lone_surrogate(env, value, &scratch[..length], "key")?;
    Ok(length)
}

#[cold]
fn read_key_bytes(env: sys::napi_env, value: sys::napi_value, scratch: &mut [u8]) -> Result<usize, Failure> {
    let Some((bytes, length)) = uint8_array(env, value)? else {
        return Err(Failure::Type(format!("a key must be a string or a Uint8Array; got {}", describe(env, value))));
    };
    if length > MAX_KEY_BYTES {
        return Err(Error::KeyTooLong { bytes: length }.into());
    }
    // SAFETY: `bytes` is readable for `length` during this call and does not overlap the scratch.
    unsafe { ptr::copy_nonoverlapping(bytes, scratch.as_mut_ptr(), length) };
    Ok(length)
}

/// Copies as much of a string's UTF-8 as fits; `None` if `value` is no string.
#[inline(always)]
fn copy_utf8(env: sys::napi_env, value: sys::napi_value, scratch: &mut [u8]) -> Option<usize> {
    let mut length = 0;
    // SAFETY: Node-API writes at most `scratch.len()` bytes, a terminator included.
    let status =
        unsafe { sys::napi_get_value_string_utf8(env, value, scratch.as_mut_ptr().cast(), scratch.len(), &mut length) };
    (status == sys::Status::napi_ok).then_some(length)
}

#[cold]
fn utf8_length(env: sys::napi_env, value: sys::napi_value) -> Result<usize, Failure> {
    let mut length = 0;
    // SAFETY: a null buffer asks for the length alone.
    check(unsafe { sys::napi_get_value_string_utf8(env, value, ptr::null_mut(), 0, &mut length) })?;
    Ok(length)
}

#[cold]
fn read_long_text(env: sys::napi_env, value: sys::napi_value, scratch: &mut Vec<u8>) -> Result<usize, Failure> {
    let length = utf8_length(env, value)?;
    if length as u64 > MAX_VALUE_BYTES {
        return Err(Error::TooLarge { what: "value bytes", size: length as u64, limit: MAX_VALUE_BYTES }.into());
    }
    if scratch.len() < length + 1 {
        scratch.resize(length + 1, 0);
    }
    copy_utf8(env, value, scratch).ok_or(Failure::Pending)
}

/// A lone surrogate has no UTF-8: storing its replacement would make two keys one, and a value another.
#[inline(always)]
fn reject_lone_surrogate(
    env: sys::napi_env,
    value: sys::napi_value,
    utf8: &[u8],
    what: &'static str,
) -> Result<(), Failure> {
    // Nearly all keys and many values are ASCII, which one fast pass tells.
    if utf8.is_ascii() { Ok(()) } else { verify_surrogates(env, value, utf8, what) }
}

#[cold]
fn verify_surrogates(
    env: sys::napi_env,
    value: sys::napi_value,
    utf8: &[u8],
    what: &'static str,
) -> Result<(), Failure> {
    let may_be_lone = utf8.contains(&REPLACEMENT[0]) && utf8.windows(REPLACEMENT.len()).any(|part| part == REPLACEMENT);
    if !may_be_lone {
        return Ok(());
    }
    // U+FFFD may also have been there from the start; only the UTF-16 tells. It has no more units than UTF-8 bytes.
    let mut units = vec![0_u16; utf8.len() + 1];
    let mut length = 0;
    // SAFETY: Node-API writes at most `units.len()` units, a terminator included.
    check(unsafe { sys::napi_get_value_string_utf16(env, value, units.as_mut_ptr(), units.len(), &mut length) })?;
    if char::decode_utf16(units[..length].iter().copied()).any(|unit| unit.is_err()) {
        return Err(Failure::Type(format!("the {what} holds a lone surrogate, which has no UTF-8; use a Uint8Array")));
    }
    Ok(())
}

/// Address and length of a Uint8Array or Buffer; `None` for anything else.
#[inline(always)]
fn uint8_array(env: sys::napi_env, value: sys::napi_value) -> Result<Option<(*mut u8, usize)>, Failure> {
    let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
    // SAFETY: out pointers are valid; null ones are not asked for.
    let status = unsafe {
        sys::napi_get_typedarray_info(env, value, &mut kind, &mut length, &mut data, ptr::null_mut(), ptr::null_mut())
    };
    if status != sys::Status::napi_ok || kind != sys::TypedarrayType::uint8_array {
        return Ok(None);
    }
    if length == 0 {
        verify_empty(env, value)?;
        // An empty array may have no address; slices need one that is not null.
        return Ok(Some((ptr::NonNull::dangling().as_ptr(), 0)));
    }
    Ok(Some((data.cast(), length)))
}

/// An array whose buffer was transferred, or shrunk below it, looks empty to Node-API; only JavaScript can tell.
#[cold]
fn verify_empty(env: sys::napi_env, array: sys::napi_value) -> Result<(), Failure> {
    let state = Environment::of(env).ok_or(Failure::Pending)?;
    if state.is_in_bounds(env, array)? {
        return Ok(());
    }
    Err(Failure::Type(
        "the Uint8Array is detached (its buffer was transferred) or out of the bounds of its buffer".into(),
    ))
}

/// `value` in words, for messages; runs no JavaScript.
#[cold]
fn describe(env: sys::napi_env, value: sys::napi_value) -> String {
    let (mut kind, mut is_array) = (0, false);
    // SAFETY: `value` is a live value of this call.
    unsafe {
        sys::napi_typeof(env, value, &mut kind);
        sys::napi_is_array(env, value, &mut is_array);
    }
    match kind {
        sys::ValueType::napi_undefined => "undefined".into(),
        sys::ValueType::napi_null => "null".into(),
        sys::ValueType::napi_boolean | sys::ValueType::napi_number => printed(env, value),
        sys::ValueType::napi_bigint => printed(env, value) + "n",
        sys::ValueType::napi_string => "a string".into(),
        sys::ValueType::napi_symbol => "a symbol".into(),
        sys::ValueType::napi_function => "a function".into(),
        _ if is_array => "an array".into(),
        _ => "an object".into(),
    }
}

/// A boolean, number or bigint as JavaScript prints it, the first characters of it.
fn printed(env: sys::napi_env, value: sys::napi_value) -> String {
    let (mut text, mut utf8) = (ptr::null_mut(), [0; 40]);
    // SAFETY: `value` is a live value of this call, and of a type that is printed without running JavaScript of users.
    let status = unsafe { sys::napi_coerce_to_string(env, value, &mut text) };
    let length = if status == sys::Status::napi_ok { copy_utf8(env, text, &mut utf8) } else { None };
    String::from_utf8_lossy(&utf8[..length.unwrap_or(0)]).into_owned()
}

/// Copies a key for the calls off the hot path.
pub struct Key(pub Vec<u8>);

impl napi::bindgen_prelude::TypeName for Key {
    fn type_name() -> &'static str {
        "Key"
    }

    fn value_type() -> napi::ValueType {
        napi::ValueType::Unknown
    }
}

impl napi::bindgen_prelude::ValidateNapiValue for Key {}

impl napi::bindgen_prelude::FromNapiValue for Key {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let raise = |failure: Failure| failure.raise(napi::Env::from_raw(env));
        let state = Environment::of(env).ok_or_else(|| raise(Failure::Type("the binding is not bound".into())))?;
        let key = {
            let mut scratch = state.key.borrow_mut();
            read_key(env, value, &mut scratch).map(|length| scratch[..length].to_vec())
        };
        // Building the error runs JavaScript, so the scratch is free again by now.
        key.map(Self).map_err(raise)
    }
}
