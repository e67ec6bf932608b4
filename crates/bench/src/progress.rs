//! What a running load shows to the thread that watches it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Counters of a run, written by its thread now and then, read by any.
#[derive(Debug, Default)]
pub struct Progress {
    requests: AtomicU64,
    rounds: AtomicU64,
    cancelled: AtomicBool,
}

impl Progress {
    /// Requests answered, those of filling and warming up included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Rounds that have ended, the first of each server, which does not count, included.
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Relaxed)
    }

    /// Asks the run to end with [`crate::Error::Cancelled`] soon.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    pub(crate) fn add_requests(&self, count: u64) {
        self.requests.fetch_add(count, Relaxed);
    }

    pub(crate) fn end_round(&self) {
        self.rounds.fetch_add(1, Relaxed);
    }
}
