//! The directory of an index: page numbers in a piece of address space of its own, or as long as there are few of them in
//! a place that all shards share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Result;
use crate::memory::{PAGE_BYTES, Region};

use super::MAX_DEPTH;

/// Bytes of the deepest directory.
const MOST_BYTES: usize = size_of::<u32>() << MAX_DEPTH;
/// Slots of a small directory: a cache line.
const SMALL_SLOTS: usize = 16;
const SMALL_BYTES: usize = SMALL_SLOTS * size_of::<u32>();

/// The small directories of a cache side by side, so that an empty cache of many shards does not take a page for each.
pub(crate) struct SmallDirectories {
    /// Behind the last one there is room for the deepest directory: a reader without a lock may know of a depth that does
    /// not belong to the directory it looks at.
    region: Region,
    places: usize,
    taken: AtomicUsize,
}

impl SmallDirectories {
    /// Places for `places` of them.
    pub(crate) fn new(places: usize) -> Result<Self> {
        Ok(Self { region: Region::reserve(places * SMALL_BYTES + MOST_BYTES)?, places, taken: AtomicUsize::new(0) })
    }
}

/// Room for the deepest directory, physical only as far as it is used. Never unmapped while the cache lives, for
/// the sake of readers without a lock: a directory that is no longer needed is kept for the next index.
pub(crate) struct Directory {
    /// Where the slots are: at a small place, or in `own`.
    base: *mut u32,
    own: Region,
    /// The place of a small one, if there was one left.
    small: Option<*mut u32>,
    /// Keeps that place mapped.
    _shared: Arc<SmallDirectories>,
}

impl Directory {
    pub(crate) fn reserve(shared: &Arc<SmallDirectories>) -> Result<Self> {
        let own = Region::reserve(MOST_BYTES)?;
        let place = shared.taken.fetch_add(1, Ordering::Relaxed);
        // SAFETY: inside the region; no other directory has the place.
        let small =
            (place < shared.places).then(|| unsafe { shared.region.base().cast::<u32>().add(place * SMALL_SLOTS) });
        Ok(Self { base: small.unwrap_or(own.base().cast()), own, small, _shared: Arc::clone(shared) })
    }

    /// Begins again with the slots of an empty index.
    pub(super) fn renewed(mut self) -> Self {
        self.base = self.small.unwrap_or(self.own.base().cast());
        self
    }

    #[inline(always)]
    pub(super) fn base(&self) -> *mut u32 {
        self.base
    }

    /// Bytes that `slots` slots take, in whole pages unless they are few.
    pub(super) fn bytes(slots: usize) -> u64 {
        if slots <= SMALL_SLOTS { SMALL_BYTES as u64 } else { (4 * slots as u64).next_multiple_of(PAGE_BYTES as u64) }
    }

    #[inline(always)]
    pub(super) fn get(&self, slot: usize) -> u32 {
        debug_assert!(slot < 1 << MAX_DEPTH);
        // SAFETY: inside the region; aligned.
        unsafe { *self.base().add(slot) }
    }

    pub(super) fn set(&self, slot: usize, page: u32) {
        debug_assert!(slot < 1 << MAX_DEPTH);
        // SAFETY: inside the region; aligned. Only the shard that owns the index writes, under its lock.
        unsafe { self.base().add(slot).write_volatile(page) }
    }

    /// Spreads `len` slots over twice as many, each over two.
    pub(super) fn double(&mut self, len: usize) {
        let from = self.base;
        if 2 * len > SMALL_SLOTS {
            self.base = self.own.base().cast();
        }
        for slot in (0..len).rev() {
            // SAFETY: `len` slots are set; where they move, it is to the place of all.
            let page = unsafe { *from.add(slot) };
            self.set(2 * slot + 1, page);
            self.set(2 * slot, page);
        }
    }
}

// SAFETY: slots are written by the shard that owns the directory, under its lock.
unsafe impl Send for Directory {}
// SAFETY: as above; readers without the lock read them as volatile.
unsafe impl Sync for Directory {}
