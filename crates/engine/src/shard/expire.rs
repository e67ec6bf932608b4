//! Expiry without reads: segments know their next deadline; those that are due are walked in small steps.

use super::{Effects, Removal, Shard};
use crate::log::QUEUES;
use crate::memory::NONE;

/// Records looked at in one step.
const RECORDS_A_STEP: u32 = 512;
/// Segments asked for their deadlines in one step. Their entries lie anywhere in memory: this takes some ten microseconds.
const SEGMENTS_A_STEP: u32 = 512;
/// A segment is walked at most once in this time and as much for each [`SEGMENTS_A_PAUSE`] of the whole cache: a walk
/// takes some ten microseconds, so that with deadlines all over the place the sweep stays near 1 % of a core. Memory
/// returns within 5 seconds from a cache of 512 MiB, and within two minutes from one of 16 GiB.
const PAUSE_MS: u64 = 1000;
const SEGMENTS_A_PAUSE: u64 = 1024;

impl Shard {
    /// One step of the sweep. True while there is more to do at once.
    pub(crate) fn sweep(&mut self, effects: &mut Effects) -> bool {
        if self.next_deadline == u64::MAX {
            return false;
        }
        let now = self.shared.now_ms();
        if self.next_deadline > now {
            return false;
        }
        let Some((segment, offset)) = self.log.sweep.or_else(|| self.find_due(now)) else {
            // The round goes on in the next step, or has set the next deadline.
            return self.next_deadline <= now;
        };
        self.log.sweep = Some((segment, offset));
        let mut at = offset.max(self.log.segment(segment).start);
        for _ in 0..RECORDS_A_STEP {
            if at >= self.log.segment(segment).end {
                self.end_sweep(segment, now);
                return true;
            }
            let address = self.shared.segments.address(segment, at);
            let record = self.log.record(address);
            at += self.log.bytes_of(record);
            if record.is_filler() || record.is_dead() || !record.can_expire() {
                continue;
            }
            if record.deadline(now).is_some_and(|deadline| deadline <= now) {
                let hash = self.hash_of(address);
                let position = self.index.position_of(hash, address).expect("a live record is in the index");
                self.remove(address, position, hash, Removal::Expired, effects);
                // The last record's end frees or empties the segment, which ends its sweep.
                if self.log.sweep.is_none() {
                    return true;
                }
            }
        }
        self.log.sweep = Some((segment, at));
        true
    }

    /// The next segment of the round that is due; none yet where the round has many segments to look at. The end of a
    /// round sets the shard's next deadline.
    fn find_due(&mut self, now: u64) -> Option<(u32, u32)> {
        let mut round = self.log.round.take().unwrap_or_else(|| self.log.begin_round(0, u64::MAX));
        for _ in 0..SEGMENTS_A_STEP {
            if round.at == NONE {
                if round.queue + 1 == QUEUES {
                    self.next_deadline = round.next_deadline;
                    return None;
                }
                round = self.log.begin_round(round.queue + 1, round.next_deadline);
                continue;
            }
            let entry = *self.log.segment(round.at);
            let segment = std::mem::replace(&mut round.at, entry.newer);
            if entry.next_deadline <= now {
                self.log.round = Some(round);
                return Some((segment, entry.start));
            }
            round.next_deadline = round.next_deadline.min(entry.next_deadline);
        }
        self.log.round = Some(round);
        None
    }

    /// Sets the segment's next deadline from what is left in it.
    fn end_sweep(&mut self, segment: u32, now: u64) {
        self.log.sweep = None;
        let mut next = u64::MAX;
        let mut at = self.log.segment(segment).start;
        while at < self.log.segment(segment).end {
            let record = self.log.record(self.shared.segments.address(segment, at));
            if !record.is_filler() && !record.is_dead() {
                next = next.min(record.deadline(now).unwrap_or(u64::MAX));
            }
            at += self.log.bytes_of(record);
        }
        let segments = self.log.used_segments() * self.shared.views.len() as u64;
        let pause = PAUSE_MS * (1 + segments / SEGMENTS_A_PAUSE);
        let next = if next == u64::MAX { next } else { next.max(now + pause) };
        self.log.segment_mut(segment).next_deadline = next;
        self.log.lower_round(next);
    }
}
