//! Memory that a change of a collection may use.

use std::sync::Arc;

use crate::memory::{Block, Blocks};

/// Bytes set aside for a change before it begins, and what the change gave up. What it does not need returns when this is
/// dropped.
pub(crate) struct Allowance {
    blocks: Arc<Blocks>,
    left: u64,
    /// Blocks to be dropped outside the shard lock.
    freed: Vec<Arc<Block>>,
}

impl Allowance {
    /// For a change for which `charged` bytes have been charged already.
    pub(crate) fn new(blocks: Arc<Blocks>, charged: u64) -> Self {
        Self { blocks, left: charged, freed: Vec::new() }
    }

    /// Moves `bytes` from here to where they are used. More than was set aside is needed only to copy what a reader holds
    /// and while pieces are moved together; it is charged then without asking.
    pub(super) fn take(&mut self, bytes: u64) {
        let covered = bytes.min(self.left);
        self.left -= covered;
        if bytes > covered {
            self.blocks.budget().charge(bytes - covered);
        }
    }

    /// Makes a charge of `old` bytes one of `new`.
    pub(super) fn adjust(&mut self, old: u64, new: u64) {
        if new > old {
            self.take(new - old);
        } else {
            self.left += old - new;
        }
    }

    /// Leaves a block to be dropped outside the shard lock; its charge returns with it.
    pub(super) fn free_later(&mut self, block: Arc<Block>) {
        self.freed.push(block);
    }

    /// What the change gave up.
    pub(super) fn take_freed(&mut self) -> Vec<Arc<Block>> {
        std::mem::take(&mut self.freed)
    }

    pub(super) fn blocks(&self) -> &Arc<Blocks> {
        &self.blocks
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        self.blocks.budget().release(self.left);
    }
}
