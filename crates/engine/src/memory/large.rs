//! Values that are too large for a segment.
//!
//! A value gets a slot of its size class (four classes per doubling) in address space that belongs to that
//! class. Slots are virtual: only the pages a value really covers become memory, and they are given back when
//! the last reference goes. So there is no fragmentation to clean, and a value lies in one piece, ready to be
//! sent without a copy.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use super::budget::Budget;
use super::pages::PAGE_BYTES;
use super::region::Region;
use crate::collection::Table;
use crate::error::Result;

/// Heap bytes per value for its reference count and slot.
const BOOKKEEPING_BYTES: u64 = 96;
const CLASS_COUNT: usize = 72;
/// Address space a class reserves at a time.
const CHUNK_BYTES: usize = 64 << 20;
/// Leaves of a collection that are freed at once: tens of microseconds.
const LEAVES_A_STEP: usize = 256;

/// Slots for large values of one cache, and what is left of large collections that went.
pub(crate) struct LargeSpace {
    budget: Arc<Budget>,
    classes: [Mutex<Class>; CLASS_COUNT],
    graves: Mutex<VecDeque<Table>>,
    /// How many they are, to be asked without the lock.
    grave_count: AtomicUsize,
}

#[derive(Default)]
struct Class {
    chunks: Vec<Region>,
    free: Vec<Slot>,
    untouched: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    chunk: u32,
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

/// What storing `bytes` as a large value charges to the budget.
pub(crate) fn charge_for(bytes: usize) -> u64 {
    (bytes.div_ceil(PAGE_BYTES) * PAGE_BYTES) as u64 + BOOKKEEPING_BYTES
}

impl LargeSpace {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self {
            budget,
            classes: std::array::from_fn(|_| Mutex::default()),
            graves: Mutex::default(),
            grave_count: AtomicUsize::new(0),
        }
    }

    /// A copy of `parts`, one after the other. The caller has charged [`LargeSpace::charge_for`] of their length;
    /// it is released with the value, also when this fails.
    pub(crate) fn store(self: &Arc<Self>, parts: &[&[u8]]) -> Result<LargeBytes> {
        let len = parts.iter().map(|part| part.len()).sum();
        let class_index = class_for(usize::max(len, 1).div_ceil(PAGE_BYTES));
        let (slot, base) = match self.slot(class_index) {
            Ok(found) => found,
            Err(error) => {
                self.budget.release(charge_for(len));
                return Err(error);
            }
        };
        let mut at = base;
        for part in parts {
            // SAFETY: the slot was just taken and holds at least `len` bytes.
            unsafe {
                std::ptr::copy_nonoverlapping(part.as_ptr(), at, part.len());
                at = at.add(part.len());
            }
        }
        let value = Value { base, len, class: class_index as u32, slot };
        Ok(LargeBytes { space: Arc::clone(self), content: Content::Value(value) })
    }

    /// A collection, with the key in front where it is long. The table has charged for itself.
    pub(crate) fn keep(self: &Arc<Self>, key: &[u8], table: Table) -> LargeBytes {
        let own = BOOKKEEPING_BYTES + key.len() as u64;
        self.budget.charge(own);
        let charged = AtomicU64::new(own + table.charged());
        let content = Collection { key: key.into(), own, charged, table: Mutex::new(Some(table)) };
        LargeBytes { space: Arc::clone(self), content: Content::Collection(content) }
    }

    /// Frees a part of the collections that went, if there is any.
    #[inline(always)]
    pub(crate) fn bury_some(&self) -> bool {
        self.grave_count.load(Ordering::Relaxed) > 0 && self.bury_some_leaves()
    }

    #[cold]
    fn bury_some_leaves(&self) -> bool {
        let mut graves = self.graves.lock();
        let Some(table) = graves.front_mut() else { return false };
        if table.free_some(LEAVES_A_STEP) {
            graves.pop_front();
            self.grave_count.store(graves.len(), Ordering::Relaxed);
        }
        true
    }

    /// See [`charge_for`].
    pub(crate) fn charge_for(bytes: usize) -> u64 {
        charge_for(bytes)
    }

