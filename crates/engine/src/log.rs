//! The log of a shard: records in segments, segments in queues.
//!
//! ```text
//!  queue  oldest ─> [ dead | rec rec rec ] ─> [ rec rec dead rec ] ─> ... ─> [ rec rec ....free ] newest
//!                    ^start           ^end
//! ```
//!
//! Records are appended to the newest segment of a queue and leave at the oldest. The order of records in a queue
//! is the queue's order: compaction keeps it.

mod round;
mod weight;

use std::sync::Arc;

use crate::index;
use crate::memory::{NONE, Purpose, Segment, Segments, prefetch};
use crate::record::{Draft, Record, field, flag, round_up};
use crate::shard::Effects;
use round::Round;

/// Number of queues a log has room for.
pub(crate) const QUEUES: usize = 2;

/// What a bound is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// `max_bytes`.
    Bytes,
    /// `max_entries`.
    Entries,
    /// `max_cost`.
    Cost,
}

/// Segments in order, and what lives in them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queue {
    pub(crate) newest: u32,
    pub(crate) oldest: u32,
    pub(crate) segments: u32,
    /// Bytes of live records in the log.
    pub(crate) bytes: u64,
    /// What their large values outside the log charge.
    pub(crate) large_bytes: u64,
    pub(crate) entries: u64,
    /// Sum of costs; where `max_cost` is set no more than that, else it may exceed 64 bits.
    pub(crate) cost: u128,
}

impl Queue {
    const EMPTY: Self = Self { newest: NONE, oldest: NONE, segments: 0, bytes: 0, large_bytes: 0, entries: 0, cost: 0 };

    /// Live amount in the measure of `bound`.
    pub(crate) fn amount(&self, bound: Bound) -> u64 {
        match bound {
            Bound::Bytes => self.bytes + self.large_bytes,
            Bound::Entries => self.entries,
            Bound::Cost => saturated(self.cost),
        }
    }
}

/// Costs as far as 64 bits reach.
fn saturated(cost: u128) -> u64 {
    cost.try_into().unwrap_or(u64::MAX)
}

/// A run of compaction inside one queue: survivors of `source` and its newer neighbours slide into `target`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compaction {
    pub(crate) source: u32,
    /// Where survivors go, or [`NONE`] while it is still to be opened.
    pub(crate) target: u32,
    /// Segments that are still to be emptied, `source` included.
    pub(crate) left: u32,
}

/// All records of a shard. Every method relies on the shard lock.
pub(crate) struct Log {
    pub(crate) segments: Arc<Segments>,
    pub(crate) queues: [Queue; QUEUES],
    pub(crate) compaction: Option<Compaction>,
    /// Segment that compaction without order has begun to fill, or [`NONE`]. Nothing else is appended to it: it was
    /// opened from the reserve, and a run must be able to end.
    pub(crate) half_filled: u32,
    /// Where the expiry sweep goes on: segment and offset.
    pub(crate) sweep: Option<(u32, u32)>,
    /// Where the search for the next segment to sweep goes on.
    pub(crate) round: Option<Round>,
    /// Segment at which the search for what to compact begins; [`NONE`]: at the oldest.
    pub(crate) compact_from: u32,
    /// Segments that a search of several steps for what to compact has looked at; 0: none goes on.
    pub(crate) looked_at: u64,
    /// Segments of cleared generations, linked by `newer`.
    graveyard: u32,
    graves: u32,
}

impl Log {
    pub(crate) fn new(segments: Arc<Segments>) -> Self {
        Self {
            segments,
            queues: [Queue::EMPTY; QUEUES],
            compaction: None,
            half_filled: NONE,
            sweep: None,
            round: None,
            compact_from: NONE,
            looked_at: 0,
            graveyard: NONE,
            graves: 0,
        }
    }

    #[inline(always)]
    pub(crate) fn record(&self, address: u32) -> Record {
        Record(self.segments.pointer(address))
    }

    /// Bookkeeping of a segment of this log.
    #[inline(always)]
    pub(crate) fn segment(&self, segment: u32) -> &Segment {
        // SAFETY: the segment belongs to this log, whose shard lock is held, and the table lives as long as the log's `Arc`.
        // Entries change only through `segment_mut`, which has the log to itself.
        unsafe { &*self.segments.entry(segment) }
    }

    /// The same, to be changed.
    #[inline(always)]
    pub(crate) fn segment_mut(&mut self, segment: u32) -> &mut Segment {
        // SAFETY: as in `segment`; the log is borrowed as long as the entry is.
        unsafe { &mut *self.segments.entry(segment) }
    }

