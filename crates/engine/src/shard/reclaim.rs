//! Making room: eviction, and who has to give.

use super::compact::MOVES_A_STEP;
use super::{Effects, Removal, Shard, Step};
use crate::error::Result;
use crate::eviction::{Eviction, Verdict};
use crate::log::{Bound, QUEUES};
use crate::memory::{NONE, Purpose, prefetch};

/// Bytes written before as many are given up: one by one costs more, because evictions in a row fetch ahead.
const PACE_BYTES: u32 = 1024;
/// Steps that one write may take to keep pace, and in need of a segment before it turns to the reserve; a step of
/// compaction counts as many as it may move records.
const PACE_STEPS: u32 = 128;
const STEPS_BEFORE_RESERVE: u32 = 128;
impl Shard {
    /// Whether another shard should give way rather than this one: this one holds less than its share.
    pub(super) fn should_defer(&self, bound: Bound) -> bool {
        let shards = self.shared.views.len() as u64;
        if shards == 1 || self.insist {
            return false;
        }
        let (held, room) = match bound {
            // Small entries take a quarter of the memory for tables: without these no shard would ever have its share.
            Bound::Bytes => (
                self.held(bound) + self.index.page_bytes() + self.charged,
                self.shared.budget.max().saturating_sub(self.shared.segments.reserve_bytes()),
            ),
            Bound::Entries => (self.held(bound), self.shared.options.max_entries.unwrap_or(0)),
            Bound::Cost => (self.held(bound), self.shared.options.max_cost.unwrap_or(0)),
        };
        let share = room / shards;
        // A tenth below the share, so that shards do not take turns over one segment.
        held + 1 < share - share / 10
    }

    /// Whether `bytes` are available, beyond the reserve if it is to be kept. Where they are not, sets free segments aside,
    /// which return with `effects`.
    #[inline]
    pub(super) fn shed(&self, bytes: u64, keep_reserve: bool, effects: &mut Effects) -> bool {
        let segments = &self.shared.segments;
        let missing = segments.missing(bytes, keep_reserve);
        if missing > 0 {
            let mut wanted = missing.min(segments.sheddable(keep_reserve));
            while wanted > 0
                && let Some(segment) = segments.take_free()
            {
                wanted = wanted.saturating_sub(segment.bytes());
                effects.drop_segment(segment);
            }
        }
        missing == 0
    }

    /// Makes sure that `bytes` can be appended to `queue`.
    pub(super) fn ensure_space(&mut self, queue: usize, bytes: u32, effects: &mut Effects) -> Result<Step<()>> {
        self.runs_in_vain = 0;
        let mut steps = 0;
        loop {
            if self.log.has_room(queue, bytes) {
                return Ok(Step::Done(()));
            }
            // Whoever has worked enough for one write may dip into the reserve; those to come fill it up again.
            let is_tired = steps >= STEPS_BEFORE_RESERVE || self.was_relieved;
            let purpose = if is_tired { Purpose::Relocate } else { Purpose::Append };
            if self.log.open(queue, purpose) {
                return Ok(Step::Done(()));
            }
            if effects.returning >= u64::from(self.shared.segments.segment_bytes()) {
                return Ok(Step::Settle);
            }
            if self.should_defer(Bound::Bytes) {
                return Ok(Step::Full(Bound::Bytes));
            }
            if !self.reclaim(Bound::Bytes, effects) {
                // Nothing left to give: the reserve is for this, too.
                let opened = self.log.open(queue, Purpose::Relocate);
                return Ok(if opened { Step::Done(()) } else { Step::Full(Bound::Bytes) });
            }
            steps += self.weight_of_step();
        }
    }

    /// What the step of [`Shard::reclaim`] just taken counts.
    fn weight_of_step(&self) -> u32 {
        if self.log.compaction.is_some() || self.log.looked_at > 0 { MOVES_A_STEP } else { 1 }
    }

    /// After a write of `bytes`: where no segment is left for the next one that will need it, gives up as much as was
    /// written, so that no write has to win a whole segment at once.
    #[inline(always)]
    pub(super) fn keep_pace(&mut self, bytes: u32, effects: &mut Effects) {
        self.written += bytes;
        if self.written >= PACE_BYTES {
            self.catch_up(effects);
        }
    }

    fn catch_up(&mut self, effects: &mut Effects) {
        let written = u64::from(std::mem::take(&mut self.written));
        let shortage = self.shared.segments.shortage();
        if shortage == 0 {
            // Where entries or costs are bounded, they leave holes and memory may never be short.
            self.tidy(effects);
            return;
        }
        if self.should_defer(Bound::Bytes) {
            return;
        }
        // Twice as much while the reserve is to be filled up.
        let reserve_is_low = shortage > u64::from(self.shared.segments.segment_bytes());
        let goal = self.log.live_bytes().saturating_sub(written << u32::from(reserve_is_low));
        self.runs_in_vain = 0;
        let mut steps = 0;
        // What was exhumed is to be dropped soon.
        let enough = u64::from(self.shared.segments.segment_bytes());
        while steps < PACE_STEPS
            && effects.returning < enough
            && self.log.live_bytes() > goal
            && self.reclaim(Bound::Bytes, effects)
        {
            steps += self.weight_of_step();
        }
    }

