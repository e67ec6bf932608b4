//! The default policy: S3-FIFO over a log of segments, with a small queue that adapts and a main queue that resists
//! loops.
//!
//! As in S3-FIFO, new records enter the small queue. At its end, one that was used at least twice moves to the main
//! queue, any other goes and leaves a ghost; a key with a ghost enters main. At the end of main, a record that was
//! used goes round again with one use less. A hit only counts up to three, then writes nothing.
//!
//! Plain S3-FIFO gets nothing out of a loop longer than the cache, because everything passes through it. Here
//!
//! - main is filled first, and stays: a record needs proof (two uses, or a ghost) to push another out of main;
//! - the small queue takes only the share that pays. It starts at 1 %, grows whenever a key comes back that a larger
//!   small queue would still hold, and shrinks with every record that leaves it unused;
//! - one unproven record in 128 is let into main, so that a main queue full of yesterday's keys is replaced.
//!
//! All of it happens on a miss. Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.

use super::ghosts::{CACHEFUL, Ghosts, MAX_WINDOW};
use super::{Eviction, GhostTable, Verdict};
use crate::log::{Bound, Log};
use crate::record::MAX_USES;

/// Queue of new records.
pub(crate) const SMALL: usize = 0;
/// Queue of records that proved their worth.
pub(crate) const MAIN: usize = 1;
/// Uses that earn a place in main.
const PROMOTE_AT: u32 = 2;
/// Bounds of the small queue's share of the cache.
const MIN_SMALL_SHARE: f64 = 0.01;
const MAX_SMALL_SHARE: f64 = 0.15;
/// What the share gains when a key comes back that the largest small queue would have held.
const SHARE_PER_REGRET: f64 = 0.03;
/// Entries the small queue loses for a record that leaves it unused: it shrinks from the upper bound to the lower
/// while 14 cachefuls pass.
const ENTRIES_PER_UNUSED: f64 = 0.01;
/// Entries it gains for a record that leaves it used: one used in eleven keeps the size.
const ENTRIES_PER_USED: f64 = 0.1;
/// How far back a ghost counts: less than a cacheful, so that a loop over twice what fits finds none and leaves main
/// alone.
const WINDOW: u64 = CACHEFUL / 10 * 9;
/// How far back it counts by cost. A few large records are much of a cacheful, and a key behind them would lose its
/// proof. The price, where costs are equal: a loop over twice what fits hits 31 % instead of 50.
const WINDOW_BY_COST: u64 = MAX_WINDOW;
/// Of so many unproven records one is let into main.
const TRUSTED_ONE_IN: u32 = 128;
/// Records that may be kept in a row before one is evicted whatever its uses: the bound on the work of one write.
const KEPT_IN_A_ROW: u32 = 16;

/// The queues are the log's; kept here are the ghosts and the state of the adaption.
pub(crate) struct S3Fifo {
    ghosts: Ghosts,
    /// Target of the small queue, as a share of both.
    small_share: f64,
    /// Entries when the last candidate was asked for, `u64::MAX` before the first.
    full_entries: u64,
    /// What was bounded then.
    bound: Bound,
    /// Amount in the measure of `bound` before the first record went to make room for what is written next.
    full: u64,
    /// Whether a record was inserted since `full` was noted.
    is_refilled: bool,
    /// Unproven records since the last one that was let into main.
    unproven: u32,
    /// Records kept since the last eviction.
    kept: u32,
}

fn entries(log: &Log) -> u64 {
    log.queues[SMALL].entries + log.queues[MAIN].entries
}

/// Live amount of both queues in the measure of `bound`.
fn total(log: &Log, bound: Bound) -> u64 {
    log.queues[SMALL].amount(bound) + log.queues[MAIN].amount(bound)
}

/// What one record counts in the measure of `bound`.
fn amount(log: &Log, address: u32, bound: Bound) -> u64 {
    match bound {
        Bound::Entries => 1,
        Bound::Bytes => u64::from(log.bytes_of(log.record(address))),
        Bound::Cost => log.record(address).cost(),
    }
}

impl S3Fifo {
    pub(crate) fn new() -> Self {
        Self {
            ghosts: Ghosts::new(),
            small_share: MIN_SMALL_SHARE,
            full_entries: u64::MAX,
            bound: Bound::Entries,
            full: 0,
            is_refilled: true,
            unproven: 0,
            kept: 0,
        }
    }

    /// Whether nothing had to go for long: before the first eviction, and after much was deleted or expired.
    fn is_filling(&self, entries: u64) -> bool {
        entries < self.full_entries - self.full_entries / 8
    }

    fn move_small_share(&mut self, by: f64) {
        self.small_share = (self.small_share + by).clamp(MIN_SMALL_SHARE, MAX_SMALL_SHARE);
    }

    /// Whether the oldest record of the small queue is worth a place in main. `oversize`: the small queue is above
    /// its target, so main is below its own.
    fn earns_main(&mut self, log: &mut Log, uses: u32, oversize: bool) -> Option<Verdict> {
        let address = log.oldest(SMALL)?;
        let to_main = Verdict::Move { address, queue: MAIN, uses: 0 };
        if uses >= PROMOTE_AT {
            return Some(to_main);
        }
        self.unproven += 1;
        let is_due = self.unproven >= TRUSTED_ONE_IN;
        if !is_due && !oversize {
            return None;
        }
        let Some(oldest_of_main) = log.oldest(MAIN) else { return Some(to_main) };
        let uses_in_main = log.record(oldest_of_main).uses();
        if uses_in_main == 0 {
            self.unproven = 0;
            return Some(to_main);
        }
        if !is_due {
            return None;
        }
        // A used record is not pushed out by an unproven one, but its time runs.
        self.unproven = 0;
        Some(Verdict::Move { address: oldest_of_main, queue: MAIN, uses: uses_in_main - 1 })
    }

