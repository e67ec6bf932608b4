//! Counts and times of each command.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::histogram::{Counts, Histogram};
use super::hot_keys::HotKeys;
use crate::command;

/// What one loop has done.
pub(crate) struct CommandStats {
    /// By the number of the command. The loop alone writes: a plain load and store each.
    slots: Box<[Slot]>,
    /// What keys its requests were about.
    pub hot_keys: Mutex<HotKeys>,
}

#[derive(Default)]
struct Slot {
    calls: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
    /// Calls whose time was taken, and their time in nanoseconds.
    timed: AtomicU64,
    ns: AtomicU64,
    times: OnceLock<Box<Counts>>,
}

/// What all loops have done of one command.
#[derive(Clone, Default)]
pub(crate) struct Summary {
    /// Requests that ran.
    pub calls: u64,
    /// Requests that were refused before they ran.
    pub rejected: u64,
    /// Requests that ran and answered an error.
    pub failed: u64,
    /// Requests whose time was taken, and their time in nanoseconds.
    pub timed: u64,
    pub ns: u64,
    pub times: Histogram,
}

impl Summary {
    /// Time of a request in microseconds, by those whose time was taken.
    pub fn usec_per_call(&self) -> f64 {
        if self.timed == 0 { 0.0 } else { self.ns as f64 / self.timed as f64 / 1e3 }
    }
}

impl Default for CommandStats {
    fn default() -> Self {
        Self { slots: (0..command::count()).map(|_| Slot::default()).collect(), hot_keys: Mutex::default() }
    }
}

fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

impl CommandStats {
    #[inline]
    pub fn called(&self, number: u16) {
        add(&self.slots[usize::from(number)].calls, 1);
    }

    #[cold]
    pub fn rejected(&self, number: u16) {
        add(&self.slots[usize::from(number)].rejected, 1);
    }

    #[cold]
    pub fn failed(&self, number: u16) {
        add(&self.slots[usize::from(number)].failed, 1);
    }

    pub fn took(&self, number: u16, ns: u64) {
        let slot = &self.slots[usize::from(number)];
        add(&slot.timed, 1);
        add(&slot.ns, ns);
        slot.times.get_or_init(Box::default).add(ns);
    }

    /// Forgets everything. What a loop counts in this very moment may survive.
    pub fn reset(&self) {
        self.hot_keys.lock().clear();
        for slot in &self.slots {
            [&slot.calls, &slot.rejected, &slot.failed, &slot.timed, &slot.ns]
                .into_iter()
                .for_each(|counter| counter.store(0, Relaxed));
            if let Some(times) = slot.times.get() {
                times.clear();
            }
        }
    }
}

/// Sums what was done of each command over the loops, with its full name; commands that nobody used are left out.
pub(crate) fn summaries<'a>(
    loops: impl Iterator<Item = &'a CommandStats> + Clone,
) -> impl Iterator<Item = (&'static str, Summary)> {
    (0..command::count()).filter_map(move |number| {
        let mut sum = Summary::default();
        for stats in loops.clone() {
            let slot = &stats.slots[number];
            sum.calls += slot.calls.load(Relaxed);
            sum.rejected += slot.rejected.load(Relaxed);
            sum.failed += slot.failed.load(Relaxed);
            sum.timed += slot.timed.load(Relaxed);
            sum.ns += slot.ns.load(Relaxed);
            if let Some(times) = slot.times.get() {
                sum.times.merge(times);
            }
        }
        let used = sum.calls + sum.rejected > 0;
        command::full_name(number as u16).filter(|_| used).map(|name| (name, sum))
    })
}
