//! The single-threaded core. One shard owns one slice of the hash space: its index, its log, its policy, its gates.
//! Everything here runs under the shard's lock, which the caller holds.

mod clear;
mod collections;
mod compact;
mod copy;
mod expire;
mod expiry;
mod gated;
mod journal;
mod publish;
mod read;
mod reclaim;
mod verify;
mod view;
mod write;

use std::collections::VecDeque;
use std::mem::offset_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::LargeValue;
use crate::error::{Error, Result};
use crate::events::{Change, ChangeKind, Rings};
use crate::eviction::{Eviction, GhostTable, Policy};
use crate::gates::{DEFAULT_PER_KEY, Gates};
use crate::index::{Directory, Index, Position, Retired, SmallDirectories};
use crate::log::{Bound, Log};
use crate::memory::{
    Block, Budget, FreePage, FreeSegment, LargeSpace, NONE, PAGE_BYTES, Pages, Segments, prefetch_to_write,
};
use crate::options::Options;
use crate::record::{Record, flag};
use crate::stats::Stats;
use crate::watch::Watches;
use parking_lot::Mutex;

pub(crate) use collections::CollectionChange;
pub(crate) use copy::EntryCopy;
pub use gated::Filled;
pub(crate) use gated::GateEffects;
pub(crate) use journal::Journal;
pub(crate) use read::{Stored, describe, stored};
pub(crate) use view::View;
pub(crate) use write::{Step, Write};

/// What the shards of a cache share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) budget: Arc<Budget>,
    pub(crate) segments: Arc<Segments>,
    pub(crate) pages: Arc<Pages>,
    pub(crate) large: Arc<LargeSpace>,
    pub(crate) secrets: rapidhash::v3::RapidSecrets,
    pub(crate) small_directories: Arc<SmallDirectories>,
    /// Directories that are not in use; see [`Directory`].
    pub(crate) directories: Mutex<Vec<Directory>>,
    pub(crate) ring: Rings,
    /// Keys with a gate in all shards, and the bytes charged for them.
    pub(crate) gates: AtomicU64,
    pub(crate) gate_bytes: AtomicU64,
    /// Bytes of values that transactions keep, to put them back.
    pub(crate) journal_bytes: AtomicU64,
    /// Where the clock of the gates' deadlines begins.
    pub(crate) started: Instant,
    pub(crate) totals: Totals,
    /// What is seen of each shard without its lock.
    pub(crate) views: Box<[View]>,
}

/// Entries and cost of all shards; kept only where `max_entries` or `max_cost` is set. On a cache line of their own:
/// every operation reads what lies around them.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Totals {
    pub(crate) entries: AtomicU64,
    pub(crate) cost: AtomicU64,
}

impl Shared {
    #[inline(always)]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        rapidhash::v3::rapidhash_v3_seeded(key, &self.secrets)
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.options.clock.now_ms()
    }

    /// Milliseconds since the cache was created; never runs backwards.
    pub(crate) fn monotonic_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}

/// What has to happen once the lock is released.
#[derive(Default)]
pub(crate) struct Effects {
    /// Large values whose last reference may go.
    pub(crate) drop_later: Vec<LargeValue>,
    /// Blocks whose last reference may go, and what else goes back to the system.
    blocks: Vec<Arc<Block>>,
    segments: Vec<FreeSegment>,
    pages: Vec<FreePage>,
    /// Bytes that return to the budget with them.
    pub(crate) returning: u64,
    /// Changes that an overflow threw out of the ring: too many to free under a lock.
    pub(crate) lost: VecDeque<Change>,
    /// Whether changes were pushed to the ring.
    pub(crate) changed: bool,
    /// Posts of the gates.
    pub(crate) gates: Option<Box<GateEffects>>,
}

impl Effects {
    /// Posts of the gates, to add to.
    pub(crate) fn gates(&mut self) -> &mut GateEffects {
        self.gates.get_or_insert_default()
    }

