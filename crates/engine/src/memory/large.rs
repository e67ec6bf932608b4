//! Entries that are too large for a segment: values in a block of their own, and collections.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use super::blocks::{self, Block, Blocks};
use super::budget::Budget;
use crate::collection::Table;

/// Heap bytes of a collection beside its table.
const COLLECTION_BYTES: u64 = 96;
/// Pages and blocks that are given back at once: tens of microseconds.
const PAGES_A_STEP: usize = 64;
const BLOCKS_A_STEP: usize = 16;

/// The blocks of one cache, and what is left of large collections that went.
pub(crate) struct LargeSpace {
    blocks: Arc<Blocks>,
    graves: Mutex<VecDeque<Table>>,
    /// How many they are, to be asked without the lock.
    grave_count: AtomicUsize,
}

impl LargeSpace {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { blocks: Arc::new(Blocks::new(budget)), graves: Mutex::default(), grave_count: AtomicUsize::new(0) }
    }

    pub(crate) fn blocks(&self) -> &Arc<Blocks> {
        &self.blocks
    }

    /// A value made of `parts`, one after the other, in `block`, which is paid for and has room for them.
    pub(crate) fn store(self: &Arc<Self>, block: Block, parts: &[&[u8]]) -> LargeBytes {
        let len = parts.iter().map(|part| part.len()).sum();
        assert!(len <= block.used(), "the block is for less");
        let mut at = block.base();
        for part in parts {
            // SAFETY: `len` bytes of the block are used, and nobody else has it.
            unsafe {
                std::ptr::copy_nonoverlapping(part.as_ptr(), at, part.len());
                at = at.add(part.len());
            }
        }
        self.adopt(Arc::new(block), 0..len)
    }

    /// The value that is in those bytes of `block`, which is paid for. Nobody changes them any more.
    pub(crate) fn adopt(self: &Arc<Self>, block: Arc<Block>, bytes: Range<usize>) -> LargeBytes {
        assert!(bytes.start <= bytes.end && bytes.end <= block.used(), "the value is in the block");
        LargeBytes { space: Arc::clone(self), content: Content::Value(block, bytes) }
    }

    /// A collection, with the key in front where it is long. The table has charged for itself.
    pub(crate) fn keep(self: &Arc<Self>, key: &[u8], table: Table) -> LargeBytes {
        let own = COLLECTION_BYTES + key.len() as u64;
        self.blocks.budget().charge(own);
        let charged = AtomicU64::new(own + table.charged());
        let content = Collection { key: key.into(), own, charged, table: Mutex::new(Some(table)) };
        LargeBytes { space: Arc::clone(self), content: Content::Collection(Box::new(content)) }
    }

    /// Whether something is left of collections that went.
    #[inline(always)]
    pub(crate) fn has_graves(&self) -> bool {
        self.grave_count.load(Ordering::Relaxed) > 0
    }

    /// A part of what is left of collections that went, to be dropped; nothing where nothing is.
    #[cold]
    pub(crate) fn exhume(&self) -> Vec<Arc<Block>> {
        let mut graves = self.graves.lock();
        let (mut taken, mut pages) = (Vec::new(), 0);
        while let Some(table) = graves.front_mut() {
            while taken.len() < BLOCKS_A_STEP
                && pages < PAGES_A_STEP
                && let Some(block) = table.take_block()
            {
                pages += block.used().div_ceil(super::PAGE_BYTES);
                taken.push(block);
            }
            if !table.has_blocks() {
                graves.pop_front();
            }
            if !taken.is_empty() {
                break;
            }
        }
        self.grave_count.store(graves.len(), Ordering::Relaxed);
        taken
    }

    /// See [`blocks::charge_for`].
    pub(crate) fn charge_for(bytes: usize) -> u64 {
        blocks::charge_for(bytes)
    }
}

/// What lies outside the log: an immutable value, or a collection. Dropping it gives its memory back: never under a shard
/// lock.
pub(crate) struct LargeBytes {
    space: Arc<LargeSpace>,
    content: Content,
}

enum Content {
    /// A block, and where in it the value is.
    Value(Arc<Block>, Range<usize>),
    Collection(Box<Collection>),
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
            // SAFETY: these bytes of the block are used, and have not changed since the value was made.
            Content::Value(block, bytes) => unsafe {
                std::slice::from_raw_parts(block.base().add(bytes.start), bytes.len())
            },
            Content::Collection(collection) => &collection.key,
        }
    }

    /// What this charges to the budget.
    pub(crate) fn charged(&self) -> u64 {
        match &self.content {
            Content::Value(block, _) => block.charged(),
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
            Content::Value(..) => None,
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
        if let Content::Collection(collection) = &mut self.content {
            self.space.blocks.budget().release(collection.own);
            // Larger ones are freed in steps by the background work and by whoever needs room.
            if let Some(table) = collection.table.get_mut().take_if(|table| table.pages() > PAGES_A_STEP) {
                let mut graves = self.space.graves.lock();
                graves.push_back(table);
                self.space.grave_count.store(graves.len(), Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charge_returns_with_the_last_reference() {
        let budget = Arc::new(Budget::new(1 << 30));
        let space = Arc::new(LargeSpace::new(Arc::clone(&budget)));
        let mut block = space.blocks().take_for_value(70_003).unwrap();
        block.use_up_to(70_003);
        budget.charge(block.owed());
        block.note_paid();
        let value = Arc::new(space.store(block, &[b"abc", &[7; 70_000]]));
        let second = Arc::clone(&value);
        drop(value);
        assert_eq!(&second.as_slice()[..4], b"abc\x07");
        assert_eq!(budget.used(), LargeSpace::charge_for(70_003));
        space.blocks().cool_now();
        drop(second);
        assert_eq!(budget.used(), 0);
    }
}
