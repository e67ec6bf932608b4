//! What a reader sees of a shard without taking its lock: a sequence lock around everything a lookup touches.
//!
//! A writer makes the sequence odd before its first change and even again after its last. A reader notes an even
//! sequence, looks up and copies, and keeps the copy only if the sequence is still the same. It may see a record
//! being overwritten, moved or freed while it looks: whatever it reads then is bounded (segments, pages and
//! directories stay mapped as long as the cache lives, lengths are checked before they are used) and thrown away.
//!
//! Boehm, "Can seqlocks get along with programming language memory models?", MSPC 2012. How the payload is loaded:
//! [`RacingRecord`](crate::record::RacingRecord).

use super::Shard;
use crate::log::Bound;
use crate::sync::Lock;
use crate::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};

/// The part of a shard that is seen without its lock, and the lock. Its first cache line is what every write changes:
/// a write that overwrites an entry in place changes no other, beside those of the entry. A thread that comes after one
/// on another core waits for that line once.
#[repr(C, align(128))]
#[derive(Default)]
pub(crate) struct View {
    pub(crate) lock: Lock,
    sequence: AtomicU64,
    /// The last version given out.
    version: AtomicU64,
    /// Values stored.
    sets: AtomicU64,
    // How much the shard holds, for finding the one most over its share.
    bytes: AtomicU64,
    entries: AtomicU64,
    cost: AtomicU64,
    place: Place,
}

/// Where the index is: on a line that seldom changes, so that a reader looks its key up while the line above, which
/// another core may have changed, is still on its way.
#[repr(C, align(64))]
#[derive(Default)]
struct Place {
    directory: AtomicPtr<u32>,
    depth: AtomicU32,
}

/// An even sequence, and the index as it was then.
#[derive(Clone, Copy)]
pub(crate) struct Glimpse {
    sequence: u64,
    pub(crate) directory: *const u32,
    pub(crate) depth: u32,
}

impl View {
    /// Begins a read; `None` while a writer is at work.
    #[inline(always)]
    pub(crate) fn glimpse(&self) -> Option<Glimpse> {
        let sequence = self.sequence.load(Ordering::Acquire);
        (sequence & 1 == 0).then(|| Glimpse {
            sequence,
            directory: self.place.directory.load(Ordering::Relaxed),
            depth: self.place.depth.load(Ordering::Relaxed),
        })
    }

    /// Ends a read: whether what was read since `glimpse` is one state of the shard.
    #[inline(always)]
    pub(crate) fn is_unchanged(&self, glimpse: Glimpse) -> bool {
        fence(Ordering::Acquire);
        self.sequence.load(Ordering::Relaxed) == glimpse.sequence
    }

    /// Whether the holder of the lock has changed something.
    #[inline(always)]
    fn is_written(&self) -> bool {
        self.sequence.load(Ordering::Relaxed) & 1 != 0
    }

    /// Adds 1; by the holder of the lock, so that nobody else does.
    #[inline(always)]
    fn step(counter: &AtomicU64, order: Ordering) -> u64 {
        let next = counter.load(Ordering::Relaxed).wrapping_add(1);
        counter.store(next, order);
        next
    }

    /// What the shard holds in the measure of `bound`.
    pub(crate) fn load_of(&self, bound: Bound) -> u64 {
        match bound {
            Bound::Bytes => &self.bytes,
            Bound::Entries => &self.entries,
            Bound::Cost => &self.cost,
        }
        .load(Ordering::Relaxed)
    }
}

impl Shard {
    /// Says that this hold of the lock changes what readers may see. Before the first change; again is harmless.
    #[inline(always)]
    pub(crate) fn begin_write(&mut self) {
        let view = self.view();
        if !view.is_written() {
            View::step(&view.sequence, Ordering::Relaxed);
            fence(Ordering::Release);
        }
    }

    /// Whether this hold of the lock may have changed something.
    pub(crate) fn is_written(&self) -> bool {
        self.view().is_written()
    }

    /// Lets readers in again. When the lock is released.
    #[inline(always)]
    pub(crate) fn end_write(&mut self) {
        if self.is_written() {
            self.update_load();
            self.publish_place();
            View::step(&self.view().sequence, Ordering::Release);
        }
    }

    /// Shows readers where the index is.
    #[inline(always)]
    pub(super) fn publish_place(&self) {
        let (directory, depth) = self.index.view();
        let place = &self.view().place;
        if place.directory.load(Ordering::Relaxed) != directory || place.depth.load(Ordering::Relaxed) != depth {
            place.directory.store(directory, Ordering::Relaxed);
            place.depth.store(depth, Ordering::Relaxed);
        }
    }

    /// Lets other shards see how much this one holds.
    #[inline(always)]
    pub(crate) fn update_load(&self) {
        let view = self.view();
        view.bytes.store(self.held(Bound::Bytes), Ordering::Relaxed);
        view.entries.store(self.held(Bound::Entries), Ordering::Relaxed);
        view.cost.store(self.held(Bound::Cost), Ordering::Relaxed);
    }

    /// The last version given out.
    pub(super) fn version(&self) -> u64 {
        self.view().version.load(Ordering::Relaxed)
    }

    /// The next version.
    #[inline(always)]
    pub(super) fn next_version(&mut self) -> u64 {
        View::step(&self.view().version, Ordering::Relaxed)
    }

    /// Values stored so far.
    pub(super) fn sets(&self) -> u64 {
        self.view().sets.load(Ordering::Relaxed)
    }

    /// Counts a value that was stored.
    #[inline(always)]
    pub(super) fn count_set(&mut self) {
        View::step(&self.view().sets, Ordering::Relaxed);
    }

    /// Takes the count of values back to `sets`.
    pub(super) fn recall_sets(&mut self, sets: u64) {
        self.view().sets.store(sets, Ordering::Relaxed);
    }

    #[inline(always)]
    fn view(&self) -> &View {
        &self.shared.views[self.number]
    }
}
