//! Hits and misses, counted without a line that threads share.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::value::ReadMode;

use super::Cache;

const STRIPES: usize = 16;

/// One thread's counters (or a few threads', where there are many).
#[derive(Default)]
#[repr(align(64))]
struct Stripe {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Counters in stripes: a thread adds to its own.
#[derive(Default)]
pub(super) struct ReadCounters([Stripe; STRIPES]);

static NEXT_STRIPE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn stripe() -> usize {
    STRIPE.with(|stripe| {
        if stripe.get() == usize::MAX {
            stripe.set(NEXT_STRIPE.fetch_add(1, Ordering::Relaxed) % STRIPES);
        }
        stripe.get()
    })
}

impl ReadCounters {
    /// Hits and misses so far.
    pub(super) fn sums(&self) -> (u64, u64) {
        self.0.iter().fold((0, 0), |(hits, misses), stripe| {
            (hits + stripe.hits.load(Ordering::Relaxed), misses + stripe.misses.load(Ordering::Relaxed))
        })
    }
}

impl Cache {
    /// Counts a read, if it is one that counts.
    #[inline(always)]
    pub(super) fn count_read(&self, mode: ReadMode, hit: bool) {
        if mode == ReadMode::Use {
            let stripe = &self.reads.0[stripe()];
            if hit { &stripe.hits } else { &stripe.misses }.fetch_add(1, Ordering::Relaxed);
        }
    }
}
