//! One cache line of the index.

/// Entries of a bucket.
pub(super) const SLOTS: usize = 12;

/// Twelve tags, a count of entries that had to go further, and twelve record addresses: 64 bytes, so that one
/// cache line decides a miss. A tag of 0 marks a free slot.
#[repr(C, align(64))]
pub(super) struct Bucket {
    tags: [u8; SLOTS],
    /// Entries whose home is this bucket or an earlier one and that lie in a later one. A search ends at 0.
    /// At 255 it stays there for ever, which costs a longer search and nothing else.
    pub(super) overflow: u8,
    /// Page-wide counters kept in the spare bytes of the page's first buckets.
    pub(super) spare: [u8; 3],
    pub(super) addresses: [u32; SLOTS],
}

impl Bucket {
    /// Bit mask of the slots with this tag.
    #[inline(always)]
    pub(super) fn matching(&self, tag: u8) -> u32 {
        // SAFETY: a reference is a bucket.
        unsafe { Self::matching_at(self, tag) }
    }

    /// [`Bucket::matching`] for a bucket that another thread may be changing: each byte is loaded once, and no
    /// reference is made.
    ///
    /// # Safety
    /// `bucket` is aligned and mapped.
    #[inline(always)]
    pub(super) unsafe fn matching_at(bucket: *const Self, tag: u8) -> u32 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: SSE2 is part of x86-64; the 16 bytes read are the first 16 of the 64 of this bucket.
        unsafe {
            use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set1_epi8};
            let tags = bucket.cast::<__m128i>().read_volatile();
            _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(tag.cast_signed()))).cast_unsigned() & 0xfff
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            // SAFETY: the caller says so.
            let tags = unsafe { (&raw const (*bucket).tags).read_volatile() };
            tags.iter().enumerate().fold(0, |mask, (slot, &found)| mask | u32::from(found == tag) << slot)
        }
    }

    /// The address in `slot`, loaded once.
    ///
    /// # Safety
    /// As for [`Bucket::matching_at`], and `slot` is below [`SLOTS`].
    #[inline(always)]
    pub(super) unsafe fn address_at(bucket: *const Self, slot: usize) -> u32 {
        // SAFETY: the caller says so.
        unsafe { (&raw const (*bucket).addresses).cast::<u32>().add(slot).read_volatile() }
    }

    /// Whether a search ends with this bucket, loaded once.
    ///
    /// # Safety
    /// As for [`Bucket::matching_at`].
    #[inline(always)]
    pub(super) unsafe fn is_last_at(bucket: *const Self) -> bool {
        // SAFETY: the caller says so.
        unsafe { (&raw const (*bucket).overflow).read_volatile() == 0 }
    }

    #[inline(always)]
    pub(super) fn tag(&self, slot: usize) -> u8 {
        self.tags[slot]
    }

    /// Puts an entry into a free slot; false if there is none.
    pub(super) fn put(&mut self, tag: u8, address: u32) -> bool {
        let free = self.matching(0);
        if free == 0 {
            return false;
        }
        let slot = free.trailing_zeros() as usize;
        self.tags[slot] = tag;
        self.addresses[slot] = address;
        true
    }

    pub(super) fn clear(&mut self, slot: usize) {
        self.tags[slot] = 0;
    }
}
