//! Blocks of whole pages, for what is too large for the log or does not live in it.
//!
//! A block is a slot of its size class (four classes per doubling) in address space that belongs to that class.
//! Slots are virtual: only the pages that are used become memory, and they are given back when the block is dropped.
//! So there is no fragmentation to clean, and what a block charges is what it takes.

use std::sync::Arc;

use parking_lot::Mutex;

use super::budget::Budget;
use super::pages::PAGE_BYTES;
use super::region::Region;
use crate::error::Result;

/// Heap bytes per block for its reference count and slot.
const BOOKKEEPING_BYTES: u64 = 96;
const CLASS_COUNT: usize = 72;
/// Address space a class reserves at a time.
const CHUNK_BYTES: usize = 64 << 20;

/// The blocks of one cache.
pub(crate) struct Blocks {
    budget: Arc<Budget>,
    classes: [Mutex<Class>; CLASS_COUNT],
}

#[derive(Default)]
struct Class {
    /// Where slots that were never used begin: at `untouched` of the newest chunk.
    chunk: Option<Arc<Region>>,
    untouched: usize,
    free: Vec<Slot>,
}

#[derive(Clone)]
struct Slot {
    chunk: Arc<Region>,
    offset: usize,
}

/// Pages of the slots of class `class`.
fn class_pages(class: usize) -> usize {
    if class < 4 { class + 1 } else { (5 + class % 4) << (class / 4 - 1) }
}

/// Smallest class with slots of at least `pages` pages.
fn class_for(pages: usize) -> usize {
    (0..CLASS_COUNT).find(|&class| class_pages(class) >= pages).expect("values are below 256 MiB")
}

/// What a block charges of which `bytes` are used.
pub(crate) fn charge_for(bytes: usize) -> u64 {
    bytes.next_multiple_of(PAGE_BYTES) as u64 + BOOKKEEPING_BYTES
}

impl Blocks {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, classes: std::array::from_fn(|_| Mutex::default()) }
    }

    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// A block with room for `capacity` bytes of which `used` will be. The caller has charged [`charge_for`] of these; it is
    /// released with the block, also when this fails.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where the address space is used up.
    pub(crate) fn take(self: &Arc<Self>, capacity: usize, used: usize) -> Result<Block> {
        let class = class_for(capacity.max(1).div_ceil(PAGE_BYTES));
        match self.slot(class) {
            Ok(slot) => Ok(Block { blocks: Arc::clone(self), slot, class, used }),
            Err(error) => {
                self.budget.release(charge_for(used));
                Err(error)
            }
        }
    }

    fn slot(&self, class_index: usize) -> Result<Slot> {
        let slot_bytes = class_pages(class_index) * PAGE_BYTES;
        let mut class = self.classes[class_index].lock();
        if let Some(slot) = class.free.pop() {
            return Ok(slot);
        }
        let chunk = match &class.chunk {
            Some(chunk) if class.untouched + slot_bytes <= chunk.len() => Arc::clone(chunk),
            _ => {
                let chunk = Arc::new(Region::reserve(CHUNK_BYTES.max(slot_bytes))?);
                class.chunk = Some(Arc::clone(&chunk));
                class.untouched = 0;
                chunk
            }
        };
        let offset = class.untouched;
        class.untouched += slot_bytes;
        Ok(Slot { chunk, offset })
    }
}

/// Some pages of memory with one owner. Dropping it gives them back to the system: never under a shard lock.
pub(crate) struct Block {
    blocks: Arc<Blocks>,
    slot: Slot,
    class: usize,
    /// Bytes that are used, from the first one on; those behind them must not be touched.
    used: usize,
}

impl Block {
    /// The first byte.
    #[inline(always)]
    pub(crate) fn base(&self) -> *mut u8 {
        // SAFETY: the slot lies inside its chunk.
        unsafe { self.slot.chunk.base().add(self.slot.offset) }
    }

    /// Bytes that the block has room for.
    pub(crate) fn capacity(&self) -> usize {
        class_pages(self.class) * PAGE_BYTES
    }

    /// Bytes that are used.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// What this charges to the budget.
    pub(crate) fn charged(&self) -> u64 {
        charge_for(self.used)
    }

    /// Makes the first `used` bytes usable; the caller has charged what [`charge_for`] says is more.
    pub(crate) fn grow(&mut self, used: usize) {
        debug_assert!(used >= self.used && used <= self.capacity());
        self.used = used;
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: this was the last reference to the slot.
        unsafe { self.slot.chunk.decommit(self.slot.offset, self.used.next_multiple_of(PAGE_BYTES)) };
        self.blocks.classes[self.class].lock().free.push(self.slot.clone());
        self.blocks.budget.release(self.charged());
    }
}

// SAFETY: a block's bytes are changed only by who has it alone, and slots are disjoint.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_grow_by_a_quarter_at_most() {
        for class in 1..CLASS_COUNT {
            assert!(class_pages(class) > class_pages(class - 1));
            assert!(class < 4 || class_pages(class) * 4 <= class_pages(class - 1) * 5);
        }
        assert!(class_pages(CLASS_COUNT - 1) * PAGE_BYTES >= (1 << 28) + (1 << 16));
    }

    #[test]
    fn a_slot_is_used_again_and_reads_as_zeros() {
        let budget = Arc::new(Budget::new(1 << 30));
        let blocks = Arc::new(Blocks::new(Arc::clone(&budget)));
        budget.charge(charge_for(5_000));
        let mut first = blocks.take(20_000, 5_000).unwrap();
        assert!(first.capacity() >= 20_000);
        budget.charge(charge_for(9_000) - charge_for(5_000));
        first.grow(9_000);
        // SAFETY: 9,000 bytes are used.
        unsafe { first.base().add(8_999).write(7) };
        let base = first.base();
        drop(first);
        assert_eq!(budget.used(), 0);
        budget.charge(charge_for(9_000));
        let second = blocks.take(20_000, 9_000).unwrap();
        assert_eq!(second.base(), base);
        // SAFETY: as above.
        assert_eq!(unsafe { second.base().add(8_999).read() }, 0);
    }
}
