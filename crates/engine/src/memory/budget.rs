//! The byte bound of a cache.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what is charged against a bound that may move. Every byte a cache occupies passes through here.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicU64,
    max: AtomicU64,
}

impl Budget {
    pub(crate) fn new(max: u64) -> Self {
        Self { used: AtomicU64::new(0), max: AtomicU64::new(max) }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    pub(crate) fn set_max(&self, max: u64) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// What can still be charged; 0 while the bound is exceeded (after a resize).
    pub(crate) fn available(&self) -> u64 {
        self.max().saturating_sub(self.used())
    }

    /// Charges `bytes` if afterwards at least `spare` stay available.
    pub(crate) fn try_charge(&self, bytes: u64, spare: u64) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                let after = used.checked_add(bytes)?;
                (after.checked_add(spare)? <= self.max()).then_some(after)
            })
            .is_ok()
    }

    /// Charges `bytes` without asking: for small structures that must exist (directories, shards).
    pub(crate) fn charge(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn release(&self, bytes: u64) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "released {bytes} of {before}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_charges_past_the_bound_or_into_the_spare() {
        let budget = Budget::new(100);
        assert!(budget.try_charge(60, 0));
        assert!(!budget.try_charge(41, 0));
        assert!(!budget.try_charge(40, 1));
        assert!(budget.try_charge(40, 0));
        assert!(!budget.try_charge(u64::MAX, 0));
        budget.release(100);
        assert_eq!(budget.used(), 0);
        budget.set_max(10);
        assert_eq!(budget.available(), 10);
    }
}
