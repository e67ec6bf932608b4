//! The concurrent face of the engine.

mod collections;
mod counters;
mod gated;
mod guard;
mod keyspace;
mod maintain;
mod modify;
mod moving;
mod optimistic;
mod read;
mod scratch;
mod transaction;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::events::{ChangeLimits, ChangeStream};
use crate::index::SmallDirectories;
use crate::log::Bound;
use crate::memory::{Budget, LargeSpace, Pages, Segments};
use crate::options::{Options, PolicyKind};
use crate::shard::{Effects, GateEffects, Shard, Shared, Totals, View};
use crate::value::NewValue;

use guard::Locked;

pub use collections::EntryInfo;
pub use gated::{Fill, Filled, Lease, LeaseMode, Stable};
pub use keyspace::ScanEntry;
pub use moving::Moved;
pub use read::Prefetched;
pub use transaction::{Commits, Held, Scope};

/// A byte-bounded cache shared by threads. `&self` everywhere; keep it in an `Arc`.
///
/// An operation hashes its key once, takes the lock of one shard and holds it for a probe and copies of up to
/// 64 KiB. Compression, large values and everything a listener does happen outside.
pub struct Cache {
    shared: Arc<Shared>,
    shards: Box<[Locked<Shard>]>,
    reads: counters::ReadCounters,
    /// Whether reads try without the lock. Exact `lru` reorders at every hit, so there they do not.
    optimistic: bool,
    /// 64 - log2(shards); the shard is the hash's top bits.
    shard_shift: u32,
    closed: AtomicBool,
    /// Fixed charge for the shards themselves and the segment table.
    fixed_bytes: u64,
    /// Where `maintain` goes on.
    next_shard: AtomicUsize,
    commits: transaction::CommitCounters,
}

/// Default number of shards: one per 16 MiB up to 64; a single one where the order of eviction is to be exact.
fn default_shards(options: &Options) -> usize {
    let small = options.max_bytes < 32 << 20 || options.max_entries.is_some_and(|entries| entries < 1 << 14);
    if options.policy == PolicyKind::Lru || options.max_cost.is_some() || small {
        return 1;
    }
    let wanted = (options.max_bytes >> 24).clamp(1, 64) as usize;
    1 << wanted.ilog2()
}

/// Segments are 1/256 of a shard's part, from 16 to 128 KiB.
fn segment_bytes(options: &Options, shards: usize) -> u32 {
    let part = options.max_bytes / shards as u64 / 256;
    1 << part.clamp(16 << 10, 128 << 10).ilog2()
}

impl Cache {
    /// Creates a cache. Address space for four times `max_bytes` is reserved, so that [`Cache::resize`] has room, or as
    /// much of it as the system has and records can be addressed in: more would make each of them longer. Memory is
    /// touched only when used.
    ///
    /// # Errors
    /// [`Error::BadOption`], [`Error::OutOfMemory`].
    pub fn new(options: Options) -> Result<Self> {
        options.validate()?;
        let shards = options.shards.unwrap_or_else(|| default_shards(&options));
        let segment_bytes = segment_bytes(&options, shards);
        let least = shards as u64 * 8 * u64::from(segment_bytes);
        if options.max_bytes < least && shards > 1 {
            return Err(Error::BadOption {
                option: "shards",
                reason: format!("{shards} shards need maxBytes of at least {least}"),
            });
        }
        let budget = Arc::new(Budget::new(options.max_bytes));
        let fixed_bytes = Segments::table_bytes(options.max_bytes / u64::from(segment_bytes))
            + (shards * (size_of::<Locked<Shard>>() + size_of::<View>())) as u64;
        budget.charge(fixed_bytes);
        // Relocation needs a segment in hand; shards seldom need theirs at the same moment.
        let reserve = 2 + shards as u32 / 4;
        let reserved = |factor| {
            let region =
                options.max_bytes.saturating_mul(factor).min(Segments::addressable(options.max_bytes, segment_bytes));
            let pages = Pages::new((region / 8 / 4096) as usize + shards * 4, Arc::clone(&budget))?;
            Ok((Segments::new(region, segment_bytes, reserve, Arc::clone(&budget))?, pages))
        };
        // A very large bound leaves no address space to grow into.
        let (segments, pages) = reserved(4).or_else(|_: Error| reserved(2)).or_else(|_| reserved(1))?;
        let (segments, pages) = (Arc::new(segments), Arc::new(pages));
        let seed = options.seed.unwrap_or_else(random_seed);
        let shared = Arc::new(Shared {
            segments,
            pages,
            large: Arc::new(LargeSpace::new(Arc::clone(&budget))),
            budget,
            secrets: rapidhash::v3::RapidSecrets::seed(seed),
            // A shard has one, and one for each of the cleared indexes it may keep.
            small_directories: Arc::new(SmallDirectories::new(4 * shards)?),
            directories: parking_lot::Mutex::default(),
            ring: crate::events::Rings::default(),
            gates: AtomicU64::new(0),
            gate_bytes: AtomicU64::new(0),
            journal_bytes: AtomicU64::new(0),
            started: Instant::now(),
            totals: Totals::default(),
            views: std::iter::repeat_with(View::default).take(shards).collect(),
            options,
        });
        let shards = (0..shards)
            .map(|number| Ok(Locked::new(Shard::new(Arc::clone(&shared), number)?)))
            .collect::<Result<Box<[Locked<Shard>]>>>()?;
        Ok(Self {
            reads: counters::ReadCounters::default(),
            optimistic: shared.options.policy == PolicyKind::Default && !cfg!(miri),
            shard_shift: 64 - shards.len().trailing_zeros(),
            shared,
            shards,
            closed: AtomicBool::new(false),
            fixed_bytes,
            next_shard: AtomicUsize::new(0),
            commits: transaction::CommitCounters::default(),
        })
    }

