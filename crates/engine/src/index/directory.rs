//! The directory of an index: page numbers in a piece of address space of its own.

use crate::error::Result;
use crate::memory::Region;

use super::MAX_DEPTH;

/// Room for the deepest directory, physical only as far as it is used. Never unmapped while the cache lives, for
/// the sake of readers without a lock: a directory that is no longer needed is kept for the next index.
pub(crate) struct Directory(Region);

impl Directory {
    pub(crate) fn reserve() -> Result<Self> {
        Ok(Self(Region::reserve(size_of::<u32>() << MAX_DEPTH)?))
    }

    #[inline(always)]
    pub(super) fn base(&self) -> *mut u32 {
        self.0.base().cast()
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
    pub(super) fn double(&self, len: usize) {
        for slot in (0..len).rev() {
            let page = self.get(slot);
            self.set(2 * slot + 1, page);
            self.set(2 * slot, page);
        }
    }
}
