//! Calls that read.

use std::ptr;

use tandem_engine::{Found, ReadMode};

use super::deliver::{Copied, Form, copy, copy_metadata};
use super::{Call, Outcome, calls};

/// Reads a value. `inspect` sees it under the shard lock.
#[inline(always)]
fn read(call: &Call<'_, 2>, mode: ReadMode, form: Form, inspect: impl Fn(&Found<'_>)) -> Outcome {
    let mut scratch = call.state.value.borrow_mut();
    let copied = call.with_open(|cache, key| {
        Ok(cache.engine.read(key, mode, |found| {
            inspect(found);
            copy(call.state, &mut scratch, found, form)
        }))
    })?;
    call.deliver(copied, &scratch)
}

calls! {
    /// `get(handle, key)`: the value, and a use. See [`Call::deliver`] for what comes back.
    fn get(call: 2) { read(call, ReadMode::Use, Form::Value, |_| ()) }

    /// `peek(handle, key)`: like `get`, but no use.
    fn peek(call: 2) { read(call, ReadMode::Peek, Form::Value, |_| ()) }

    /// `getBytes(handle, key)`: the bytes of the value, and a use.
    fn get_bytes(call: 2) { read(call, ReadMode::Use, Form::Bytes, |_| ()) }

    /// `getEntry(handle, key)`: like `peek`, with version, expiry and cost in the header of the window.
    fn get_entry(call: 2) { read(call, ReadMode::Peek, Form::Value, |found| copy_metadata(call.state, found)) }

    /// `getInto(handle, key, target)`: copies the bytes of the value into a Uint8Array and returns how many they are;
    /// where there are more than fit, nothing is copied. `undefined` is a miss.
    fn get_into(call: 3) {
        let (target, room) = call.bytes(2, "the target")?;
        let copied = call.with_open(|cache, key| {
            Ok(cache.engine.read(key, ReadMode::Use, |found| match found.integer() {
                Some(integer) => Some(copy_to(integer.to_string().as_bytes(), target, room)),
                None if matches!(found.kind, tandem_engine::Kind::Hash | tandem_engine::Kind::Set) => None,
                None => Some(copy_to(found.bytes, target, room)),
            }))
        })?;
        match copied {
            None => Ok(call.undefined()),
            Some(None) => call.deliver(Some(Copied::WrongKind), &[]),
            Some(Some(length)) => call.integer(length as i64),
        }
    }

    /// `inspect(handle, key)`: version, expiry and cost in the header of the window; says whether the key is there.
    fn inspect(call: 2) {
        let inspect = |found: &Found<'_>| copy_metadata(call.state, found);
        let found = call.with_open(|cache, key| Ok(cache.engine.read(key, ReadMode::Peek, inspect).is_some()))?;
        call.boolean(found)
    }

    /// `has(handle, key)`: whether the key is there; no use.
    fn has(call: 2) {
        let found = call.with_open(|cache, key| Ok(cache.engine.contains(key)))?;
        call.boolean(found)
    }

    /// `touch(handle, key)`: a use without a value; says whether the key is there.
    fn touch(call: 2) {
        let found = call.with_open(|cache, key| Ok(cache.engine.read(key, ReadMode::Use, |_| ()).is_some()))?;
        call.boolean(found)
    }
}

/// Copies `bytes` to `target` if they fit into `room`; returns how many they are.
fn copy_to(bytes: &[u8], target: *mut u8, room: usize) -> usize {
    if bytes.len() <= room {
        // SAFETY: `target` is the memory of a Uint8Array argument, writable for `room` bytes during this call.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
    }
    bytes.len()
}