    /// The options the cache was created with.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Opens a change stream with a ring of at most `limits`; `with_values` copies the values that go, too.
    /// At most one stream a cache; a second open ends the first. Those of [`Cache::subscribe`] do not count.
    pub fn changes(&self, limits: ChangeLimits, with_values: bool) -> ChangeStream {
        self.shared.ring.open(limits, with_values, true)
    }

    /// Opens one more change stream, without values. Every change that begins behind this call is told.
    pub fn subscribe(&self, limits: ChangeLimits) -> ChangeStream {
        let stream = self.shared.ring.open(limits, false, false);
        // Whoever is inside a shard may have looked before whether anybody listens.
        (0..self.shards.len()).for_each(|number| drop(self.lock_number(number)));
        stream
    }

    /// Closes the cache: what it holds goes, later writes answer [`Error::Closed`], later reads miss.
    pub fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            self.close_gates();
            self.clear();
            while self.maintain() {}
            self.shared.segments.shed(u64::MAX, false);
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::Closed) } else { Ok(()) }
    }

    #[inline(always)]
    fn shard_number(&self, hash: u64) -> usize {
        // With one shard the shift would be by 64.
        if self.shards.len() == 1 { 0 } else { (hash >> self.shard_shift) as usize }
    }

    /// Does what had to wait for the end of the critical section.
    #[inline(always)]
    fn settle(&self, effects: Effects) {
        self.settle_with(effects, None);
    }

    /// [`Cache::settle`] with the value that the operation stored or loaded, for those who wait for one.
    #[inline(always)]
    fn settle_with(&self, mut effects: Effects, value: Option<NewValue<'_>>) {
        if let Some(gates) = effects.gates.take() {
            deliver(*gates, value);
        }
        if effects.changed {
            self.shared.ring.wake();
        }
        drop(effects);
    }

    /// Lets the shard that holds most of what `bound` limits give some of it up, in up to `steps` steps, or another
    /// one if that has nothing but the record under `spared`. False if none has anything to give.
    fn relieve(&self, bound: Bound, spared: Option<(u64, &[u8])>, steps: u32) -> bool {
        let give = |number: usize| {
            let spared = spared.filter(|&(hash, _)| self.shard_number(hash) == number);
            let mut effects = Effects::default();
            // Inside a transaction another thread's shard is left alone while it is locked.
            let gave = self
                .lock_unless_outside(number)
                .is_some_and(|mut shard| shard.give(bound, spared, steps, &mut effects));
            self.settle(effects);
            gave
        };
        let all = 0..self.shards.len();
        let Some(fullest) = all.clone().max_by_key(|&number| self.shared.views[number].load_of(bound)) else {
            return false;
        };
        give(fullest) || all.into_iter().any(|number| number != fullest && give(number))
    }
}

impl Drop for Cache {
    /// Records hold references to large values, which would outlive the log.
    fn drop(&mut self) {
        self.close();
    }
}

/// Wakes those whom a change of the gates concerns.
#[cold]
fn deliver(gates: GateEffects, value: Option<NewValue<'_>>) {
    gates.posts.deliver(value);
    for (posts, copy) in gates.stables {
        copy.with(|value| posts.deliver(Some(value)));
    }
}

/// Process-wide randomness for the key hash: a seed nobody outside can guess.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
