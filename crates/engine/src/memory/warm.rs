//! When memory of values that went is kept for the next ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::budget::Budget;

/// Most bytes that are kept, and the part of the bound that they may be.
const MOST_BYTES: u64 = 8 << 20;
const PART: u64 = 32;
/// How long they are kept after the last large value was written.
const KEEP_MS: u64 = 1_000;
/// Blocks of the next values that are kept while there is no room for more.
const VALUES_AHEAD: u64 = 4;

/// What is known of the blocks that still have their memory though nothing is in them. That memory stays charged.
///
/// The system clears memory when it hands it out and takes long to do both; a value that goes where another one just
/// was needs neither.
pub(super) struct Warmth {
    /// What the blocks charge.
    bytes: AtomicU64,
    started: Instant,
    /// Milliseconds from then to the last time a value was written, plus one; 0: no value is expected.
    written_at: AtomicU64,
}

impl Warmth {
    pub(super) fn new() -> Self {
        Self { bytes: AtomicU64::new(0), started: Instant::now(), written_at: AtomicU64::new(0) }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Notes that a value is about to be written.
    pub(super) fn note_write(&self) {
        self.written_at.store(self.started.elapsed().as_millis() as u64 + 1, Ordering::Relaxed);
    }

    /// From now on no value is expected.
    pub(super) fn forget(&self) {
        self.written_at.store(0, Ordering::Relaxed);
    }

    /// Whether more values are likely to come soon.
    pub(super) fn expects_more(&self) -> bool {
        let written_at = self.written_at.load(Ordering::Relaxed);
        written_at > 0 && self.started.elapsed().as_millis() as u64 <= written_at + KEEP_MS
    }

    /// Whether a block that charges so much is to be kept.
    pub(super) fn wants(&self, charge: u64, budget: &Budget) -> bool {
        self.bytes() + charge <= most(budget) && budget.used() <= budget.max() && self.expects_more()
    }

    /// Notes that a block is kept.
    pub(super) fn add(&self, charge: u64) {
        self.bytes.fetch_add(charge, Ordering::Relaxed);
    }

    /// Notes that a block is no longer kept.
    pub(super) fn take(&self, charge: u64) {
        self.bytes.fetch_sub(charge, Ordering::Relaxed);
    }

    /// What is worth keeping where there is no room for more: enough for some values that charge so much each, as far as
    /// they can be kept.
    pub(super) fn goal(charge: u64, budget: &Budget) -> u64 {
        // Whole values: to evict one for what is left of the bound would free memory that cannot be kept.
        charge * VALUES_AHEAD.min(most(budget) / charge)
    }
}

fn most(budget: &Budget) -> u64 {
    MOST_BYTES.min(budget.max() / PART)
}
