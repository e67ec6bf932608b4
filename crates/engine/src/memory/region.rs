//! A reserved piece of address space.

use memmap2::{MmapOptions, MmapRaw, UncheckedAdvice};

use crate::error::{Error, Result};

/// Private anonymous memory that is physical only where it was touched.
pub(crate) struct Region {
    map: MmapRaw,
}

impl Region {
    /// Reserves `bytes` of address space; no memory is used until it is written to.
    pub(crate) fn reserve(bytes: usize) -> Result<Self> {
        let map = MmapOptions::new()
            .len(bytes)
            .no_reserve_swap()
            .map_anon()
            .map_err(|error| Error::OutOfMemory { reason: format!("{bytes} bytes of address space: {error}") })?;
        Ok(Self { map: map.into() })
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// Gives the physical memory of a range back to the system; it reads as zeros afterwards.
    ///
    /// # Safety
    /// Nobody reads or writes the range during the call or relies on its content after it.
    pub(crate) unsafe fn decommit(&self, offset: usize, bytes: usize) {
        // SAFETY: the caller owns the range; the content of anonymous memory may be dropped.
        let _ = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, bytes) };
    }
}

/// Hints that the cache line at `address` will be read soon. Any address is allowed.
#[inline(always)]
pub(crate) fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Hints that the cache line at `address` will be written soon: it comes without being shared with the core that had it,
/// which saves the write a second way there. Any address is allowed.
#[inline(always)]
pub(crate) fn prefetch_to_write(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch never faults, and does nothing on processors that do not know this one. The intrinsic would need
    // a target feature to become this instruction.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    prefetch(address);
}
