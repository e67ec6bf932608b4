//! A leaf of a table: some elements, and the memory they are charged for.

use std::sync::Arc;

use crate::memory::Budget;

/// What a leaf takes beside its elements: reference counts, fields, and the allocator's part for two blocks.
pub(super) const LEAF_BYTES: u64 = 88;
/// Leaves grow and shrink in steps of so many bytes.
pub(super) const STEP_BYTES: usize = 64;

/// Bytes set aside for a change before it begins. What it does not need returns when this is dropped.
pub(crate) struct Allowance {
    budget: Arc<Budget>,
    left: u64,
}

impl Allowance {
    /// For a change for which `charged` bytes have been charged to `budget` already.
    pub(crate) fn new(budget: Arc<Budget>, charged: u64) -> Self {
        Self { budget, left: charged }
    }

    /// Moves `bytes` from here to where they are used. More than was set aside is needed only to copy a leaf that
    /// a reader holds; it is charged then without asking.
    fn take(&mut self, bytes: u64) {
        let covered = bytes.min(self.left);
        self.left -= covered;
        if bytes > covered {
            self.budget.charge(bytes - covered);
        }
    }

    /// Takes `bytes` back that are no longer used.
    fn give(&mut self, bytes: u64) {
        self.left += bytes;
    }

    /// Makes a charge of `old` bytes one of `new`.
    pub(super) fn adjust(&mut self, old: u64, new: u64) {
        if new > old {
            self.take(new - old);
        } else {
            self.give(old - new);
        }
    }

    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        self.budget.release(self.left);
    }
}

/// Some elements, one after the other. Its charge returns with it.
pub(super) struct Leaf {
    bytes: Vec<u8>,
    /// What is charged for it.
    charged: u64,
    budget: Arc<Budget>,
}

impl Leaf {
    /// A leaf with these elements.
    pub(super) fn new(mut bytes: Vec<u8>, allowance: &mut Allowance) -> Self {
        fit(&mut bytes);
        let charged = LEAF_BYTES + bytes.capacity() as u64;
        allowance.take(charged);
        Self { bytes, charged, budget: Arc::clone(allowance.budget()) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn charged(&self) -> u64 {
        self.charged
    }

    /// Changes the elements, which may grow by `growth` bytes.
    pub(super) fn edit<T>(
        &mut self,
        growth: usize,
        allowance: &mut Allowance,
        change: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> T {
        let spare = self.bytes.capacity() - self.bytes.len();
        if growth > spare {
            self.bytes.reserve_exact((self.bytes.len() + growth).next_multiple_of(STEP_BYTES) - self.bytes.len());
        }
        let answer = change(&mut self.bytes);
        fit(&mut self.bytes);
        let charged = LEAF_BYTES + self.bytes.capacity() as u64;
        allowance.adjust(self.charged, charged);
        self.charged = charged;
        answer
    }

    /// Takes the elements out and the charge back.
    pub(super) fn dissolve(mut self, allowance: &mut Allowance) -> Vec<u8> {
        allowance.give(self.charged);
        self.charged = 0;
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        self.budget.release(self.charged);
    }
}

/// Gives back what is more than a step too much.
fn fit(bytes: &mut Vec<u8>) {
    let wanted = bytes.len().next_multiple_of(STEP_BYTES);
    if bytes.capacity() > wanted + STEP_BYTES {
        bytes.shrink_to(wanted);
    }
}
