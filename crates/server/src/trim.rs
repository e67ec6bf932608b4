//! Gives freed memory back to the system.
//!
//! The C library keeps what is freed below the newest block in use, for the next to ask. After a burst of large
//! requests that is a multiple of what the server needs, and it would count as its memory for ever.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Bytes that must have been freed for a walk through the free lists, which takes milliseconds, to be worth it.
const WORTH_BYTES: usize = 16 << 20;
/// Least time between two walks.
const PAUSE: Duration = Duration::from_secs(2);

/// Counts what client buffers have freed.
#[derive(Debug, Default)]
pub(crate) struct Trim {
    freed: AtomicUsize,
    last: Mutex<Option<Instant>>,
}

impl Trim {
    /// Notes that a buffer of `bytes` was freed.
    pub fn note(&self, bytes: usize) {
        self.freed.fetch_add(bytes, Relaxed);
    }

    /// Whether there is enough to give back.
    pub fn is_wanted(&self) -> bool {
        self.freed.load(Relaxed) >= WORTH_BYTES
    }

    /// Gives back what there is, if it is enough and the last time was long ago.
    pub fn step(&self) {
        if !self.is_wanted() {
            return;
        }
        let Some(mut last) = self.last.try_lock() else { return };
        if last.is_none_or(|at| at.elapsed() >= PAUSE) {
            self.freed.store(0, Relaxed);
            give_back();
            *last = Some(Instant::now());
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    // SAFETY: takes no pointer; the C library guards its own state.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}
