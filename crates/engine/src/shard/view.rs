//! What a reader sees of a shard without taking its lock: a sequence lock around everything a lookup touches.
//!
//! A writer makes the sequence odd before its first change and even again after its last. A reader notes an even
//! sequence, looks up and copies, and keeps the copy only if the sequence is still the same. It may see a record
//! being overwritten, moved or freed while it looks: whatever it reads then is bounded (segments, pages and
//! directories stay mapped as long as the cache lives, lengths are checked before they are used) and thrown away.
//!
//! Boehm, "Can seqlocks get along with programming language memory models?", MSPC 2012. How the payload is loaded:
//! [`RacingRecord`](crate::record::RacingRecord).

use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};

use super::Shard;

/// The part of a shard that is read without its lock, on a cache line of its own.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct View {
    sequence: AtomicU64,
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
            directory: self.directory.load(Ordering::Relaxed),
            depth: self.depth.load(Ordering::Relaxed),
        })
    }

    /// Ends a read: whether what was read since `glimpse` is one state of the shard.
    #[inline(always)]
    pub(crate) fn is_unchanged(&self, glimpse: Glimpse) -> bool {
        fence(Ordering::Acquire);
        self.sequence.load(Ordering::Relaxed) == glimpse.sequence
    }
}

impl Shard {
    /// Says that this hold of the lock changes what readers may see. Before the first change; again is harmless.
    #[inline(always)]
    pub(crate) fn begin_write(&mut self) {
        if !self.writing {
            self.writing = true;
            let sequence = self.view.sequence.load(Ordering::Relaxed);
            self.view.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
            fence(Ordering::Release);
        }
    }

    /// Whether this hold of the lock may have changed something.
    pub(crate) fn is_written(&self) -> bool {
        self.writing
    }

    /// Lets readers in again. When the lock is released.
    #[inline(always)]
    pub(crate) fn end_write(&mut self) {
        if self.writing {
            self.writing = false;
            self.update_load();
            self.publish_view();
            let sequence = self.view.sequence.load(Ordering::Relaxed);
            self.view.sequence.store(sequence.wrapping_add(1), Ordering::Release);
        }
    }

    /// Shows readers where the index is.
    pub(super) fn publish_view(&self) {
        let (directory, depth) = self.index.view();
        self.view.directory.store(directory, Ordering::Relaxed);
        self.view.depth.store(depth, Ordering::Relaxed);
    }
}