    fn judge_small(&mut self, log: &mut Log, address: u32, entries: u64, oversize: bool) -> Verdict {
        let uses = log.record(address).uses();
        let step = if uses > 0 { ENTRIES_PER_USED } else { -ENTRIES_PER_UNUSED };
        self.move_small_share(step / entries as f64);
        if self.kept < KEPT_IN_A_ROW
            && let Some(kept) = self.earns_main(log, uses, oversize)
        {
            return kept;
        }
        Verdict::Evict(address)
    }

    fn judge_main(&self, log: &Log, address: u32) -> Verdict {
        let uses = log.record(address).uses();
        if uses > 0 && self.kept < KEPT_IN_A_ROW {
            Verdict::Move { address, queue: MAIN, uses: uses - 1 }
        } else {
            Verdict::Evict(address)
        }
    }

    fn next(&mut self, log: &mut Log, bound: Bound, protect: u32) -> Verdict {
        let entries = entries(log);
        // Bytes are freed by the segment, for many inserts to come. Those enter the small queue, so what was freed is
        // counted as its own already: else main would have to give, and be filled up again with unproven records.
        let freed = self.full.saturating_sub(total(log, bound));
        let small = log.queues[SMALL].amount(bound) + freed;
        let target = (self.full as f64 * self.small_share).max(1.0) as u64;
        // Main may be all used: rather than go round it, take from the small queue.
        let first = if small >= target || self.kept >= KEPT_IN_A_ROW { SMALL } else { MAIN };
        for queue in [first, SMALL + MAIN - first] {
            let Some(address) = log.oldest(queue) else { continue };
            if address == protect {
                if log.queues[queue].entries == 1 {
                    // Nothing else is in this queue: moving the record would not bring up another candidate.
                    continue;
                }
                return Verdict::Move { address, queue, uses: log.record(address).uses() };
            }
            return match queue {
                SMALL => {
                    // Above its target even without this record; the size of one says nothing.
                    let oversize = small - amount(log, address, bound) >= target;
                    self.judge_small(log, address, entries, oversize)
                }
                _ => self.judge_main(log, address),
            };
        }
        Verdict::Nothing
    }
}

impl Eviction for S3Fifo {
    fn wants_links(&self) -> bool {
        false
    }

    fn order_is_log_order(&self) -> bool {
        true
    }

    #[inline(always)]
    fn prefetch(&self, hash: u64) {
        self.ghosts.prefetch(hash);
    }

    fn queue_for(&mut self, hash: u64, log: &Log) -> usize {
        let entries = entries(log);
        if self.is_filling(entries) {
            let share = log.queues[SMALL].entries as f64 / entries.max(1) as f64;
            return if share >= self.small_share { MAIN } else { SMALL };
        }
        let window = match self.bound {
            Bound::Cost => WINDOW_BY_COST,
            Bound::Entries | Bound::Bytes => WINDOW,
        };
        let Some(age) = self.ghosts.take(hash, window) else { return SMALL };
        if age as f64 / (CACHEFUL as f64) < MAX_SMALL_SHARE - self.small_share {
            self.move_small_share(SHARE_PER_REGRET);
            SMALL
        } else {
            MAIN
        }
    }

    #[inline(always)]
    fn inserted(&mut self, log: &mut Log, _address: u32) {
        self.is_refilled = true;
        let entries = entries(log);
        if self.is_filling(entries) {
            self.ghosts.save_for(entries);
        }
    }

    #[inline(always)]
    fn used(&mut self, log: &mut Log, address: u32) {
        let record = log.record(address);
        let uses = record.uses();
        if uses < MAX_USES {
            record.set_uses(uses + 1);
        }
    }

    fn rewritten(&mut self, log: &mut Log, from: u32, to: u32) {
        let uses = log.record(from).uses();
        log.record(to).set_uses(MAX_USES.min(uses + 1));
    }

    fn moved(&mut self, _log: &mut Log, _from: u32, _to: u32) {}

    fn removing(&mut self, log: &mut Log, address: u32, hash: u64, evicted: bool) {
        if evicted && log.queue_of(address) == SMALL {
            let part = amount(log, address, self.bound) as f64 / total(log, self.bound).max(1) as f64;
            self.ghosts.insert(hash, (part * CACHEFUL as f64) as u64, entries(log));
        }
    }

    fn victim(&mut self, log: &mut Log, bound: Bound, protect: u32) -> Verdict {
        if self.is_refilled || bound != self.bound {
            (self.full, self.is_refilled) = (total(log, bound), false);
        }
        (self.full_entries, self.bound) = (entries(log), bound);
        let verdict = self.next(log, bound, protect);
        self.kept = if matches!(verdict, Verdict::Move { .. }) { self.kept + 1 } else { 0 };
        verdict
    }

    fn cleared(&mut self) -> Vec<GhostTable> {
        std::mem::replace(self, Self::new()).ghosts.into_tables().collect()
    }

    fn bytes(&self) -> u64 {
        self.ghosts.bytes()
    }
}