    #[inline(always)]
    pub(crate) fn queue_of(&self, address: u32) -> usize {
        self.segment(self.segments.segment_of(address)).queue as usize
    }

    /// Bytes `raw` takes in the log.
    #[inline(always)]
    pub(crate) fn rounded(&self, raw: u32) -> u32 {
        round_up(raw, self.segments.granule())
    }

    /// Bytes the record takes in the log.
    #[inline(always)]
    pub(crate) fn bytes_of(&self, record: Record) -> u32 {
        record.bytes(self.segments.granule())
    }

    /// Bytes that the cache is smaller without the entry: the record, what lies outside the log, its share of the index.
    pub(crate) fn bytes_of_entry(&self, record: Record) -> u64 {
        u64::from(self.bytes_of(record)) + record.large_charge() + index::BYTES_PER_ENTRY
    }

    /// Whether the newest segment of `queue` can take `bytes` more.
    #[inline(always)]
    pub(crate) fn has_room(&self, queue: usize, bytes: u32) -> bool {
        let newest = self.queues[queue].newest;
        newest != NONE && self.segment(newest).end + bytes <= self.segments.segment_bytes()
    }

    /// Adds an empty segment at the newest end of `queue`; false if the pool has none for the purpose.
    pub(crate) fn open(&mut self, queue: usize, purpose: Purpose) -> bool {
        let Some(segment) = self.segments.take(purpose) else { return false };
        let newest = self.queues[queue].newest;
        *self.segment_mut(segment) = Segment { older: newest, queue: queue as u8, ..Segment::EMPTY };
        if newest == NONE {
            self.queues[queue].oldest = segment;
        } else {
            self.segment_mut(newest).newer = segment;
        }
        self.queues[queue].newest = segment;
        self.queues[queue].segments += 1;
        true
    }

    /// Adds an empty segment on the older side of `neighbour`.
    pub(crate) fn open_before(&mut self, neighbour: u32) -> Option<u32> {
        let segment = self.segments.take(Purpose::Relocate)?;
        let (older, queue) = (self.segment(neighbour).older, self.segment(neighbour).queue);
        *self.segment_mut(segment) = Segment { older, newer: neighbour, queue, ..Segment::EMPTY };
        self.segment_mut(neighbour).older = segment;
        if older == NONE {
            self.queues[queue as usize].oldest = segment;
        } else {
            self.segment_mut(older).newer = segment;
        }
        self.queues[queue as usize].segments += 1;
        Some(segment)
    }

    /// Space for `bytes` at the end of `segment`, which has the room.
    fn claim(&mut self, segment: u32, bytes: u32) -> u32 {
        let most = self.segments.segment_bytes();
        let entry = self.segment_mut(segment);
        let offset = entry.end;
        entry.end += bytes;
        debug_assert!(entry.end <= most);
        self.segments.address(segment, offset)
    }

    /// Writes a new record at the newest end of `queue`, which has the room.
    pub(crate) fn append(&mut self, queue: usize, draft: &Draft<'_>, version: u64, now_ms: u64) -> u32 {
        let bytes = self.rounded(draft.bytes());
        let address = self.claim(self.queues[queue].newest, bytes);
        // SAFETY: `claim` gave `bytes` unused bytes; the draft's slices are the caller's.
        let record = unsafe { draft.write(self.segments.pointer(address), version, now_ms) };
        self.enter(address, self.weigh(record));
        // The next record goes behind it, where nobody has been for long.
        for line in 0..4 {
            prefetch(record.0.wrapping_add(bytes as usize + 64 * line));
        }
        address
    }

    /// Appends a copy of `record` with one optional field more to `queue`, which has the room.
    pub(crate) fn append_with_field(&mut self, queue: usize, record: Record, bit: u8, value: u64) -> u32 {
        let bytes = self.rounded(record.bytes(1) + field::BYTES);
        let address = self.claim(self.queues[queue].newest, bytes);
        // SAFETY: `claim` gave `bytes` unused bytes.
        let copy = unsafe { record.copy_with_field(self.segments.pointer(address), bit, value) };
        self.enter(address, self.weigh(copy));
        address
    }

    /// Ends a live record. Frees its segment if it was the last one in there.
    pub(crate) fn kill(&mut self, address: u32) {
        let record = self.record(address);
        self.leave(address, self.weigh(record));
        record.set_dead();
        let segment = self.segments.segment_of(address);
        let Segment { live, queue, .. } = *self.segment(segment);
        if live == 0 && self.compaction.is_none_or(|run| run.target != segment) {
            if self.queues[queue as usize].newest == segment {
                let entry = self.segment_mut(segment);
                (entry.start, entry.end, entry.next_deadline) = (0, 0, u64::MAX);
                self.forget_cursors(segment);
            } else {
                self.free(segment);
            }
        }
    }

