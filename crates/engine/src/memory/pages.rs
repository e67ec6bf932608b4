//! 4 KiB pages for the index.

use std::sync::Arc;

use parking_lot::Mutex;

use super::budget::Budget;
use super::region::Region;
use crate::error::Result;

/// Bytes of an index page.
pub(crate) const PAGE_BYTES: usize = 4096;

/// Hands out zeroed pages of one reserved region, addressed by number.
pub(crate) struct Pages {
    region: Region,
    budget: Arc<Budget>,
    state: Mutex<State>,
}

struct State {
    free: Vec<u32>,
    untouched: u32,
}

impl Pages {
    /// Reserves address space for `limit` pages.
    pub(crate) fn new(limit: usize, budget: Arc<Budget>) -> Result<Self> {
        let region = Region::reserve(limit * PAGE_BYTES)?;
        Ok(Self { region, budget, state: Mutex::new(State { free: Vec::new(), untouched: 0 }) })
    }

    /// First byte of the page `number`.
    #[inline(always)]
    pub(crate) fn address(&self, number: u32) -> *mut u8 {
        // SAFETY: numbers come from `take`, which keeps them inside the region.
        unsafe { self.region.base().add(number as usize * PAGE_BYTES) }
    }

    /// A zeroed page, charged to the budget; `None` if that has no room.
    pub(crate) fn take(&self) -> Option<u32> {
        if !self.budget.try_charge(PAGE_BYTES as u64, 0) {
            return None;
        }
        self.take_charged()
    }

    /// A zeroed page for what cannot wait for room: the first page of an index. May exceed the bound by a page
    /// until the next write. `None` only where the address space is used up.
    pub(crate) fn take_anyway(&self) -> Option<u32> {
        self.budget.charge(PAGE_BYTES as u64);
        self.take_charged()
    }

    fn take_charged(&self) -> Option<u32> {
        let mut state = self.state.lock();
        if let Some(number) = state.free.pop() {
            return Some(number);
        }
        if (state.untouched as usize + 1) * PAGE_BYTES > self.region.len() {
            self.budget.release(PAGE_BYTES as u64);
            return None;
        }
        state.untouched += 1;
        Some(state.untouched - 1)
    }
}

/// A page whose owner has given it up. It goes back to the system, and out of the budget, when this is dropped: not under a
/// shard lock.
pub(crate) struct FreePage {
    pages: Arc<Pages>,
    number: u32,
}

impl FreePage {
    /// Takes a page back. The caller must not touch it any more.
    pub(crate) fn new(pages: &Arc<Pages>, number: u32) -> Self {
        Self { pages: Arc::clone(pages), number }
    }
}

impl Drop for FreePage {
    fn drop(&mut self) {
        let pages = &*self.pages;
        // SAFETY: the page was taken and its owner has given it up.
        unsafe { pages.region.decommit(self.number as usize * PAGE_BYTES, PAGE_BYTES) };
        pages.state.lock().free.push(self.number);
        pages.budget.release(PAGE_BYTES as u64);
    }
}

// SAFETY: a page is touched only by the one who took it; the rest is behind a lock.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}
