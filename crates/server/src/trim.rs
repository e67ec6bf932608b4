//! Gives freed memory back to the system.
//!
//! The C library keeps what is freed below the newest block in use, for the next to ask. After a burst of large
//! requests that is a multiple of what the server needs, and it would count as its memory for ever.
//!
//! What is free behind the newest block of a thread's heap no such request reaches. The C library gives it back by itself
//! from a threshold on, which it raises to 64 MiB once blocks of 32 MiB are freed: so the threshold is set.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Bytes that must have been freed for a walk through the free lists, which takes up to milliseconds, to be worth it.
const WORTH_BYTES: usize = 1 << 20;
/// Free bytes at the end of a heap from which on the C library gives them back, and size from which on a block is no part
/// of a heap.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: i32 = 1 << 20;
/// Least time between two walks.
const PAUSE: Duration = Duration::from_secs(2);

/// Counts what client buffers and copies of values have freed.
#[derive(Debug, Default)]
pub(crate) struct Trim {
    freed: AtomicUsize,
    last: Mutex<Option<Instant>>,
}

impl Trim {
    /// Notes that `bytes` were freed.
    #[inline]
    pub fn note(&self, bytes: usize) {
        self.freed.fetch_add(bytes, Relaxed);
    }

    /// Whether there is enough to give back.
    pub fn is_wanted(&self) -> bool {
        self.freed.load(Relaxed) >= WORTH_BYTES
    }

    /// Gives back what there is, however little.
    pub fn purge(&self) {
        let mut last = self.last.lock();
        self.freed.store(0, Relaxed);
        give_back();
        *last = Some(Instant::now());
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

/// Has the C library keep little of what is freed, in the whole process. Again is harmless.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn keep_little() {
    // SAFETY: takes no pointer; the C library guards its own state.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT_BYTES);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn keep_little() {}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    // SAFETY: takes no pointer; the C library guards its own state.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}
