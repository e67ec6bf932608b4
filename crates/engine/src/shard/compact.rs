//! Compaction: survivors of neighbouring segments move together, so that dead bytes between them become free segments.

use super::{Effects, Shard};
use crate::eviction::Eviction;
use crate::log::{Compaction, QUEUES};
use crate::memory::NONE;
use crate::record::field;

/// Records moved by one step of compaction.
pub(super) const MOVES_A_STEP: u32 = 32;
/// Percent of the log that may be dead before compaction goes before eviction. In exact `lru` records die
/// everywhere, so compaction pays from a higher share on.
const DEAD_PERCENT_IN_LOG_ORDER: u64 = 8;
const DEAD_PERCENT_LRU: u64 = 14;
/// The same while no memory is wanted: what is dead between living records returns to the pool all the same.
const DEAD_PERCENT_AT_EASE: u64 = 50;
const DEAD_PERCENT_AT_EASE_LRU: u64 = 33;
/// Segments looked at in one step for what to compact. Their entries lie anywhere in memory: this takes some ten
/// microseconds.
const SEGMENTS_LOOKED_AT: usize = 1024;
/// A run of compaction in a log of more segments is taken if it is at most so many times as long as the average one.
const LONGEST_RUN: u64 = 2;
/// Runs of compaction that one write may wait for before a segment is won: long records do not fill the ends of segments, so a
/// run can fall short. After so many, eviction takes over, which always wins.
const RUNS_IN_VAIN: u32 = 16;
/// Evictions between two looks for a run of compaction that pays, where the last look found none.
const EVICTIONS_BETWEEN_LOOKS: u64 = 256;

/// How far a look for what to compact has come.
enum Look {
    /// To be gone on with in another step.
    GoesOn,
    /// It ended, with a run that pays or without any.
    Ended(Option<Compaction>),
}

impl Shard {
    /// One step of compaction where much of the log is dead though no memory is wanted. True while there is more to do.
    pub(crate) fn tidy(&mut self, effects: &mut Effects) -> bool {
        let percent = if self.policy.order_is_log_order() { DEAD_PERCENT_AT_EASE } else { DEAD_PERCENT_AT_EASE_LRU };
        if !self.is_dead_beyond(percent) {
            return false;
        }
        self.begin_write();
        self.runs_in_vain = 0;
        self.compact(effects)
    }

    pub(super) fn is_worth_compacting(&self) -> bool {
        let percent = if self.policy.order_is_log_order() { DEAD_PERCENT_IN_LOG_ORDER } else { DEAD_PERCENT_LRU };
        self.is_dead_beyond(percent) && self.counters.evictions >= self.next_compaction
    }

    fn is_dead_beyond(&self, percent: u64) -> bool {
        let segment_bytes = u64::from(self.shared.segments.segment_bytes());
        let used = self.log.used_segments() * segment_bytes;
        let reclaimable = self.log.reclaimable_bytes();
        reclaimable > 2 * segment_bytes && reclaimable * 100 > used * percent
    }

    /// One step of compaction. False if there is nothing (more) to win.
    pub(super) fn compact(&mut self, effects: &mut Effects) -> bool {
        let run = match self.log.compaction {
            Some(run) => Some(run),
            None => match self.look() {
                Look::GoesOn => return true,
                Look::Ended(run) => {
                    self.runs_in_vain += 1;
                    run
                }
            },
        };
        let Some(run) = run.filter(|_| self.runs_in_vain <= RUNS_IN_VAIN) else {
            self.log.compaction = None;
            self.runs_in_vain = 0;
            self.next_compaction = self.counters.evictions + EVICTIONS_BETWEEN_LOOKS;
            return false;
        };
        self.log.compaction = Some(run);
        let segment_bytes = self.shared.segments.segment_bytes();
        for _ in 0..MOVES_A_STEP {
            let Some(Compaction { source, target, left }) = self.log.compaction else { return true };
            let Some(offset) = self.log.first_live(source) else {
                // A former target, emptied while it was one.
                self.log.discard(source);
                return true;
            };
            let address = self.shared.segments.address(source, offset);
            let record = self.log.record(address);
            if record.has_field(field::EXPIRY) && self.has_expired(record) {
                self.evict(address, effects);
                continue;
            }
            let bytes = self.log.bytes_of(record);
            let target = if target != NONE && self.log.segment(target).end + bytes <= segment_bytes {
                target
            } else {
                let Some(opened) = self.open_target(source) else {
                    self.log.compaction = None;
                    return false;
                };
                self.log.compaction = Some(Compaction { source, target: opened, left });
                opened
            };
            let newer = self.log.segment(source).newer;
            self.relocate(address, target);
            // The last record's move frees the source, which ends the run as the log sees it.
            if self.log.compaction.is_none() {
                if left > 1 && newer != NONE {
                    self.log.compaction = Some(Compaction { source: newer, target, left: left - 1 });
                }
                return true;
            }
        }
        true
    }