    /// Leaves a large value to be dropped outside the lock.
    pub(crate) fn drop_large(&mut self, value: LargeValue) {
        self.returning += value.0.charged();
        self.drop_later.push(value);
    }

    /// Leaves a block to be dropped outside the lock.
    pub(crate) fn drop_block(&mut self, block: Arc<Block>) {
        self.returning += block.charged();
        self.blocks.push(block);
    }

    /// Leaves a segment to be given back outside the lock.
    fn drop_segment(&mut self, segment: FreeSegment) {
        self.returning += segment.bytes();
        self.segments.push(segment);
    }

    /// Leaves a page to be given back outside the lock.
    fn drop_page(&mut self, page: FreePage) {
        self.returning += PAGE_BYTES as u64;
        self.pages.push(page);
    }

    /// Drops all this at once.
    pub(crate) fn drop_now(&mut self) {
        self.drop_later.clear();
        self.blocks.clear();
        self.segments.clear();
        self.pages.clear();
        self.returning = 0;
    }
}

/// Why a record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    Deleted,
    Expired,
    Evicted,
}

/// Counters of a shard; the values stored are counted in its [`View`].
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Counters {
    pub(crate) key_bytes: u64,
    pub(crate) value_bytes: u64,
    pub(crate) raw_value_bytes: u64,
    pub(crate) deletes: u64,
    pub(crate) evictions: u64,
    pub(crate) expirations: u64,
    pub(crate) compressed: u64,
    pub(crate) resets: u64,
}

/// What a record counts in [`Counters`].
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sizes {
    key_bytes: u64,
    value_bytes: u64,
    raw_value_bytes: u64,
}

impl Sizes {
    const NOTHING: Self = Self { key_bytes: 0, value_bytes: 0, raw_value_bytes: 0 };

    #[inline(always)]
    fn of(record: Record) -> Self {
        Self {
            key_bytes: record.key_len() as u64,
            value_bytes: record.value_len() as u64,
            raw_value_bytes: read::raw_value_len(record),
        }
    }
}

impl Counters {
    /// Counts a record as `after` instead of `before`.
    #[inline(always)]
    fn resize(&mut self, before: Sizes, after: Sizes) {
        if before != after {
            self.key_bytes = self.key_bytes - before.key_bytes + after.key_bytes;
            self.value_bytes = self.value_bytes - before.value_bytes + after.value_bytes;
            self.raw_value_bytes = self.raw_value_bytes - before.raw_value_bytes + after.raw_value_bytes;
        }
    }
}

/// One slice of the cache. In the order of its fields: first what an insert changes, so that a thread that writes where
/// another one wrote last waits for a few lines and not for one a field. What an overwrite changes is in the [`View`].
#[repr(C)]
pub(crate) struct Shard {
    /// The record that must survive the current operation, or [`NONE`]; follows it when it is moved.
    protect: u32,
    /// Bytes written since the shard last gave up as many; see [`Shard::keep_pace`].
    written: u32,
    /// Set while other shards have nothing to give: evict here, below the share or not.
    pub(crate) insist: bool,
    /// Set while a write goes on for which another shard has given way already.
    pub(crate) was_relieved: bool,
    /// Set while a reader's callback runs: the shard is whole then, whatever the callback does.
    pub(crate) lent: bool,
    /// Set while what is evicted goes to `reserved`.
    keeps_evicted: bool,
    /// Runs of compaction that the current write has waited for.
    runs_in_vain: u32,
    /// Queue the record being written goes to; set when room is made for it.
    target_queue: usize,
    /// Entries and cost that the write in progress has set aside for itself.
    reserved: (u64, u64),
    /// Number of evictions from which on compaction is considered again.
    next_compaction: u64,
    pub(crate) counters: Counters,
    pub(crate) log: Log,
    pub(crate) policy: Policy,
    pub(crate) index: Index,
    pub(crate) shared: Arc<Shared>,
    number: usize,
    pub(crate) gates: Gates,
    /// Bytes charged for the gates, and their number, as last settled.
    gates_charged: u64,
    gates_counted: u64,
    /// Set while a holder commits, which overtakes nobody.
    pub(crate) filling: bool,
    /// What the transaction that holds the shard has changed.
    pub(crate) journal: Option<Box<Journal>>,
    watches: Watches,
    /// Indexes of cleared generations, given back in steps.
    old_indexes: Vec<Retired>,
    /// The policy's tables of cleared generations.
    old_tables: Vec<GhostTable>,
    /// No record expires before this.
    next_deadline: u64,
    /// Heap bytes charged for directories and policy tables.
    charged: u64,
}

