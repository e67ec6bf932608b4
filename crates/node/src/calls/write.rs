//! Calls that store.

use napi::sys;
use tandem_engine::{Condition, Expiry, Kind, NewValue, WriteOptions, Written};

use super::deliver::MAX_SAFE_INTEGER;
use super::{Call, Outcome, calls, closed};
use crate::environment::check;
use crate::failure::Failure;

/// What `setWith` stores, as TypeScript numbers it.
const TEXT: u32 = Kind::Text as u32;
const INTEGER: u32 = Kind::Integer as u32;

impl<const N: usize> Call<'_, N> {
    #[inline(always)]
    fn store(&self, value: NewValue<'_>, options: &WriteOptions) -> Result<Written, Failure> {
        self.with_key(|key| self.store_under(key, value, options))
    }

    #[inline(always)]
    fn store_under(&self, key: &[u8], value: NewValue<'_>, options: &WriteOptions) -> Result<Written, Failure> {
        self.with_cache(|cache| match cache {
            Some(cache) => Ok(cache.engine.set(key, value, options)?),
            None => Err(closed()),
        })?
    }

    #[inline(always)]
    fn store_text(&self, index: usize, options: &WriteOptions) -> Result<Written, Failure> {
        let written = self.with_key(|key| {
            // The index line comes in while the string is read.
            self.with_cache(|cache| cache.map(|cache| cache.engine.prefetch(key)))?;
            let length = self.read_text(index)?;
            let scratch = self.state.value.borrow();
            self.store_under(key, NewValue { kind: Kind::Text, codec: 0, bytes: &scratch[..length] }, options)
        });
        self.state.trim_value_scratch();
        written
    }

    #[inline(always)]
    fn store_bytes(&self, index: usize, codec: f64, options: &WriteOptions) -> Result<Written, Failure> {
        self.store_part(index, |bytes| Some(bytes), codec, options)
    }

    /// Stores the part of a Uint8Array that `select` picks.
    #[inline(always)]
    fn store_part(
        &self,
        index: usize,
        select: impl FnOnce(&[u8]) -> Option<&[u8]>,
        codec: f64,
        options: &WriteOptions,
    ) -> Result<Written, Failure> {
        let (start, length) = self.bytes(index, "the value")?;
        // SAFETY: Node-API keeps the array alive for the call, and nothing in it runs JavaScript. A SharedArrayBuffer
        // can change meanwhile; the engine copies the bytes and takes no decision from reading them twice.
        let whole = unsafe { std::slice::from_raw_parts(start, length) };
        let bytes = select(whole).ok_or_else(|| Failure::Type(format!("no such part of argument {index}")))?;
        let codec = codec as u8;
        let kind = if codec == 0 { Kind::Bytes } else { Kind::Coded };
        self.store(NewValue { kind, codec, bytes }, options)
    }

    #[inline(always)]
    fn store_integer(&self, index: usize, options: &WriteOptions) -> Result<Written, Failure> {
        let value = self.number(index)? as i64;
        self.store(NewValue { kind: Kind::Integer, codec: 0, bytes: &value.to_le_bytes() }, options)
    }

    /// Options of `setWith` from arguments 5 on: how expiry is meant, its ms, idle ttl, cost, condition, version.
    pub fn write_options(&self) -> Result<WriteOptions, Failure> {
        let expiry_ms = self.number(6)? as u64;
        let (idle_ttl, cost) = (self.number(7)?, self.number(8)?);
        Ok(WriteOptions {
            expiry: expiry(self.number(5)?, expiry_ms),
            idle_ttl_ms: (!idle_ttl.is_nan()).then_some(idle_ttl as u64),
            cost: (!cost.is_nan()).then_some(cost as u64),
            condition: match self.number(9)? as u32 {
                1 => Condition::IfAbsent,
                2 => Condition::IfPresent,
                3 => Condition::IfVersion(self.version(10)?),
                _ => Condition::Always,
            },
        })
    }
}

/// Expiry as TypeScript numbers it: 0 default, 1 never, 2 at, 3 in, 4 keep.
pub fn expiry(mode: f64, ms: u64) -> Expiry {
    match mode as u32 {
        1 => Expiry::Never,
        2 => Expiry::At(ms),
        3 => Expiry::In(ms),
        4 => Expiry::Keep,
        _ => Expiry::Default,
    }
}

calls! {
    /// `setText(handle, key, string)`: stores with default options.
    fn set_text(call: 3) {
        call.store_text(2, &WriteOptions::default())?;
        Ok(call.undefined())
    }

    /// `setBytes(handle, key, bytes, codec)`: stores bytes (codec 0) or an encoded value.
    fn set_bytes(call: 4) {
        call.store_bytes(2, call.number(3)?, &WriteOptions::default())?;
        Ok(call.undefined())
    }

    /// `setCoded(handle, key, buffer, codec, start, end)`: stores the encoded value that lies in a part of a buffer.
    fn set_coded(call: 6) {
        let part = call.number(4)? as usize..call.number(5)? as usize;
        call.store_part(2, |bytes| bytes.get(part), call.number(3)?, &WriteOptions::default())?;
        Ok(call.undefined())
    }

    /// `setInteger(handle, key, number)`: stores a safe integer.
    fn set_integer(call: 3) {
        call.store_integer(2, &WriteOptions::default())?;
        Ok(call.undefined())
    }

    /// `setWith(handle, key, value, kind, codec, expiry, ms, idleTtl, cost, condition, version)`: stores with options;
    /// says whether the condition held. NaN stands for an option that was not given. The header of the window gets
    /// the version of the entry that is there afterwards.
    fn set_with(call: 11) {
        let options = call.write_options()?;
        let written = match call.number(3)? as u32 {
            TEXT => call.store_text(2, &options)?,
            INTEGER => call.store_integer(2, &options)?,
            _ => call.store_bytes(2, call.number(4)?, &options)?,
        };
        let (Written::Stored { version, .. } | Written::ConditionFailed { version }) = written;
        // SAFETY: the header is mapped as long as the environment's state, and only this thread touches it.
        unsafe { (*call.state.header()).version = version };
        call.boolean(written.stored())
    }

    /// `incr(handle, key, delta)`: adds a safe integer and returns the sum; an error beyond 2^53 - 1.
    fn incr(call: 3) {
        let delta = call.number(2)? as i64;
        let within = -MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER;
        let sum = call.with_open(|cache, key| Ok(cache.engine.incr_within(key, delta, within)?))?;
        number(call, sum)
    }
}

fn number(call: &Call<'_, 3>, value: i64) -> Outcome {
    let mut result = std::ptr::null_mut();
    // SAFETY: the out pointer is valid.
    check(unsafe { sys::napi_create_double(call.env, value as f64, &mut result) })?;
    Ok(result)
}
