//! Change streams: every committed change, in order per shard, into a bounded ring for each reader.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::sync::thread_local;

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ChangeKind {
    /// Stored where nothing was.
    Added = 1,
    /// Stored over an older value.
    Replaced = 2,
    /// Deleted by a caller.
    Deleted = 3,
    /// Removed because its expiry passed.
    Expired = 4,
    /// Removed to make room.
    Evicted = 5,
    /// Only the expiry changed.
    ExpiryChanged = 6,
    /// Everything in the shard was cleared; the key is empty.
    Cleared = 7,
    /// More changes than the ring may hold: some were lost here; the key is empty.
    Gap = 8,
    /// A panic emptied the shard; the key is empty.
    Reset = 9,
}

/// Who makes the changes of a thread, in the words of whoever said so by [`Origin::enter`]. The cache only passes it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// The caller; 0 where nobody said anything.
    pub caller: u64,
    /// What the caller does.
    pub cause: u32,
}

thread_local! {
    static ORIGIN: Cell<Origin> = const { Cell::new(Origin { caller: 0, cause: 0 }) };
    /// Changes of transactions that this thread has noted: their order.
    static NOTED: Cell<u64> = const { Cell::new(0) };
}

impl Origin {
    /// Makes this the origin of what the present thread changes, until the guard is dropped.
    pub fn enter(self) -> OriginGuard {
        OriginGuard(ORIGIN.with(|origin| origin.replace(self)))
    }

    fn current() -> Self {
        ORIGIN.with(Cell::get)
    }
}

/// Ends what [`Origin::enter`] began.
#[derive(Debug)]
pub struct OriginGuard(Origin);

impl Drop for OriginGuard {
    fn drop(&mut self) {
        ORIGIN.with(|origin| origin.set(self.0));
    }
}

/// The place of a change among those that this thread has noted in transactions.
pub(crate) fn next_place() -> u64 {
    NOTED.with(|noted| {
        noted.set(noted.get() + 1);
        noted.get()
    })
}

/// One committed change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The key.
    pub key: Vec<u8>,
    /// Version after the change (for removals: of the removal itself).
    pub version: u64,
    /// The value that went (removed or replaced), if the stream was opened with values.
    pub old: Option<OldValue>,
    /// Who caused it; nobody where it went by itself.
    pub origin: Origin,
}

impl Change {
    /// A change of `key` by the present thread.
    pub(crate) fn of(kind: ChangeKind, key: &[u8], version: u64, old: Option<OldValue>) -> Self {
        let by_itself = matches!(kind, ChangeKind::Expired | ChangeKind::Evicted);
        let origin = if by_itself { Origin::default() } else { Origin::current() };
        Self { kind, key: key.to_vec(), version, old, origin }
    }

    /// A mark without a key: a gap, a clear, a reset.
    pub fn bare(kind: ChangeKind, version: u64) -> Self {
        Self { kind, key: Vec::new(), version, old: None, origin: Origin::default() }
    }

    /// Memory that keeping the change takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.old.as_ref().map_or(0, |old| old.bytes.len())
    }
}

/// What may wait for the reader of a change stream. Its memory is not part of the cache's bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeLimits {
    /// Number of changes, at least 2.
    pub changes: usize,
    /// Sum of [`Change::bytes`].
    pub bytes: usize,
}

/// A value that left the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldValue {
    /// Meaning of the bytes.
    pub kind: crate::Kind,
    /// Codec id.
    pub codec: u8,
    /// The decompressed value.
    pub bytes: Vec<u8>,
}

/// The bounded rings between shards and the readers. Without a reader they cost a load per change.
#[derive(Clone, Default)]
pub(crate) struct Rings(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Whether there is a reader.
    open: AtomicBool,
    /// Whether one of them wants values.
    with_values: AtomicBool,
    rings: RwLock<Vec<Arc<Ring>>>,
}

/// The ring of one reader.
struct Ring {
    limits: ChangeLimits,
    with_values: bool,
    /// Ends when another one of this sort is opened.
    is_single: bool,
    state: Mutex<State>,
    wake: Mutex<Option<Wake>>,
    /// Set from a wake-up to the next drain.
    woken: AtomicBool,
}

type Wake = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct State {
    changes: VecDeque<Change>,
    /// Sum of [`Change::bytes`] of them.
    bytes: usize,
    /// Nobody reads any more.
    ended: bool,
}

impl State {
    fn has_room(&self, change: &Change, limits: ChangeLimits) -> bool {
        self.bytes.saturating_add(change.bytes()) <= limits.bytes
    }

    fn add(&mut self, change: Change) {
        self.bytes += change.bytes();
        self.changes.push_back(change);
    }

    fn end(&mut self) {
        self.changes.clear();
        self.bytes = 0;
        self.ended = true;
    }