    fn slot(&self, class_index: usize) -> Result<(Slot, *mut u8)> {
        let slot_bytes = class_pages(class_index) * PAGE_BYTES;
        let mut class = self.classes[class_index].lock();
        let slot = if let Some(slot) = class.free.pop() {
            slot
        } else {
            let room = class.chunks.last().map_or(0, Region::len);
            if class.untouched + slot_bytes > room {
                class.chunks.push(Region::reserve(CHUNK_BYTES.max(slot_bytes))?);
                class.untouched = 0;
            }
            let slot = Slot { chunk: class.chunks.len() as u32 - 1, offset: class.untouched };
            class.untouched += slot_bytes;
            slot
        };
        // SAFETY: the slot lies inside its chunk.
        let base = unsafe { class.chunks[slot.chunk as usize].base().add(slot.offset) };
        Ok((slot, base))
    }
}

/// What lies outside the log: an immutable value, or a collection. Dropping it gives its memory back: never under a shard
/// lock.
pub(crate) struct LargeBytes {
    space: Arc<LargeSpace>,
    content: Content,
}

enum Content {
    Value(Value),
    Collection(Collection),
}

struct Value {
    base: *mut u8,
    len: usize,
    class: u32,
    slot: Slot,
}

struct Collection {
    /// The key, where it is too long for the record.
    key: Box<[u8]>,
    /// What is charged beside the table.
    own: u64,
    /// What the collection charges as the log has counted it: the table may be changing.
    charged: AtomicU64,
    /// Changed under the shard lock only; readers hold this lock for a look at a leaf. `None` while it is dropped.
    table: Mutex<Option<Table>>,
}

impl LargeBytes {
    /// The bytes: of a collection, those of its long key.
    pub(crate) fn as_slice(&self) -> &[u8] {
        match &self.content {
            // SAFETY: the slot is owned by this value and was filled with `len` bytes when it was made.
            Content::Value(value) => unsafe { std::slice::from_raw_parts(value.base, value.len) },
            Content::Collection(collection) => &collection.key,
        }
    }

    /// What this charges to the budget.
    pub(crate) fn charged(&self) -> u64 {
        match &self.content {
            Content::Value(value) => charge_for(value.len),
            Content::Collection(collection) => collection.charged.load(Ordering::Relaxed),
        }
    }

    /// Makes `table_charge` what the collection's table is known to charge. The log must not count it meanwhile.
    pub(crate) fn recharge(&self, table_charge: u64) {
        if let Content::Collection(collection) = &self.content {
            collection.charged.store(collection.own + table_charge, Ordering::Relaxed);
        }
    }

    /// The table of a collection.
    pub(crate) fn table(&self) -> Option<MappedMutexGuard<'_, Table>> {
        match &self.content {
            Content::Value(_) => None,
            Content::Collection(collection) => MutexGuard::try_map(collection.table.lock(), Option::as_mut).ok(),
        }
    }
}

impl std::fmt::Debug for LargeBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LargeBytes").field("charged", &self.charged()).finish_non_exhaustive()
    }
}

impl Drop for LargeBytes {
    fn drop(&mut self) {
        match &mut self.content {
            Content::Value(value) => {
                let mut class = self.space.classes[value.class as usize].lock();
                // SAFETY: this was the last reference to the slot.
                unsafe {
                    class.chunks[value.slot.chunk as usize]
                        .decommit(value.slot.offset, value.len.div_ceil(PAGE_BYTES) * PAGE_BYTES);
                }
                class.free.push(value.slot);
                drop(class);
                self.space.budget.release(charge_for(value.len));
            }
            Content::Collection(collection) => {
                self.space.budget.release(collection.own);
                if let Some(table) = collection.table.get_mut().take_if(|table| table.leaves() > LEAVES_A_STEP) {
                    let mut graves = self.space.graves.lock();
                    graves.push_back(table);
                    self.space.grave_count.store(graves.len(), Ordering::Relaxed);
                }
            }
        }
    }
}

// SAFETY: the slot's bytes are immutable after `store`, and it is returned under a lock.
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}
// SAFETY: regions are only handed out in disjoint slots, under the class lock.
unsafe impl Send for LargeSpace {}
// SAFETY: as above.
unsafe impl Sync for LargeSpace {}

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
    fn the_charge_returns_with_the_last_reference() {
        let budget = Arc::new(Budget::new(1 << 30));
        let space = Arc::new(LargeSpace::new(Arc::clone(&budget)));
        budget.charge(charge_for(70_003));
        let value = Arc::new(space.store(&[b"abc", &[7; 70_000]]).unwrap());
        let second = Arc::clone(&value);
        drop(value);
        assert_eq!(&second.as_slice()[..4], b"abc\x07");
        assert_eq!(budget.used(), charge_for(70_003));
        drop(second);
        assert_eq!(budget.used(), 0);
    }
}
