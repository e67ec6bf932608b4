//! The pool of log segments.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::budget::Budget;
use super::region::Region;
use crate::error::{Error, Result};

/// "No segment" and "no record".
pub(crate) const NONE: u32 = u32::MAX;

/// What a segment is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// New data: leaves the cleaner's reserve alone.
    Append,
    /// Moving live records, which frees more than it takes: may use the reserve.
    Relocate,
}

/// Bookkeeping of one segment. Belongs to the shard that took the segment, under that shard's lock; on a cache line of
/// its own, because its neighbours belong to other shards.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Segment {
    /// Neighbours in the queue: towards the newest, towards the oldest.
    pub(crate) newer: u32,
    pub(crate) older: u32,
    /// Records before this byte offset are gone.
    pub(crate) start: u32,
    /// The next record goes here.
    pub(crate) end: u32,
    /// Bytes of live records.
    pub(crate) live: u32,
    /// Live records whose value is a large one.
    pub(crate) large: u32,
    /// Queue the segment is part of.
    pub(crate) queue: u8,
    /// No record in it expires before this, in ms since the epoch.
    pub(crate) next_deadline: u64,
}

impl Segment {
    pub(crate) const EMPTY: Self =
        Self { newer: NONE, older: NONE, start: 0, end: 0, live: 0, large: 0, queue: 0, next_deadline: u64::MAX };
}

/// Fixed-size segments of one reserved region, shared by all shards.
pub(crate) struct Segments {
    region: Region,
    /// An entry per segment, valid from the first `take` on; memory is touched only for segments that were used.
    table: Region,
    count: u32,
    budget: Arc<Budget>,
    segment_bytes: u32,
    segment_shift: u32,
    /// log2 of the granule: record addresses count granules, so 32 bits reach 16 GiB and more.
    granule_shift: u32,
    reserve_bytes: u64,
    state: Mutex<State>,
    free_count: AtomicU64,
}

/// log2 of the smallest granule, from 4 bytes on, with which 32 bits reach `bytes`.
fn granule_shift(bytes: u64) -> u32 {
    (2..).find(|shift| bytes >> shift < u64::from(NONE)).expect("64 bits are few")
}

struct State {
    /// Touched and charged, ready for reuse.
    free: Vec<u32>,
    /// Given back to the system; not charged.
    decommitted: Vec<u32>,
    /// Never touched from here on.
    untouched: u32,
}

impl Segments {
    /// Reserves `region_bytes` of address space in segments of `segment_bytes` (a power of two).
    pub(crate) fn new(
        region_bytes: u64,
        segment_bytes: u32,
        reserve_segments: u32,
        budget: Arc<Budget>,
    ) -> Result<Self> {
        let count = region_bytes.div_ceil(u64::from(segment_bytes));
        let bytes = usize::try_from(count * u64::from(segment_bytes)).map_err(|_| Error::BadOption {
            option: "maxBytes",
            reason: format!("{region_bytes} bytes do not fit this machine's address space"),
        })?;
        Ok(Self {
            region: Region::reserve(bytes)?,
            table: Region::reserve(count as usize * size_of::<Segment>())?,
            count: count as u32,
            budget,
            segment_bytes,
            segment_shift: segment_bytes.trailing_zeros(),
            granule_shift: granule_shift(bytes as u64),
            reserve_bytes: u64::from(reserve_segments) * u64::from(segment_bytes),
            state: Mutex::new(State { free: Vec::new(), decommitted: Vec::new(), untouched: 0 }),
            free_count: AtomicU64::new(0),
        })
    }

    /// Bytes that records of a cache of `max_bytes` can be addressed in, up to one segment less than that: the tables
    /// take more.
    pub(crate) fn addressable(max_bytes: u64, segment_bytes: u32) -> u64 {
        let segment_bytes = u64::from(segment_bytes);
        let segments = (u64::from(NONE) << granule_shift(max_bytes - segment_bytes)) / segment_bytes;
        segments * segment_bytes
    }

