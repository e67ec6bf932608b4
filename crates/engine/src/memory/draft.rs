//! Memory that a value is received into.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use super::blocks::{Block, Blocks};
use super::pages::PAGE_BYTES;
use crate::error::Result;

/// Bytes around a value that it may keep memory for: as many, or this part of it.
const WASTE_BYTES: usize = 3 * PAGE_BYTES;
const WASTE_PART: usize = 16;

/// Memory of a cache that somebody fills from the front, for [`Cache::set_received`](crate::Cache::set_received) to store a
/// value that is in it without a copy.
///
/// Memory is taken as it is filled, whatever the capacity. It does not count towards `max_bytes` until a value in it is
/// stored, so whoever fills drafts has to bound them.
pub struct Draft {
    block: Arc<Block>,
    filled: usize,
    /// Not for two threads at once: they could store values of it at the same moment.
    single: PhantomData<Cell<()>>,
}

impl Draft {
    pub(crate) fn new(blocks: &Arc<Blocks>, capacity: usize) -> Result<Self> {
        Ok(Self { block: Arc::new(blocks.take_for_value(capacity)?), filled: 0, single: PhantomData })
    }

    /// The bytes that were filled in.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the block is at least as long, has been mapped since it was made and changes only through `&mut self`.
        unsafe { std::slice::from_raw_parts(self.block.base(), self.filled) }
    }

    /// Bytes that can be filled in, those that were among them.
    pub fn capacity(&self) -> usize {
        self.block.capacity()
    }

    /// Bytes of memory that it has.
    pub fn memory(&self) -> usize {
        self.block.used().next_multiple_of(PAGE_BYTES)
    }

    /// Up to `limit` bytes behind those that were filled in, with anything in them. Whoever changes them says so with
    /// [`Draft::advance`]. There are none once a value of it is stored.
    pub fn room(&mut self, limit: usize) -> &mut [u8] {
        let room = if Arc::get_mut(&mut self.block).is_some() { self.capacity() - self.filled } else { 0 };
        // SAFETY: the bytes lie in the block, which nobody else has; they are mapped, so there is something in them.
        unsafe { std::slice::from_raw_parts_mut(self.block.base().add(self.filled), room.min(limit)) }
    }

    /// Notes that the first `count` bytes of [`Draft::room`] were filled in.
    ///
    /// # Panics
    /// Where there are not so many.
    pub fn advance(&mut self, count: usize) {
        let filled = self.filled + count;
        assert!(filled <= self.capacity(), "{count} bytes behind {} exceed {}", self.filled, self.capacity());
        if let Some(block) = Arc::get_mut(&mut self.block) {
            block.use_up_to(filled);
            self.filled = filled;
        }
    }

    /// Where `value` is in the block, if it can be stored as it is: it lies in it, alone or nearly so.
    pub(crate) fn place_of(&self, value: &[u8]) -> Option<(&Arc<Block>, Range<usize>)> {
        let start = (value.as_ptr() as usize).checked_sub(self.block.base() as usize)?;
        let end = start.checked_add(value.len())?;
        let waste = self.block.used().checked_sub(value.len())?;
        let fits = end <= self.filled && waste <= WASTE_BYTES.max(value.len() / WASTE_PART);
        (fits && Arc::strong_count(&self.block) == 1).then_some((&self.block, start..end))
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("filled", &self.filled).field("capacity", &self.capacity()).finish()
    }
}