    fn push(&mut self, change: Change, limits: ChangeLimits) -> VecDeque<Change> {
        let mut lost = VecDeque::new();
        if self.ended {
            return lost;
        }
        if self.changes.len() >= limits.changes || !self.has_room(&change, limits) {
            lost = std::mem::take(&mut self.changes);
            self.bytes = 0;
            self.add(Change::bare(ChangeKind::Gap, change.version));
            if !self.has_room(&change, limits) {
                return lost;
            }
        }
        self.add(change);
        lost
    }
}

impl Ring {
    /// Adds changes, with no other one in between.
    fn push(&self, changes: impl Iterator<Item = Change>) -> VecDeque<Change> {
        let (mut lost, mut state) = (VecDeque::new(), self.state.lock());
        for mut change in changes {
            if !self.with_values {
                change.old = None;
            }
            lost.append(&mut state.push(change, self.limits));
        }
        lost
    }

    fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Some(wake) = &*self.wake.lock()
        {
            wake();
        }
    }
}

impl Rings {
    /// Whether anybody listens.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Whether changes carry the value that went.
    pub(crate) fn with_values(&self) -> bool {
        self.0.with_values.load(Ordering::Relaxed)
    }

    /// Adds a change. When a ring is full, what it holds is replaced by one [`ChangeKind::Gap`], which also stands
    /// for a change that is too large by itself. What was replaced comes back, to be dropped outside of every lock.
    #[must_use]
    pub(crate) fn push(&self, change: Change) -> VecDeque<Change> {
        let mut lost = VecDeque::new();
        let rings = self.0.rings.read();
        let Some((last, others)) = rings.split_last() else { return lost };
        others.iter().for_each(|ring| lost.append(&mut ring.push(std::iter::once(change.clone()))));
        lost.append(&mut last.push(std::iter::once(change)));
        lost
    }

    /// Adds the changes of one transaction, with no other change in between.
    #[must_use]
    pub(crate) fn push_unit(&self, changes: Vec<Change>) -> VecDeque<Change> {
        let mut lost = VecDeque::new();
        if !changes.is_empty() {
            self.0.rings.read().iter().for_each(|ring| lost.append(&mut ring.push(changes.iter().cloned())));
        }
        lost
    }

    /// Tells the readers that there is something to drain. Not under a shard lock.
    pub(crate) fn wake(&self) {
        if self.is_open() {
            // Not under the lock of the list: what is woken may read there and then.
            let rings = self.0.rings.read().clone();
            rings.iter().for_each(|ring| ring.wake());
        }
    }

    /// Opens a ring for a new reader. If it is to be a single one, an older single one gets nothing more.
    pub(crate) fn open(&self, limits: ChangeLimits, with_values: bool, is_single: bool) -> ChangeStream {
        // One place more than one change: a gap needs a change behind it.
        let limits = ChangeLimits { changes: limits.changes.max(2), ..limits };
        let (state, wake, woken) = Default::default();
        let ring = Arc::new(Ring { limits, with_values, is_single, state, wake, woken });
        self.change(|rings| {
            if is_single {
                rings.extract_if(.., |one| one.is_single).for_each(|one| one.state.lock().end());
            }
            rings.push(Arc::clone(&ring));
        });
        ChangeStream { rings: self.clone(), ring }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Ring>>)) {
        let mut rings = self.0.rings.write();
        change(&mut rings);
        self.0.with_values.store(rings.iter().any(|ring| ring.with_values), Ordering::Relaxed);
        self.0.open.store(!rings.is_empty(), Ordering::Relaxed);
    }
}

/// A reader of the changes. Dropping it ends the stream; without any, changes cost nothing.
pub struct ChangeStream {
    rings: Rings,
    ring: Arc<Ring>,
}

impl ChangeStream {
    /// Takes up to `max` changes that are there; never waits.
    pub fn drain(&self, max: usize) -> Vec<Change> {
        self.ring.woken.store(false, Ordering::Release);
        let state = &mut *self.ring.state.lock();
        let count = max.min(state.changes.len());
        let taken: Vec<_> = state.changes.drain(..count).collect();
        state.bytes -= taken.iter().map(Change::bytes).sum::<usize>();
        taken
    }

    /// Calls `wake` (from any thread, at most once between two drains, never under the lock of a shard that a single
    /// operation holds) when changes are there. After a wake-up, drain until nothing comes. `wake` may drain itself, but
    /// not call the cache.
    pub fn on_ready(&self, wake: Box<dyn Fn() + Send + Sync>) {
        if !self.ring.state.lock().ended {
            *self.ring.wake.lock() = Some(wake);
        }
    }
}

impl Drop for ChangeStream {
    fn drop(&mut self) {
        self.rings.change(|rings| rings.retain(|one| !Arc::ptr_eq(one, &self.ring)));
        self.ring.state.lock().end();
    }
}