    /// Bytes of a segment.
    pub(crate) fn segment_bytes(&self) -> u32 {
        self.segment_bytes
    }

    /// Bytes a record's size is rounded up to.
    pub(crate) fn granule(&self) -> u32 {
        1 << self.granule_shift
    }

    /// Bytes that new data may not take.
    pub(crate) fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
    }

    /// Address space in bytes: the largest bound a resize can set.
    pub(crate) fn region_bytes(&self) -> u64 {
        self.region.len() as u64
    }

    /// Heap bytes of the pool's own bookkeeping for `segments` segments.
    pub(crate) fn table_bytes(segments: u64) -> u64 {
        segments * (size_of::<Segment>() as u64 + 8)
    }

    /// Charged bytes in free segments.
    pub(crate) fn free_bytes(&self) -> u64 {
        self.free_count.load(Ordering::Relaxed) * u64::from(self.segment_bytes)
    }

    /// First byte of the record at `address` (in granules).
    #[inline(always)]
    pub(crate) fn pointer(&self, address: u32) -> *mut u8 {
        // SAFETY: addresses are made by `address` below from offsets inside the region.
        unsafe { self.region.base().add((address as usize) << self.granule_shift) }
    }

    /// Segment that holds the record at `address`.
    #[inline(always)]
    pub(crate) fn segment_of(&self, address: u32) -> u32 {
        (((u64::from(address)) << self.granule_shift) >> self.segment_shift) as u32
    }

    /// Offset in its segment of the record at `address`.
    pub(crate) fn offset_of(&self, address: u32) -> u32 {
        (((u64::from(address)) << self.granule_shift) & u64::from(self.segment_bytes - 1)) as u32
    }

    /// Address of the byte `offset` of `segment`.
    #[inline(always)]
    pub(crate) fn address(&self, segment: u32, offset: u32) -> u32 {
        (((u64::from(segment) << self.segment_shift) + u64::from(offset)) >> self.granule_shift) as u32
    }

    /// Whether `bytes` from `address` on lie inside the region.
    #[inline(always)]
    pub(crate) fn is_inside(&self, address: u32, bytes: u32) -> bool {
        ((address as usize) << self.granule_shift) + bytes as usize <= self.region.len()
    }

    /// Bookkeeping of `segment`. Only the shard that took the segment may use it, under its lock.
    #[inline(always)]
    pub(crate) fn entry(&self, segment: u32) -> *mut Segment {
        debug_assert!(segment < self.count);
        // SAFETY: the table has an entry for each of `count` segments, and regions are aligned to pages.
        unsafe { self.table.base().cast::<Segment>().add(segment as usize) }
    }

    /// An empty segment, charged; `None` if the budget has no room for the purpose.
    pub(crate) fn take(&self, purpose: Purpose) -> Option<u32> {
        let spare = if purpose == Purpose::Append { self.reserve_bytes } else { 0 };
        let bytes = u64::from(self.segment_bytes);
        let mut state = self.state.lock();
        let free = state.free.len() as u64;
        if free > 0 && (free - 1) * bytes + self.budget.available() >= spare {
            let segment = state.free.pop();
            self.free_count.store(free - 1, Ordering::Relaxed);
            return segment;
        }
        if !self.budget.try_charge(bytes, spare.saturating_sub(free * bytes)) {
            return None;
        }
        if let Some(segment) = state.decommitted.pop() {
            return Some(segment);
        }
        if state.untouched >= self.count {
            self.budget.release(bytes);
            return None;
        }
        state.untouched += 1;
        Some(state.untouched - 1)
    }

    /// Takes an empty segment back; it stays charged until it is reused or shed.
    pub(crate) fn give(&self, segment: u32) {
        // SAFETY: the owner gives the segment up with this call.
        unsafe { *self.entry(segment) = Segment::EMPTY };
        let mut state = self.state.lock();
        state.free.push(segment);
        self.free_count.store(state.free.len() as u64, Ordering::Relaxed);
    }

    /// Bytes missing for the reserve and one more segment.
    #[inline(always)]
    pub(crate) fn shortage(&self) -> u64 {
        let wanted = self.reserve_bytes + u64::from(self.segment_bytes);
        wanted.saturating_sub(self.budget.available() + self.free_bytes())
    }

    /// Whether the bound holds.
    pub(crate) fn used_fits(&self) -> bool {
        self.budget.used() <= self.budget.max()
    }

    /// Gives up to `count` free segments back to the system; false if there is none.
    pub(crate) fn shed_some(self: &Arc<Self>, count: usize) -> bool {
        (0..count).map_while(|_| self.take_free().map(drop)).count() > 0
    }

    /// Gives up to `count` free segments back to the system where many more are free than writes will soon need: beyond
    /// the reserve and a quarter of what is in use. False if there are none.
    pub(crate) fn shed_surplus(self: &Arc<Self>, count: usize) -> bool {
        let free = self.free_bytes();
        let in_use = self.budget.used().saturating_sub(free);
        let surplus = free.saturating_sub(self.reserve_bytes + in_use / 4) / u64::from(self.segment_bytes);
        surplus > 0 && self.shed_some(count.min(surplus as usize))
    }

    /// A free segment that goes back to the system, and out of the budget, when it is dropped: not under a shard lock.
    pub(crate) fn take_free(self: &Arc<Self>) -> Option<FreeSegment> {
        let mut state = self.state.lock();
        let segment = state.free.pop()?;
        self.free_count.store(state.free.len() as u64, Ordering::Relaxed);
        Some(FreeSegment { segments: Arc::clone(self), segment })
    }

    /// Bytes that are missing for `bytes` to be available, beyond the reserve if it is to be kept. Free segments serve as
    /// that.
    #[inline]
    pub(crate) fn missing(&self, bytes: u64, keep_reserve: bool) -> u64 {
        let spare = if keep_reserve { self.reserve_bytes.saturating_sub(self.free_bytes()) } else { 0 };
        self.budget.used().saturating_add(bytes).saturating_add(spare).saturating_sub(self.budget.max())
    }

    /// Bytes of free segments that could be given back for that.
    pub(crate) fn sheddable(&self, keep_reserve: bool) -> u64 {
        self.free_bytes().saturating_sub(if keep_reserve { self.reserve_bytes } else { 0 })
    }

    /// Gives free segments back to the system until `bytes` are available beyond the reserve (or none is left).
    /// Returns whether they are. Not under a shard lock: see [`Shard::shed`](crate::shard::Shard::shed).
    pub(crate) fn shed(self: &Arc<Self>, bytes: u64, keep_reserve: bool) -> bool {
        while self.missing(bytes, keep_reserve) > 0 {
            if self.sheddable(keep_reserve) == 0 || !self.shed_some(1) {
                return false;
            }
        }
        true
    }
}

/// See [`Segments::take_free`].
pub(crate) struct FreeSegment {
    segments: Arc<Segments>,
    segment: u32,
}

impl FreeSegment {
    /// Bytes that return to the budget with it.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.segment_bytes.into()
    }
}

impl Drop for FreeSegment {
    fn drop(&mut self) {
        let segments = &*self.segments;
        // SAFETY: the segment was free, and is this one's alone now, so nobody relies on its bytes.
        unsafe {
            segments
                .region
                .decommit((self.segment as usize) << segments.segment_shift, segments.segment_bytes as usize);
        }
        segments.state.lock().decommitted.push(self.segment);
        segments.budget.release(self.bytes());
    }
}

// SAFETY: table entries and segment bytes are touched only by the shard that owns the segment, under its lock.
unsafe impl Send for Segments {}
// SAFETY: as above.
unsafe impl Sync for Segments {}