impl Shard {
    pub(crate) fn new(shared: Arc<Shared>, number: usize) -> Result<Self> {
        let skip_bits = shared.views.len().trailing_zeros();
        let index = Index::new(Arc::clone(&shared.pages), Directory::reserve(&shared.small_directories)?, skip_bits)
            .ok_or(Error::OutOfMemory { reason: "no page for the index".into() })?;
        let shard = Self {
            number,
            index,
            log: Log::new(Arc::clone(&shared.segments)),
            policy: Policy::new(shared.options.policy),
            counters: Counters::default(),
            gates: Gates::new(number as u64 + 1, shared.views.len() as u64, DEFAULT_PER_KEY),
            gates_charged: 0,
            gates_counted: 0,
            lent: false,
            filling: false,
            journal: None,
            watches: Watches::default(),
            old_indexes: Vec::new(),
            old_tables: Vec::new(),
            protect: NONE,
            target_queue: 0,
            insist: false,
            was_relieved: false,
            reserved: (0, 0),
            keeps_evicted: false,
            next_compaction: 0,
            written: 0,
            runs_in_vain: 0,
            next_deadline: u64::MAX,
            charged: 0,
            shared,
        };
        shard.publish_place();
        Ok(shard)
    }

    /// Fetches what an insert changes of the shard, all of it at once: where another core has written last, each line would
    /// be waited for by itself.
    #[inline(always)]
    fn prefetch_own_lines(&self) {
        let first: *const u8 = std::ptr::from_ref(self).cast();
        for line in 0..offset_of!(Self, shared).div_ceil(64) {
            prefetch_to_write(first.wrapping_add(64 * line));
        }
    }

    /// Hash of a record's key.
    fn hash_of(&self, address: u32) -> u64 {
        self.shared.hash(self.log.record(address).key())
    }