    /// One step towards a free segment: a grave, compaction where much is dead, else eviction.
    /// False if nothing is left to give.
    pub(crate) fn reclaim(&mut self, bound: Bound, effects: &mut Effects) -> bool {
        self.begin_write();
        if self.shared.large.has_graves() {
            let blocks = self.shared.large.exhume();
            let found = !blocks.is_empty();
            blocks.into_iter().for_each(|block| effects.drop_block(block));
            if found {
                return true;
            }
        }
        if self.has_buried() {
            self.bury_some(effects);
            return true;
        }
        if (self.log.compaction.is_some() || self.is_worth_compacting()) && self.compact(effects) {
            return true;
        }
        // A look that does not pay any more is over: what follows is no step of it.
        self.log.looked_at = 0;
        self.evict_one(bound, effects) || self.give_empty()
    }

    /// Up to `steps` steps for a write that needs room elsewhere, until something has returned. The record under
    /// `spared` stays. False if there is nothing to give.
    pub(crate) fn give(
        &mut self,
        bound: Bound,
        spared: Option<(u64, &[u8])>,
        steps: u32,
        effects: &mut Effects,
    ) -> bool {
        self.protect = spared.and_then(|(hash, key)| self.find(hash, key)).map_or(NONE, |(address, _)| address);
        let gave = match bound {
            Bound::Entries | Bound::Cost => self.evict_one(bound, effects),
            Bound::Bytes => self.give_bytes(steps, effects),
        };
        self.protect = NONE;
        self.charge_tables();
        gave
    }

    fn give_bytes(&mut self, steps: u32, effects: &mut Effects) -> bool {
        let (used, free) = (self.shared.budget.used(), self.shared.segments.free_bytes());
        let mut taken = 0;
        while taken < steps {
            let has_returned =
                effects.returning > 0 || self.shared.budget.used() < used || self.shared.segments.free_bytes() > free;
            if has_returned {
                return true;
            }
            if !self.reclaim(Bound::Bytes, effects) {
                return taken > 0;
            }
            taken += self.weight_of_step();
        }
        true
    }

    /// Gives back what a shard without entries still holds: the ends of its queues, pages of its index, ghosts.
    fn give_empty(&mut self) -> bool {
        let freed = (0..QUEUES).filter(|&queue| self.log.give_empty_newest(queue)).count() > 0;
        if self.index.len() == 0 && self.index.has_grown() && self.renew_index().is_ok() {
            self.old_tables.extend(self.policy.cleared());
            self.charge_tables();
            return true;
        }
        freed
    }

    /// Carries out one verdict of the policy. False if it has no candidate.
    pub(crate) fn evict_one(&mut self, bound: Bound, effects: &mut Effects) -> bool {
        self.begin_write();
        match self.policy.victim(&mut self.log, bound, self.protect) {
            Verdict::Nothing => false,
            Verdict::Evict(address) => {
                self.evict(address, effects);
                true
            }
            Verdict::Move { address, queue, uses } => {
                let bytes = self.log.bytes_of(self.log.record(address));
                if self.log.has_room(queue, bytes) || self.log.open(queue, Purpose::Relocate) {
                    self.log.record(address).set_uses(uses);
                    self.relocate(address, self.log.queues[queue].newest);
                    true
                } else if address == self.protect {
                    // No memory to move it out of the way: another one goes instead.
                    let next = self.log.next_live(address).or_else(|| self.log.oldest(QUEUES - 1 - queue));
                    next.is_some_and(|next| {
                        self.evict(next, effects);
                        true
                    })
                } else {
                    // No memory to keep it in: a cache may forget.
                    self.evict(address, effects);
                    true
                }
            }
        }
    }

    /// Fetches what the next eviction will touch, and the head of the record of the one after: evictions go through a queue
    /// in order, and nothing else has looked at what lies there for long.
    fn prefetch_behind(&self, address: u32) {
        let Some(next) = self.log.behind(address) else { return };
        let record = self.log.record(next);
        prefetch(record.0.wrapping_add(self.log.bytes_of(record) as usize));
        if !record.is_filler() && !record.is_dead() {
            let hash = self.hash_of(next);
            self.index.prefetch(hash);
            self.policy.prefetch(hash);
        }
    }

    pub(super) fn evict(&mut self, address: u32, effects: &mut Effects) {
        self.prefetch_behind(address);
        let hash = self.hash_of(address);
        let position = self.index.position_of(hash, address).expect("a live record is in the index");
        let record = self.log.record(address);
        let expired = record.can_expire() && self.has_expired(record);
        let removal = if expired { Removal::Expired } else { Removal::Evicted };
        self.remove(address, position, hash, removal, effects);
    }

    /// Moves a live record to the end of `segment`, which has the room.
    pub(super) fn relocate(&mut self, from: u32, segment: u32) {
        self.prefetch_behind(from);
        let hash = self.hash_of(from);
        let position = self.index.position_of(hash, from).expect("a live record is in the index");
        let to = self.log.relocate(from, segment);
        self.index.replace(position, to);
        self.policy.moved(&mut self.log, from, to);
        if self.protect == from {
            self.protect = to;
        }
    }
}