    /// Copies a live record to the end of `segment`, which has the room, and ends the old one.
    pub(crate) fn relocate(&mut self, from: u32, segment: u32) -> u32 {
        let record = self.record(from);
        let bytes = self.bytes_of(record);
        let to = self.claim(segment, bytes);
        let copy = self.record(to);
        // SAFETY: both ranges lie in segments of this log and cannot overlap: `to` was unused.
        unsafe { std::ptr::copy_nonoverlapping(record.0, copy.0, bytes as usize) };
        self.enter(to, self.weigh(copy));
        let deadline = self.segment(self.segments.segment_of(from)).next_deadline;
        let entry = self.segment_mut(segment);
        if copy.can_expire() {
            entry.next_deadline = entry.next_deadline.min(deadline);
            self.lower_round(deadline);
        }
        self.kill(from);
        to
    }

    /// Lets the segment of `address` know that a record in it expires at `deadline`.
    pub(crate) fn note_deadline(&mut self, address: u32, deadline: u64) {
        let entry = self.segment_mut(self.segments.segment_of(address));
        entry.next_deadline = entry.next_deadline.min(deadline);
        self.lower_round(deadline);
    }

    /// Oldest live record of `queue`; steps over dead ones for good.
    pub(crate) fn oldest(&mut self, queue: usize) -> Option<u32> {
        loop {
            let segment = self.queues[queue].oldest;
            if segment == NONE {
                return None;
            }
            if let Some(offset) = self.first_live(segment) {
                return Some(self.segments.address(segment, offset));
            }
            if self.queues[queue].newest == segment {
                return None;
            }
            if self.compaction.is_some_and(|run| run.target == segment) {
                self.compaction = None;
            }
            self.free(segment);
        }
    }

    /// Offset of the first live record of `segment`; moves its start there.
    pub(crate) fn first_live(&mut self, segment: u32) -> Option<u32> {
        let Segment { mut start, end, .. } = *self.segment(segment);
        while start < end {
            let record = self.record(self.segments.address(segment, start));
            if !record.is_filler() && !record.is_dead() {
                break;
            }
            start += self.bytes_of(record);
        }
        self.segment_mut(segment).start = start;
        (start < end).then_some(start)
    }

    /// What lies behind the record at `address` in the same segment: a record, dead or alive, or a filler.
    #[inline(always)]
    pub(crate) fn behind(&self, address: u32) -> Option<u32> {
        let segment = self.segments.segment_of(address);
        let at = self.segments.offset_of(address) + self.bytes_of(self.record(address));
        (at < self.segment(segment).end).then(|| self.segments.address(segment, at))
    }

    /// The next younger live record of the same queue.
    pub(crate) fn next_live(&self, address: u32) -> Option<u32> {
        let mut segment = self.segments.segment_of(address);
        let mut at = self.segments.offset_of(address) + self.bytes_of(self.record(address));
        loop {
            while at < self.segment(segment).end {
                let next = self.segments.address(segment, at);
                let record = self.record(next);
                if !record.is_filler() && !record.is_dead() {
                    return Some(next);
                }
                at += self.bytes_of(record);
            }
            segment = self.segment(segment).newer;
            if segment == NONE {
                return None;
            }
            at = self.segment(segment).start;
        }
    }

    /// Gives back a segment that holds no live record and is not the newest of its queue; ends what ran on it.
    pub(crate) fn discard(&mut self, segment: u32) {
        self.forget_cursors(segment);
        if self.queues[self.segment(segment).queue as usize].newest != segment {
            self.free(segment);
        }
    }

    /// Gives the newest segment of `queue` back if it holds no live record; says whether it did.
    pub(crate) fn give_empty_newest(&mut self, queue: usize) -> bool {
        let newest = self.queues[queue].newest;
        let is_empty = newest != NONE && self.segment(newest).live == 0;
        if is_empty {
            self.free(newest);
        }
        is_empty
    }