    /// The record under `key`, expired or not.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<(u32, Position)> {
        self.index.find(hash, |address| {
            let record = self.log.record(address);
            // The key decides on the record's first line; what comes behind it is wanted in all likelihood, and to be
            // changed: whoever only reads seldom needs the lock.
            for line in 0..3 {
                prefetch_to_write(record.0.wrapping_add(64 * line));
            }
            record.key_len() == key.len() && record.key() == key
        })
    }

    /// The live record under `key`. Removes it if it has expired.
    #[inline(always)]
    pub(crate) fn lookup(&mut self, hash: u64, key: &[u8], effects: &mut Effects) -> Option<u32> {
        let (address, position) = self.find(hash, key)?;
        let record = self.log.record(address);
        if record.can_expire() && self.has_expired(record) {
            self.remove(address, position, hash, Removal::Expired, effects);
            return None;
        }
        Some(address)
    }

    fn has_expired(&self, record: Record) -> bool {
        let now = self.shared.now_ms();
        record.deadline(now).is_some_and(|deadline| deadline <= now)
    }

    /// Takes a record out of everything.
    pub(crate) fn remove(
        &mut self,
        address: u32,
        position: Position,
        hash: u64,
        removal: Removal,
        effects: &mut Effects,
    ) {
        self.begin_write();
        let record = self.log.record(address);
        if removal == Removal::Deleted {
            self.note_before(record.key(), Some(record));
        }
        let version = self.next_version();
        let kind = match removal {
            Removal::Deleted => ChangeKind::Deleted,
            Removal::Expired => ChangeKind::Expired,
            Removal::Evicted => ChangeKind::Evicted,
        };
        self.publish(kind, record, version, effects);
        match removal {
            Removal::Deleted => self.counters.deletes += 1,
            Removal::Expired => self.counters.expirations += 1,
            Removal::Evicted => self.counters.evictions += 1,
        }
        self.policy.removing(&mut self.log, address, hash, removal == Removal::Evicted);
        self.index.remove(position);
        self.counters.resize(Sizes::of(record), Sizes::NOTHING);
        if record.has_flag(flag::LARGE) {
            effects.drop_large(record.take_large());
        }
        let cost = record.cost();
        self.log.kill(address);
        if self.keeps_evicted {
            self.keep_reserved(cost);
        } else {
            self.recount((1, cost), (0, 0));
        }
        if self.protect == address {
            self.protect = NONE;
        }
    }

    /// Makes what the whole cache counts of this shard `to` instead of `from`: entries and cost.
    #[inline(always)]
    fn recount(&self, from: (u64, u64), to: (u64, u64)) {
        let adjust = |total: &AtomicU64, from: u64, to: u64| {
            if to > from {
                total.fetch_add(to - from, Ordering::Relaxed);
            } else if to < from {
                total.fetch_sub(from - to, Ordering::Relaxed);
            }
        };
        if self.shared.options.max_entries.is_some() {
            adjust(&self.shared.totals.entries, from.0, to.0);
        }
        if self.shared.options.max_cost.is_some() {
            adjust(&self.shared.totals.cost, from.1, to.1);
        }
    }

    /// Sets what a record counted in the totals aside for the write in progress.
    fn keep_reserved(&mut self, cost: u64) {
        self.reserved.0 += u64::from(self.shared.options.max_entries.is_some());
        self.reserved.1 += if self.shared.options.max_cost.is_some() { cost } else { 0 };
    }

    fn cost(&self) -> u64 {
        self.log.cost()
    }

    /// Amount this shard holds in the measure of `bound`; of bytes, what eviction can win back.
    fn held(&self, bound: Bound) -> u64 {
        match bound {
            Bound::Bytes => self.log.held_bytes(),
            Bound::Entries => self.index.len(),
            Bound::Cost => self.cost(),
        }
    }

    /// Charges the directory and the tables of the policy as they are now.
    fn charge_tables(&mut self) {
        let old: u64 = self.old_tables.iter().map(GhostTable::bytes).sum();
        let bytes = self.index.directory_bytes() + self.policy.bytes() + old;
        if bytes > self.charged {
            self.shared.budget.charge(bytes - self.charged);
        } else {
            self.shared.budget.release(self.charged - bytes);
        }
        self.charged = bytes;
    }

    /// Counters as [`Stats`]; what belongs to the whole cache stays 0.
    pub(crate) fn stats(&self) -> Stats {
        let c = &self.counters;
        let segment_bytes = u64::from(self.shared.segments.segment_bytes());
        let used = self.log.used_segments() * segment_bytes;
        let live = self.log.live_bytes();
        let unfilled = self.log.unfilled_bytes();
        let pages: u64 = self.index.page_bytes() + self.old_indexes.iter().map(Retired::bytes).sum::<u64>();
        let large: u64 = self.log.queues.iter().map(|queue| queue.large_bytes).sum();
        let bytes = used + pages + self.charged + self.gates_charged + large;
        let reserve = unfilled;
        debug_assert!(used >= live + unfilled);
        let dead = used.saturating_sub(live + unfilled);
        Stats {
            entries: self.index.len(),
            cost: self.cost(),
            bytes,
            key_bytes: c.key_bytes,
            value_bytes: c.value_bytes,
            raw_value_bytes: c.raw_value_bytes,
            dead_bytes: dead,
            reserve_bytes: reserve,
            overhead_bytes: (bytes - dead - reserve).saturating_sub(c.key_bytes + c.value_bytes),
            sets: self.sets(),
            deletes: c.deletes,
            evictions: c.evictions,
            expirations: c.expirations,
            compressed: c.compressed,
            gates: self.gates.len() as u64,
            resets: c.resets,
            shards: 1,
            ..Stats::default()
        }
    }
}
