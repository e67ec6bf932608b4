//! Buffers of a thread for compressed bytes on their way in and out.

use std::cell::RefCell;

/// A scratch buffer that is larger than this is given back after use.
const KEEP_BYTES: usize = 256 << 10;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with an empty buffer of this thread. Calls may nest.
pub(super) fn with<T>(f: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut buffer = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
    let result = f(&mut buffer);
    if buffer.capacity() <= KEEP_BYTES {
        buffer.clear();
        SPARE.with_borrow_mut(|spare| spare.push(buffer));
    }
    result
}
