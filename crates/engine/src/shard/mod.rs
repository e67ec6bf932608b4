//! The single-threaded core. One shard owns one slice of the hash space: its index, its log, its policy, its gates.
//! Everything here runs under the shard's lock, which the caller holds.

mod clear;
mod collections;
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
use crate::memory::{Block, Budget, FreePage, FreeSegment, LargeSpace, NONE, PAGE_BYTES, Pages, Segments, prefetch};
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
    /// Entries and cost of all shards; kept only where `max_entries` or `max_cost` is set.
    pub(crate) entries: AtomicU64,
    pub(crate) cost: AtomicU64,
    /// Each shard's part of them and its bytes, for finding the one most over its share.
    pub(crate) loads: Box<[Load]>,
}

/// How much a shard holds.
#[derive(Default)]
#[repr(align(64))]
pub(crate) struct Load {
    bytes: AtomicU64,
    entries: AtomicU64,
    cost: AtomicU64,
}

impl Load {
    /// What the shard holds in the measure of `bound`.
    pub(crate) fn of(&self, bound: Bound) -> u64 {
        match bound {
            Bound::Bytes => &self.bytes,
            Bound::Entries => &self.entries,
            Bound::Cost => &self.cost,
        }
        .load(Ordering::Relaxed)
    }
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

/// Counters of a shard.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) sets: u64,
    pub(crate) deletes: u64,
    pub(crate) evictions: u64,
    pub(crate) expirations: u64,
    pub(crate) compressed: u64,
    pub(crate) resets: u64,
    pub(crate) key_bytes: u64,
    pub(crate) value_bytes: u64,
    pub(crate) raw_value_bytes: u64,
}

/// One slice of the cache.
pub(crate) struct Shard {
    pub(crate) shared: Arc<Shared>,
    number: usize,
    pub(crate) index: Index,
    pub(crate) log: Log,
    pub(crate) policy: Policy,
    pub(crate) counters: Counters,
    pub(crate) gates: Gates,
    /// Bytes charged for the gates, and their number, as last settled.
    gates_charged: u64,
    gates_counted: u64,
    /// Set while a reader's callback runs: the shard is whole then, whatever the callback does.
    pub(crate) lent: bool,
    /// Set while a holder commits, which overtakes nobody.
    pub(crate) filling: bool,
    /// What the transaction that holds the shard has changed.
    pub(crate) journal: Option<Box<Journal>>,
    watches: Watches,
    /// Indexes of cleared generations, given back in steps.
    old_indexes: Vec<Retired>,
    /// The policy's tables of cleared generations.
    old_tables: Vec<GhostTable>,
    /// The last version given out.
    version: u64,
    /// The record that must survive the current operation, or [`NONE`]; follows it when it is moved.
    protect: u32,
    /// Queue the record being written goes to; set when room is made for it.
    target_queue: usize,
    view: Arc<View>,
    /// Whether this hold of the lock has changed what a reader without it may see.
    writing: bool,
    /// Set while other shards have nothing to give: evict here, below the share or not.
    pub(crate) insist: bool,
    /// Set while a write goes on for which another shard has given way already.
    pub(crate) was_relieved: bool,
    /// Entries and cost that the write in progress has set aside for itself.
    reserved: (u64, u64),
    /// Number of evictions from which on compaction is considered again.
    next_compaction: u64,
    /// Bytes written since the shard last gave up as many; see [`Shard::keep_pace`].
    written: u32,
    /// Runs of compaction that the current write has waited for.
    runs_in_vain: u32,
    /// No record expires before this.
    next_deadline: u64,
    /// Heap bytes charged for directories and policy tables.
    charged: u64,
}

impl Shard {
    pub(crate) fn new(shared: Arc<Shared>, number: usize) -> Result<Self> {
        let skip_bits = shared.loads.len().trailing_zeros();
        let index = Index::new(Arc::clone(&shared.pages), Directory::reserve(&shared.small_directories)?, skip_bits)
            .ok_or(Error::OutOfMemory { reason: "no page for the index".into() })?;
        let shard = Self {
            number,
            index,
            log: Log::new(Arc::clone(&shared.segments)),
            policy: Policy::new(shared.options.policy),
            counters: Counters::default(),
            gates: Gates::new(number as u64 + 1, shared.loads.len() as u64, DEFAULT_PER_KEY),
            gates_charged: 0,
            gates_counted: 0,
            lent: false,
            filling: false,
            journal: None,
            watches: Watches::default(),
            old_indexes: Vec::new(),
            old_tables: Vec::new(),
            version: 0,
            protect: NONE,
            target_queue: 0,
            view: Arc::default(),
            writing: false,
            insist: false,
            was_relieved: false,
            reserved: (0, 0),
            next_compaction: 0,
            written: 0,
            runs_in_vain: 0,
            next_deadline: u64::MAX,
            charged: 0,
            shared,
        };
        shard.publish_view();
        Ok(shard)
    }

    /// What readers without the lock look at.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    /// The next version.
    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
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
            // The key decides on the record's first line; what comes behind it is wanted in all likelihood.
            prefetch(record.0.wrapping_add(64));
            prefetch(record.0.wrapping_add(128));
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
        self.uncount(record);
        if record.has_flag(flag::LARGE) {
            effects.drop_large(record.take_large());
        }
        let cost = record.cost();
        self.log.kill(address);
        self.recount((1, cost), (0, 0));
        if self.protect == address {
            self.protect = NONE;
        }
    }

    /// Adds a record to the byte counters.
    fn count(&mut self, record: Record) {
        self.counters.key_bytes += record.key_len() as u64;
        self.counters.value_bytes += record.value_len() as u64;
        self.counters.raw_value_bytes += read::raw_value_len(record);
    }

    /// Takes a record out of the byte counters.
    fn uncount(&mut self, record: Record) {
        self.counters.key_bytes -= record.key_len() as u64;
        self.counters.value_bytes -= record.value_len() as u64;
        self.counters.raw_value_bytes -= read::raw_value_len(record);
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
            adjust(&self.shared.entries, from.0, to.0);
        }
        if self.shared.options.max_cost.is_some() {
            adjust(&self.shared.cost, from.1, to.1);
        }
    }

    /// Lets other shards see how much this one holds.
    #[inline(always)]
    pub(crate) fn update_load(&self) {
        let load = &self.shared.loads[self.number];
        load.bytes.store(self.held(Bound::Bytes), Ordering::Relaxed);
        load.entries.store(self.index.len(), Ordering::Relaxed);
        load.cost.store(self.cost(), Ordering::Relaxed);
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
            sets: c.sets,
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