    /// Unlinks an empty segment and gives it back.
    fn free(&mut self, segment: u32) {
        let Segment { newer, older, queue, live, .. } = *self.segment(segment);
        debug_assert_eq!(live, 0);
        let queue = &mut self.queues[queue as usize];
        queue.segments -= 1;
        if queue.newest == segment {
            queue.newest = older;
        }
        if queue.oldest == segment {
            queue.oldest = newer;
        }
        if newer != NONE {
            self.segment_mut(newer).older = older;
        }
        if older != NONE {
            self.segment_mut(older).newer = newer;
        }
        self.skip_in_round(segment, newer);
        if self.compact_from == segment {
            self.compact_from = newer;
        }
        self.forget_cursors(segment);
        self.segments.give(segment);
    }

    fn forget_cursors(&mut self, segment: u32) {
        if self.compaction.is_some_and(|run| run.source == segment || run.target == segment) {
            self.compaction = None;
        }
        if self.half_filled == segment {
            self.half_filled = NONE;
        }
        if self.sweep.is_some_and(|(at, _)| at == segment) {
            self.sweep = None;
        }
    }

    /// Segments in use, the graveyard's not counted.
    pub(crate) fn used_segments(&self) -> u64 {
        self.queues.iter().map(|queue| u64::from(queue.segments)).sum()
    }

    /// Bytes of segments, the graveyard's among them, and of large values.
    #[inline(always)]
    pub(crate) fn held_bytes(&self) -> u64 {
        let segments = self.used_segments() + u64::from(self.graves);
        segments * u64::from(self.segments.segment_bytes())
            + self.queues.iter().map(|queue| queue.large_bytes).sum::<u64>()
    }

    /// Sum of the costs of live records, as far as 64 bits reach.
    pub(crate) fn cost(&self) -> u64 {
        saturated(self.queues.iter().map(|queue| queue.cost).sum())
    }

    /// Bytes of live records.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.queues.iter().map(|queue| queue.bytes).sum()
    }

    /// Bytes at the ends of the newest segments that are still to be written.
    pub(crate) fn unfilled_bytes(&self) -> u64 {
        let unfilled = |queue: &Queue| match queue.newest {
            NONE => 0,
            newest => u64::from(self.segments.segment_bytes() - self.segment(newest).end),
        };
        self.queues.iter().map(unfilled).sum()
    }

    /// Bytes that compaction could win: what is dead behind the part of the queues that eviction is working on.
    pub(crate) fn reclaimable_bytes(&self) -> u64 {
        let evicted = |queue: &Queue| match queue.oldest {
            NONE => 0,
            oldest => u64::from(self.segment(oldest).start),
        };
        let evicted: u64 = self.queues.iter().map(evicted).sum();
        let used = self.used_segments() * u64::from(self.segments.segment_bytes());
        used.saturating_sub(self.live_bytes() + self.unfilled_bytes() + evicted)
    }

    /// Segments of `queue` from the oldest to the newest.
    pub(crate) fn walk(&self, queue: usize) -> impl Iterator<Item = u32> + '_ {
        self.walk_from(self.queues[queue].oldest)
    }

    /// `first`, unless it is [`NONE`], and the newer segments of its queue.
    pub(crate) fn walk_from(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors((first != NONE).then_some(first), |&segment| {
            let newer = self.segment(segment).newer;
            (newer != NONE).then_some(newer)
        })
    }

    /// Lays every segment aside in constant time; [`Log::bury_some`] gives them back.
    pub(crate) fn clear(&mut self) {
        for queue in 0..QUEUES {
            let Queue { newest, oldest, segments, .. } = self.queues[queue];
            self.graves += segments;
            if newest != NONE {
                let graveyard = self.graveyard;
                self.segment_mut(newest).newer = graveyard;
                self.graveyard = oldest;
            }
            self.queues[queue] = Queue::EMPTY;
        }
        self.compaction = None;
        self.half_filled = NONE;
        (self.sweep, self.round) = (None, None);
        (self.compact_from, self.looked_at) = (NONE, 0);
    }

    /// Whether cleared segments wait to be given back.
    pub(crate) fn has_graves(&self) -> bool {
        self.graveyard != NONE
    }

    /// Gives one cleared segment back; its large values go to `effects`.
    pub(crate) fn bury_one(&mut self, effects: &mut Effects) {
        let segment = self.graveyard;
        if segment == NONE {
            return;
        }
        while self.segment(segment).large > 0
            && let Some(offset) = self.first_live(segment)
        {
            let record = self.record(self.segments.address(segment, offset));
            if record.has_flag(flag::LARGE) {
                effects.drop_large(record.take_large());
                self.segment_mut(segment).large -= 1;
            }
            let bytes = self.bytes_of(record);
            self.segment_mut(segment).start += bytes;
        }
        self.graveyard = self.segment(segment).newer;
        self.graves -= 1;
        self.segments.give(segment);
    }
}