    /// A segment for survivors of `source`. A run takes at most one that the reserve has to give: what a source
    /// holds fits into it.
    fn open_target(&mut self, source: u32) -> Option<u32> {
        let target = self.log.open_before(source)?;
        if !self.policy.order_is_log_order() {
            self.log.half_filled = target;
        }
        Some(target)
    }

    /// Looks for what to compact.
    fn look(&mut self) -> Look {
        if !self.policy.order_is_log_order() {
            return Look::Ended(self.emptiest());
        }
        if self.log.used_segments() <= SEGMENTS_LOOKED_AT as u64 {
            let runs = (0..QUEUES).filter_map(|queue| self.shortest_run(self.log.queues[queue].oldest).0);
            return Look::Ended(runs.min_by_key(|run| run.left));
        }
        self.look_further()
    }

    /// The segment with the fewest survivors of those next to look at: where order does not matter they may go anywhere.
    fn emptiest(&mut self) -> Option<Compaction> {
        let (newest, target) = (self.log.queues[0].newest, self.log.half_filled);
        let from = match self.log.compact_from {
            NONE => self.log.queues[0].oldest,
            from => from,
        };
        let mut walk = self.log.walk_from(from);
        let others = walk.by_ref().take(SEGMENTS_LOOKED_AT).filter(|&segment| segment != newest && segment != target);
        let source = others.min_by_key(|&segment| self.log.segment(segment).live);
        let next = walk.next().unwrap_or(NONE);
        drop(walk);
        self.log.compact_from = next;
        let source = source?;
        Some(Compaction { source, target, left: 1 })
    }

    /// One step of a look through a long log. It ends with the first part that has a run not much longer than the
    /// average one, which some part always has, or when all of the log has been looked at.
    fn look_further(&mut self) -> Look {
        let oldest = |queue: usize| self.log.queues[queue].oldest;
        let from = match self.log.compact_from {
            NONE if oldest(0) == NONE => oldest(1),
            NONE => oldest(0),
            from => from,
        };
        let (run, next) = self.shortest_run(from);
        self.log.compact_from = match next {
            NONE => oldest(QUEUES - 1 - usize::from(self.log.segment(from).queue)),
            next => next,
        };
        self.log.looked_at += SEGMENTS_LOOKED_AT as u64;
        let used = self.log.used_segments();
        let average = self.bytes_of_run() * used / self.log.reclaimable_bytes().max(1) + 1;
        let run = run.filter(|run| u64::from(run.left) <= LONGEST_RUN * average);
        if run.is_none() && self.log.looked_at < used + QUEUES as u64 * SEGMENTS_LOOKED_AT as u64 {
            return Look::GoesOn;
        }
        self.log.looked_at = 0;
        Look::Ended(run)
    }

    /// Dead bytes that a run has to have to win a segment: an eighth more than one, because records do not fill the last
    /// bytes of one.
    fn bytes_of_run(&self) -> u64 {
        let segment_bytes = u64::from(self.shared.segments.segment_bytes());
        segment_bytes + segment_bytes / 8
    }

    /// The fewest neighbouring segments that together have enough dead bytes to win one, among
    /// [`SEGMENTS_LOOKED_AT`] from `from` on: the cheapest way while the order stays. And the segment behind
    /// these, or [`NONE`]. The newest segment of a queue is still being written and not among them.
    fn shortest_run(&self, from: u32) -> (Option<Compaction>, u32) {
        let (mut best, mut first): (Option<Compaction>, u32) = (None, from);
        if from == NONE {
            return (best, NONE);
        }
        let segment_bytes = u64::from(self.shared.segments.segment_bytes());
        let wanted = self.bytes_of_run();
        let dead = |segment: u32| segment_bytes - u64::from(self.log.segment(segment).live);
        let newest = self.log.queues[usize::from(self.log.segment(from).queue)].newest;
        let (mut sum, mut length) = (0, 0);
        let mut walk = self.log.walk_from(from).take_while(|&segment| segment != newest);
        for last in walk.by_ref().take(SEGMENTS_LOOKED_AT) {
            sum += dead(last);
            length += 1;
            while sum - dead(first) >= wanted {
                sum -= dead(first);
                length -= 1;
                first = self.log.segment(first).newer;
            }
            if sum >= wanted && best.is_none_or(|run| length < run.left) {
                best = Some(Compaction { source: first, target: NONE, left: length });
            }
        }
        (best, walk.next().unwrap_or(NONE))
    }
}
