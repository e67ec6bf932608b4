//! What a running replay shows to the thread that watches it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters of a running replay, written by its thread now and then, read by any.
#[derive(Debug, Default)]
pub struct Progress {
    requests: AtomicU64,
    hits: AtomicU64,
    bytes_read: AtomicU64,
    bytes_total: AtomicU64,
    cancelled: AtomicBool,
}

impl Progress {
    /// Requests done.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Hits among them.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Bytes of the trace file that were read, as they lie on disk.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Length of the trace file; 0 until it is open, and for what has no length (a pipe).
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total.load(Ordering::Relaxed)
    }

    /// Asks the replay to end with [`crate::Error::Cancelled`] soon.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn set_total(&self, bytes: u64) {
        self.bytes_total.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_read(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn set_done(&self, requests: u64, hits: u64) {
        self.requests.store(requests, Ordering::Relaxed);
        self.hits.store(hits, Ordering::Relaxed);
    }
}
