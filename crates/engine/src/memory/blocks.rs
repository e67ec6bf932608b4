//! Blocks of whole pages, for what is too large for the log or does not live in it.
//!
//! A block is a slot of its size class (four classes per doubling) in address space that belongs to that class.
//! Slots are virtual: only the pages that are used become memory, and they are given back when the block is dropped.
//! So there is no fragmentation to clean, and what a block charges is what it takes. Blocks of values are the exception:
//! while values are being written, some keep their memory, and their charge, for the next value (see [`Warmth`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::budget::Budget;
use super::pages::PAGE_BYTES;
use super::region::Region;
use super::warm::Warmth;
use crate::error::Result;

/// Heap bytes per block for its reference count and slot.
const BOOKKEEPING_BYTES: u64 = 96;
const CLASS_COUNT: usize = 72;
/// Address space a class reserves at a time.
const CHUNK_BYTES: usize = 64 << 20;
/// Bytes of kept blocks that are given back at once: tens of microseconds.
const COOL_A_STEP: u64 = 512 << 10;

/// The blocks of one cache.
pub(crate) struct Blocks {
    budget: Arc<Budget>,
    classes: [Mutex<Class>; CLASS_COUNT],
    warmth: Warmth,
}

#[derive(Default)]
struct Class {
    /// Where slots that were never used begin: at `untouched` of the newest chunk.
    chunk: Option<Arc<Region>>,
    untouched: usize,
    free: Vec<Slot>,
    /// Free ones that still have memory: bytes of it, whole pages.
    warm: Vec<(Slot, usize)>,
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
        Self { budget, classes: std::array::from_fn(|_| Mutex::default()), warmth: Warmth::new() }
    }

    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// A zeroed block with room for `capacity` bytes of which `used` will be. The caller has charged [`charge_for`] of these; it is
    /// released with the block, also when this fails.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where the address space is used up.
    pub(crate) fn take(self: &Arc<Self>, capacity: usize, used: usize) -> Result<Block> {
        let class = class_for(capacity.max(1).div_ceil(PAGE_BYTES));
        match self.slot(class) {
            Ok(slot) => {
                let charged = AtomicU64::new(charge_for(used));
                Ok(Block { blocks: Arc::clone(self), slot, class, used, charged, is_for_value: false })
            }
            Err(error) => {
                self.budget.release(charge_for(used));
                Err(error)
            }
        }
    }

    /// A block with room for `capacity` bytes of a value. It may have memory already, with anything in it, and then is
    /// charged for that; what is [owed](Block::owed) for more of it is to be charged before the value is stored.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] where the address space is used up.
    pub(crate) fn take_for_value(self: &Arc<Self>, capacity: usize) -> Result<Block> {
        let pages = capacity.max(1).div_ceil(PAGE_BYTES);
        let class = class_for(pages);
        self.warmth.note_write();
        let block = |slot, used, charged| Block {
            blocks: Arc::clone(self),
            slot,
            class,
            used,
            charged: AtomicU64::new(charged),
            is_for_value: true,
        };
        let Some((slot, bytes)) = self.take_warm(class) else { return Ok(block(self.slot(class)?, 0, 0)) };
        // Lengths that differ by a page at times should not cost a call each time.
        let used = if bytes > (pages + 1) * PAGE_BYTES { pages * PAGE_BYTES } else { bytes };
        if used < bytes {
            // SAFETY: the slot was free, and nobody has it yet.
            unsafe { slot.chunk.decommit(slot.offset + used, bytes - used) };
            self.budget.release((bytes - used) as u64);
        }
        Ok(block(slot, used, charge_for(used)))
    }

    /// A free slot of `class` that still has memory, which is charged.
    fn take_warm(&self, class: usize) -> Option<(Slot, usize)> {
        let (slot, bytes) = self.classes[class].lock().warm.pop()?;
        self.warmth.take(charge_for(bytes));
        Some((slot, bytes))
    }

    /// Takes back the slot of a value, with its memory if that is likely to be of use soon.
    fn take_back(&self, class: usize, slot: &Slot, used: usize, charged: u64) {
        let bytes = used.next_multiple_of(PAGE_BYTES);
        let charge = charge_for(bytes);
        let is_kept = used > 0
            && self.warmth.wants(charge, &self.budget)
            && (charged >= charge || self.budget.try_charge(charge - charged, 0));
        if is_kept {
            self.warmth.add(charge);
            self.classes[class].lock().warm.push((slot.clone(), bytes));
        } else {
            self.give_back(class, slot.clone(), bytes, charged);
        }
    }

    /// Gives the memory of a slot that nobody has back to the system.
    fn give_back(&self, class: usize, slot: Slot, bytes: usize, charged: u64) {
        if bytes > 0 {
            // SAFETY: nobody has the slot.
            unsafe { slot.chunk.decommit(slot.offset, bytes) };
        }
        self.classes[class].lock().free.push(slot);
        self.budget.release(charged);
    }

    /// What is worth keeping of values that went, for others that charge so much each, where there is no room for more.
    pub(crate) fn warm_goal(&self, charge: u64) -> u64 {
        Warmth::goal(charge, &self.budget)
    }

    /// What is kept of values that went.
    pub(crate) fn warm_bytes(&self) -> u64 {
        self.warmth.bytes()
    }

    /// Gives back some of what is kept of values that went, if that is more than `goal`. False if it is not.
    pub(crate) fn cool(&self, goal: u64) -> bool {
        let mut given = 0;
        for class in (0..CLASS_COUNT).rev() {
            while self.warm_bytes() > goal && given < COOL_A_STEP {
                let Some((slot, bytes)) = self.take_warm(class) else { break };
                self.give_back(class, slot, bytes, charge_for(bytes));
                given += charge_for(bytes);
            }
        }
        given > 0
    }

    /// Gives back some of what is kept of values that went, once none has been written for a while. False if there is
    /// nothing to do.
    pub(crate) fn cool_down(&self) -> bool {
        self.warm_bytes() > 0 && !self.warmth.expects_more() && self.cool(0)
    }

    /// Gives back all that is kept of values that went, and keeps none until the next one is written.
    pub(crate) fn cool_now(&self) {
        self.warmth.forget();
        while self.cool(0) {}
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

/// Some pages of memory with one owner. Dropping it may give them back to the system: never under a shard lock.
pub(crate) struct Block {
    blocks: Arc<Blocks>,
    slot: Slot,
    class: usize,
    /// Bytes that are used, from the first one on; those behind them must not be touched.
    used: usize,
    /// What is charged for it.
    charged: AtomicU64,
    is_for_value: bool,
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
        self.charged.load(Ordering::Relaxed)
    }

    /// What is to be charged yet for the bytes that are used.
    pub(crate) fn owed(&self) -> u64 {
        charge_for(self.used).saturating_sub(self.charged())
    }

    /// Notes that what was [owed](Block::owed) has been charged.
    pub(crate) fn note_paid(&self) {
        self.charged.fetch_add(self.owed(), Ordering::Relaxed);
    }

    /// Makes at least the first `used` bytes usable; see [`Block::owed`].
    pub(crate) fn use_up_to(&mut self, used: usize) {
        debug_assert!(used <= self.capacity());
        self.used = self.used.max(used);
    }

    /// Makes the first `used` bytes usable; the caller has charged what [`charge_for`] says is more.
    pub(crate) fn grow(&mut self, used: usize) {
        debug_assert!(used >= self.used && used <= self.capacity());
        self.used = used;
        *self.charged.get_mut() = charge_for(used);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let charged = *self.charged.get_mut();
        if self.is_for_value {
            self.blocks.take_back(self.class, &self.slot, self.used, charged);
        } else {
            let bytes = self.used.next_multiple_of(PAGE_BYTES);
            self.blocks.give_back(self.class, self.slot.clone(), bytes, charged);
        }
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
