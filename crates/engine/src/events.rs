//! The change stream: every committed change, in order per shard, into a bounded ring.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

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
}

impl Change {
    /// A mark without a key: a gap, a clear, a reset.
    pub fn bare(kind: ChangeKind, version: u64) -> Self {
        Self { kind, key: Vec::new(), version, old: None }
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

/// The bounded ring between shards and the reader. Closed, it costs a load per change.
#[derive(Clone, Default)]
pub(crate) struct Ring(Arc<Shared>);

#[derive(Default)]
struct Shared {
    open: AtomicBool,
    with_values: AtomicBool,
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
    limits: Option<ChangeLimits>,
    /// Counts the streams that were opened, so that an old one notices that it was replaced.
    stream: u64,
}

impl State {
    fn has_room(&self, change: &Change, limits: ChangeLimits) -> bool {
        self.bytes.saturating_add(change.bytes()) <= limits.bytes
    }

    fn add(&mut self, change: Change) {
        self.bytes += change.bytes();
        self.changes.push_back(change);
    }

    fn clear(&mut self) {
        self.changes.clear();
        self.bytes = 0;
    }

    fn push(&mut self, change: Change) -> VecDeque<Change> {
        let mut lost = VecDeque::new();
        let Some(limits) = self.limits else { return lost };
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
    /// Whether anybody listens.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Whether changes carry the value that went.
    pub(crate) fn with_values(&self) -> bool {
        self.0.with_values.load(Ordering::Relaxed)
    }

    /// Adds a change. When the ring is full, what it holds is replaced by one [`ChangeKind::Gap`], which also stands
    /// for a change that is too large by itself. What was replaced comes back, to be dropped outside of every lock.
    #[must_use]
    pub(crate) fn push(&self, change: Change) -> VecDeque<Change> {
        self.0.state.lock().push(change)
    }

    /// Adds the changes of one transaction, with no other change in between.
    #[must_use]
    pub(crate) fn push_unit(&self, changes: Vec<Change>) -> VecDeque<Change> {
        let mut lost = VecDeque::new();
        if !changes.is_empty() {
            let mut state = self.0.state.lock();
            changes.into_iter().for_each(|change| lost.append(&mut state.push(change)));
        }
        lost
    }

    /// Tells the reader that there is something to drain. Not under a shard lock.
    pub(crate) fn wake(&self) {
        if self.is_open()
            && !self.0.woken.swap(true, Ordering::AcqRel)
            && let Some(wake) = &*self.0.wake.lock()
        {
            wake();
        }
    }

    /// Opens the ring for a new reader; an older one gets nothing more.
    pub(crate) fn open(&self, limits: ChangeLimits, with_values: bool) -> ChangeStream {
        *self.0.wake.lock() = None;
        let mut state = self.0.state.lock();
        state.clear();
        // One place more than one change: a gap needs a change behind it.
        state.limits = Some(ChangeLimits { changes: limits.changes.max(2), ..limits });
        state.stream += 1;
        self.0.with_values.store(with_values, Ordering::Relaxed);
        self.0.woken.store(false, Ordering::Release);
        self.0.open.store(true, Ordering::Relaxed);
        ChangeStream { ring: self.clone(), stream: state.stream }
    }
}

/// A reader of the change stream. Dropping it ends the stream; without one, changes cost nothing.
pub struct ChangeStream {
    ring: Ring,
    stream: u64,
}

impl ChangeStream {
    /// Takes up to `max` changes that are there; never waits.
    pub fn drain(&self, max: usize) -> Vec<Change> {
        let shared = &self.ring.0;
        shared.woken.store(false, Ordering::Release);
        let state = &mut *shared.state.lock();
        if state.stream != self.stream {
            return Vec::new();
        }
        let count = max.min(state.changes.len());
        let taken: Vec<_> = state.changes.drain(..count).collect();
        state.bytes -= taken.iter().map(Change::bytes).sum::<usize>();
        taken
    }

    /// Calls `wake` (from any thread, at most once between two drains, never under a shard lock) when changes are
    /// there. After a wake-up, drain until nothing comes.
    pub fn on_ready(&self, wake: Box<dyn Fn() + Send + Sync>) {
        let mut current = self.ring.0.wake.lock();
        if self.ring.0.state.lock().stream == self.stream {
            *current = Some(wake);
        }
    }
}

impl Drop for ChangeStream {
    fn drop(&mut self) {
        let mut state = self.ring.0.state.lock();
        if state.stream == self.stream {
            self.ring.0.open.store(false, Ordering::Relaxed);
            state.clear();
            state.limits = None;
        }
    }
}
