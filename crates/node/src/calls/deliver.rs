//! From a value in the cache to a value in JavaScript, in two steps: copy under the shard lock, create after it.
//! Creating a string can start a garbage collection, which must never happen under a lock.

use std::ptr;

use napi::sys;
use tandem_engine::{Error, Found, Kind, LargeValue};

use super::{Call, Outcome};
use crate::environment::{Environment, WINDOW_BYTES, check};

/// Largest integer magnitude a JavaScript number holds exactly.
pub const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// What JavaScript gets for a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// What was stored: a string, a number, bytes, or bytes for the codec.
    Value,
    /// The bytes of it: UTF-8, decimal digits, bytes, or the codec's bytes.
    Bytes,
}

/// A value copied out of the cache.
pub enum Copied {
    /// Text in the value scratch.
    Text { length: usize, ascii: bool },
    /// An integer.
    Integer(i64),
    /// Bytes in the window; its header says which.
    Window,
    /// A value too large for scratch memory, or one met while the window is in use.
    Apart { bytes: Apart, kind: Kind, ascii: bool },
    /// A kind that has no single value.
    WrongKind,
}

/// Where a large value lies.
pub enum Apart {
    Owned(Vec<u8>),
    Shared(LargeValue),
}

impl Apart {
    fn as_slice(&self) -> &[u8] {
        match self {
            Apart::Owned(bytes) => bytes,
            Apart::Shared(value) => value,
        }
    }
}

/// Copies `found` to where [`Call::deliver`] expects it. Runs under the shard lock: copies, and allocates only beyond
/// 64 KiB or on re-entry.
#[inline(always)]
pub fn copy(state: &Environment, scratch: &mut [u8], found: &Found<'_>, form: Form) -> Copied {
    match (found.kind, form) {
        (Kind::Hash | Kind::Set, _) => Copied::WrongKind,
        (Kind::Integer, Form::Value) => Copied::Integer(found.integer().unwrap_or_default()),
        (Kind::Integer, Form::Bytes) => {
            let digits = found.integer().unwrap_or_default().to_string();
            copy_bytes(state, digits.as_bytes(), None, Kind::Bytes, 0)
        }
        (Kind::Text | Kind::Wire, Form::Value) => match scratch.get_mut(..found.bytes.len()) {
            Some(room) => {
                room.copy_from_slice(found.bytes);
                Copied::Text { length: found.bytes.len(), ascii: found.ascii }
            }
            None => Copied::Apart { bytes: apart(found.bytes, found.shared), kind: Kind::Text, ascii: found.ascii },
        },
        (Kind::Coded, Form::Value) => copy_bytes(state, found.bytes, found.shared, Kind::Coded, found.codec),
        (Kind::Bytes, Form::Value) | (_, Form::Bytes) => copy_bytes(state, found.bytes, found.shared, Kind::Bytes, 0),
    }
}

fn copy_bytes(state: &Environment, bytes: &[u8], shared: Option<&LargeValue>, kind: Kind, codec: u8) -> Copied {
    if bytes.len() <= WINDOW_BYTES && !state.window_busy() {
        state.fill_window(bytes, kind as u32, u32::from(codec));
        return Copied::Window;
    }
    // SAFETY: the header is mapped as long as `state`, and only this thread touches it.
    unsafe { (*state.header()).codec = u32::from(codec) };
    Copied::Apart { bytes: apart(bytes, shared), kind, ascii: false }
}

fn apart(bytes: &[u8], shared: Option<&LargeValue>) -> Apart {
    shared.map_or_else(|| Apart::Owned(bytes.to_vec()), |value| Apart::Shared(value.clone()))
}

/// Writes what `getEntry` reports beside the value into the header of the window.
pub fn copy_metadata(state: &Environment, found: &Found<'_>) {
    // SAFETY: as above.
    let header = unsafe { &mut *state.header() };
    header.version = found.version;
    header.cost = found.cost as f64;
    header.expires_at = found.expires_at.map_or(f64::NAN, |at| at as f64);
    header.idle_ttl = found.idle_ttl_ms.map_or(f64::NAN, |ms| ms as f64);
}

impl<const N: usize> Call<'_, N> {
    /// Creates the JavaScript value: a string, a number, a bigint (an integer beyond 2^53 - 1), a Buffer (bytes beyond
    /// the window), an ArrayBuffer (the codec's bytes, likewise), `null` (it lies in the window), `undefined` (a miss).
    #[inline(always)]
    pub fn deliver(&self, copied: Option<Copied>, scratch: &[u8]) -> Outcome {
        match copied {
            None => Ok(self.undefined()),
            Some(Copied::Text { length, ascii }) => self.text(&scratch[..length], ascii),
            Some(Copied::Integer(value)) => self.integer(value),
            Some(Copied::Window) => {
                let mut null = ptr::null_mut();
                // SAFETY: the out pointer is valid.
                check(unsafe { sys::napi_get_null(self.env, &mut null) })?;
                Ok(null)
            }
            Some(Copied::Apart { bytes, kind, ascii }) => self.large(bytes.as_slice(), kind, ascii),
            Some(Copied::WrongKind) => Err(Error::WrongKind.into()),
        }
    }

    #[inline(always)]
    fn text(&self, bytes: &[u8], ascii: bool) -> Outcome {
        let (start, length) = (bytes.as_ptr().cast(), bytes.len() as isize);
        let mut text = ptr::null_mut();
        // SAFETY: `bytes` is readable; Node-API copies it.
        check(unsafe {
            if ascii {
                sys::napi_create_string_latin1(self.env, start, length, &mut text)
            } else {
                sys::napi_create_string_utf8(self.env, start, length, &mut text)
            }
        })?;
        Ok(text)
    }

    /// A number, or a bigint where a number would not be exact.
    #[inline(always)]
    pub fn integer(&self, value: i64) -> Outcome {
        let mut result = ptr::null_mut();
        // SAFETY: the out pointer is valid.
        check(unsafe {
            if let Ok(small) = i32::try_from(value) {
                sys::napi_create_int32(self.env, small, &mut result)
            } else if value.unsigned_abs() <= MAX_SAFE_INTEGER as u64 {
                sys::napi_create_double(self.env, value as f64, &mut result)
            } else {
                sys::napi_create_bigint_int64(self.env, value, &mut result)
            }
        })?;
        Ok(result)
    }

    #[cold]
    fn large(&self, bytes: &[u8], kind: Kind, ascii: bool) -> Outcome {
        let (mut value, mut data) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: out pointers are valid; `data` is writable for `bytes.len()` when the buffer was created.
        unsafe {
            match kind {
                Kind::Text => return self.text(bytes, ascii),
                Kind::Coded => {
                    check(sys::napi_create_arraybuffer(self.env, bytes.len(), &mut data, &mut value))?;
                    ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast(), bytes.len());
                }
                _ => {
                    let start = bytes.as_ptr().cast();
                    check(sys::napi_create_buffer_copy(self.env, bytes.len(), start, &mut data, &mut value))?;
                }
            }
        }
        Ok(value)
    }
}
