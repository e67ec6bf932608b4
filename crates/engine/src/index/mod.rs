//! The index of a shard: hash -> record address, about 8 bytes an entry.
//!
//! Extendible hashing over pages of 64 buckets of 12 slots. The top bits of the hash choose a page through the
//! directory, the low six the bucket in it, the next eight are the tag in the slot. A full page splits alone, into
//! two: the cost of growing does not depend on the size of the cache. Pages never merge, so a boundary in hash
//! space stays one, which makes a scan's cursor stable.
//!
//! Fagin et al., "Extendible hashing", TODS 1979; the bucket with its overflow count is that of Folly's F14.

mod bucket;
mod directory;

use std::sync::Arc;

use self::bucket::{Bucket, SLOTS};
pub(crate) use self::directory::{Directory, SmallDirectories};
use crate::memory::{FreePage, PAGE_BYTES, Pages, prefetch};

/// Share of an entry in the pages, on average.
pub(crate) const BYTES_PER_ENTRY: u64 = 8;
const BUCKETS: usize = PAGE_BYTES / size_of::<Bucket>();
/// A page with more entries than this splits: 90 % of its slots.
const PAGE_LIMIT: u16 = (BUCKETS * SLOTS * 9 / 10) as u16;
/// Deepest directory: 2^24 pages hold 10^10 entries a shard.
const MAX_DEPTH: u32 = 24;

#[inline(always)]
fn directory_slot(hash: u64, skip_bits: u32, depth: u32) -> usize {
    let local = hash << skip_bits;
    // Two shifts: a shift by 64 is not defined.
    ((local >> 1) >> (63 - depth)) as usize
}

#[inline(always)]
fn bucket_of(pages: &Pages, page: u32, bucket: usize) -> *mut Bucket {
    debug_assert!(bucket < BUCKETS);
    // SAFETY: a page has BUCKETS buckets.
    unsafe { pages.address(page).cast::<Bucket>().add(bucket) }
}

/// Page for `hash` as a reader without a lock sees it.
///
/// # Safety
/// `directory` and `depth` come from [`Index::view`] of an index of the same cache, at whatever time.
#[inline(always)]
pub(crate) unsafe fn page_in_view(directory: *const u32, depth: u32, skip_bits: u32, hash: u64) -> u32 {
    // SAFETY: directories reserve a slot for every hash at the greatest depth and stay mapped.
    unsafe { directory.add(directory_slot(hash, skip_bits, depth.min(MAX_DEPTH))).read_volatile() }
}

/// Fetches the cache line that a search of `page` for `hash` begins with.
#[inline(always)]
pub(crate) fn prefetch_bucket(pages: &Pages, page: u32, hash: u64) {
    prefetch(bucket_of(pages, page, home_of(hash)).cast());
}

/// Searches one page. Without the lock of its shard the answer means something only if the shard did not change
/// meanwhile; it ends and stays inside the page in any case.
#[inline(always)]
pub(crate) fn probe(
    pages: &Pages,
    page: u32,
    hash: u64,
    mut is_match: impl FnMut(u32) -> bool,
) -> Option<(u32, Position)> {
    let (tag, home) = (tag_of(hash), home_of(hash));
    let mut at = home;
    loop {
        let bucket = bucket_of(pages, page, at);
        // SAFETY: a page of this cache, which stays mapped; any content is valid.
        let mut mask = unsafe { Bucket::matching_at(bucket, tag) };
        while mask != 0 {
            let slot = mask.trailing_zeros() as usize;
            // SAFETY: as above; the mask has a bit for each slot.
            let address = unsafe { Bucket::address_at(bucket, slot) };
            if is_match(address) {
                return Some((address, Position { page, bucket: at as u16, slot: slot as u16, home: home as u16 }));
            }
            mask &= mask - 1;
        }
        // SAFETY: as above.
        if unsafe { Bucket::is_last_at(bucket) } {
            return None;
        }
        at = (at + 1) & (BUCKETS - 1);
        if at == home {
            return None;
        }
    }
}

/// Where an entry was found. Valid until the next change of the index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    page: u32,
    bucket: u16,
    slot: u16,
    home: u16,
}

/// Hash -> address.
pub(crate) struct Index {
    pages: Arc<Pages>,
    /// Page numbers by the leading bits of the hash, in address space that stays mapped as long as the cache
    /// lives: readers without a lock may look at it at any time.
    directory: Directory,
    depth: u32,
    /// Leading hash bits that the shard's number took.
    skip_bits: u32,
    len: u64,
    page_count: u64,
}

#[inline(always)]
fn tag_of(hash: u64) -> u8 {
    // 0 marks a free slot, so hashes with a zero tag share the tag 1.
    (((hash >> 6) & 0xff) as u8).max(1)
}

#[inline(always)]
fn home_of(hash: u64) -> usize {
    (hash as usize) & (BUCKETS - 1)
}

impl Index {
    /// An empty index of one page for hashes whose first `skip_bits` bits are all alike; `None` if no page is left.
    pub(crate) fn new(pages: Arc<Pages>, directory: Directory, skip_bits: u32) -> Option<Self> {
        let first = pages.take_anyway()?;
        let directory = directory.renewed();
        directory.set(0, first);
        Some(Self { pages, directory, depth: 0, skip_bits, len: 0, page_count: 1 })
    }

    /// What a reader without a lock needs: the directory and how many bits of the hash choose from it.
    pub(crate) fn view(&self) -> (*mut u32, u32) {
        (self.directory.base(), self.depth)
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes of the directory.
    pub(crate) fn directory_bytes(&self) -> u64 {
        Directory::bytes(1 << self.depth)
    }

    /// Whether it has more than the one page of an empty index.
    pub(crate) fn has_grown(&self) -> bool {
        self.page_count > 1
    }

    /// Bytes of pages.
    pub(crate) fn page_bytes(&self) -> u64 {
        self.page_count * PAGE_BYTES as u64
    }

    #[inline(always)]
    fn directory_slot(&self, hash: u64) -> usize {
        directory_slot(hash, self.skip_bits, self.depth)
    }

    #[inline(always)]
    fn bucket(&self, page: u32, bucket: usize) -> *mut Bucket {
        bucket_of(&self.pages, page, bucket)
    }

    /// First entry with this hash's tag for which `is_match(address)` holds.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, is_match: impl FnMut(u32) -> bool) -> Option<(u32, Position)> {
        probe(&self.pages, self.directory.get(self.directory_slot(hash)), hash, is_match)
    }

    /// Fetches the cache line that a search for `hash` begins with.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        prefetch_bucket(&self.pages, self.directory.get(self.directory_slot(hash)), hash);
    }

    /// Where the entry of this very address is.
    pub(crate) fn position_of(&self, hash: u64, address: u32) -> Option<Position> {
        self.find(hash, |found| found == address).map(|(_, position)| position)
    }

    /// Points an entry at a new address.
    pub(crate) fn replace(&mut self, position: Position, address: u32) {
        // SAFETY: positions lie inside their page; `&mut self` is exclusive.
        unsafe { (*self.bucket(position.page, position.bucket as usize)).addresses[position.slot as usize] = address };
    }

    /// Removes an entry.
    pub(crate) fn remove(&mut self, position: Position) {
        // SAFETY: as in `replace`; one bucket is borrowed at a time.
        unsafe {
            (*self.bucket(position.page, position.bucket as usize)).clear(position.slot as usize);
            let mut at = position.home as usize;
            while at != position.bucket as usize {
                let bucket = &mut *self.bucket(position.page, at);
                if bucket.overflow != u8::MAX {
                    bucket.overflow -= 1;
                }
                at = (at + 1) & (BUCKETS - 1);
            }
        }
        self.set_count(position.page, self.count(position.page) - 1);
        self.len -= 1;
    }

    /// Makes room for one more entry with this hash, splitting its page if it is full. `hash_of` gives the hash of
    /// a record by its address. False if a page is needed and none is left.
    pub(crate) fn make_room(&mut self, hash: u64, hash_of: impl Fn(u32) -> u64, touch: impl Fn(u32)) -> bool {
        loop {
            let page = self.directory.get(self.directory_slot(hash));
            if self.count(page) < PAGE_LIMIT || self.page_depth(page) >= MAX_DEPTH.min(50 - self.skip_bits) {
                // At the depth limit a page fills up to its last slot; that takes 2^24 pages.
                return usize::from(self.count(page)) < BUCKETS * SLOTS;
            }
            if !self.split(page, hash, &hash_of, &touch) {
                return false;
            }
        }
    }

    /// Adds an entry. The caller has made room and knows that the key is not there.
    pub(crate) fn insert(&mut self, hash: u64, address: u32) {
        let page = self.directory.get(self.directory_slot(hash));
        self.put(page, hash, address);
        self.set_count(page, self.count(page) + 1);
        self.len += 1;
    }

    fn put(&mut self, page: u32, hash: u64, address: u32) {
        let mut at = home_of(hash);
        loop {
            // SAFETY: as in `replace`.
            let bucket = unsafe { &mut *self.bucket(page, at) };
            if bucket.put(tag_of(hash), address) {
                return;
            }
            bucket.overflow = bucket.overflow.saturating_add(1);
            at = (at + 1) & (BUCKETS - 1);
        }
    }

    fn split(&mut self, page: u32, hash: u64, hash_of: &impl Fn(u32) -> u64, touch: &impl Fn(u32)) -> bool {
        let depth = self.page_depth(page);
        let Some(sibling) = self.pages.take() else { return false };
        if depth == self.depth {
            self.directory.double(1 << self.depth);
            self.depth += 1;
        }
        self.page_count += 1;
        let addresses = self.page_addresses(page);
        // The records' keys are needed for their hashes: fetch them all before the first is read.
        for &address in &addresses {
            touch(address);
        }
        for number in [page, sibling] {
            // SAFETY: both pages are this index's own, and buckets are valid when zeroed.
            unsafe { std::ptr::write_bytes(self.pages.address(number), 0, PAGE_BYTES) };
            self.set_page_depth(number, depth + 1);
        }
        let (mut stay, mut go) = (0, 0);
        let bit = 63 - self.skip_bits - depth;
        for &address in &addresses {
            let entry_hash = hash_of(address);
            if entry_hash >> bit & 1 == 0 {
                self.put(page, entry_hash, address);
                stay += 1;
            } else {
                self.put(sibling, entry_hash, address);
                go += 1;
            }
        }
        self.set_count(page, stay);
        self.set_count(sibling, go);
        // Directory slots of the page: those that agree with `hash` in its first `depth` bits.
        let width = 1usize << (self.depth - depth);
        let first = self.directory_slot(hash) & !(width - 1);
        for slot in first + width / 2..first + width {
            self.directory.set(slot, sibling);
        }
        true
    }

    fn page_addresses(&self, page: u32) -> Vec<u32> {
        let mut addresses = Vec::with_capacity(BUCKETS * SLOTS);
        for at in 0..BUCKETS {
            // SAFETY: as in `find`.
            let bucket = unsafe { &*self.bucket(page, at) };
            addresses.extend((0..SLOTS).filter(|&slot| bucket.tag(slot) != 0).map(|slot| bucket.addresses[slot]));
        }
        addresses
    }

    /// Addresses of the page that covers `hash`, and the first hash behind it (`None`: it is the last).
    pub(crate) fn page_at(&self, hash: u64) -> (Vec<u32>, Option<u64>) {
        let slot = self.directory_slot(hash);
        let page = self.directory.get(slot);
        let shift = 64 - self.skip_bits - self.page_depth(page);
        let next = if shift == 64 { None } else { ((hash >> shift) + 1).checked_shl(shift) };
        // The end of the shard's slice is the end of the page, too.
        let next = next.filter(|&next| next != 0 && self.same_shard(hash, next));
        (self.page_addresses(page), next)
    }

    fn same_shard(&self, a: u64, b: u64) -> bool {
        self.skip_bits == 0 || a >> (64 - self.skip_bits) == b >> (64 - self.skip_bits)
    }

    /// Every address, page by page.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = u32> + '_ {
        let mut pages: Vec<u32> = (0..1 << self.depth).map(|slot| self.directory.get(slot)).collect();
        pages.dedup();
        pages.into_iter().flat_map(|page| self.page_addresses(page))
    }

    // The page's entry count and depth live in the spare bytes of its first two buckets.

    fn count(&self, page: u32) -> u16 {
        // SAFETY: as in `find`.
        let spare = unsafe { (*self.bucket(page, 0)).spare };
        u16::from_le_bytes([spare[0], spare[1]])
    }

    fn set_count(&mut self, page: u32, count: u16) {
        let [low, high] = count.to_le_bytes();
        // SAFETY: as in `replace`.
        unsafe {
            (*self.bucket(page, 0)).spare[0] = low;
            (*self.bucket(page, 0)).spare[1] = high;
        }
    }

    fn page_depth(&self, page: u32) -> u32 {
        // SAFETY: as in `find`.
        u32::from(unsafe { (*self.bucket(page, 1)).spare[0] })
    }

    fn set_page_depth(&mut self, page: u32, depth: u32) {
        // SAFETY: as in `replace`.
        unsafe { (*self.bucket(page, 1)).spare[0] = depth as u8 };
    }

    /// Turns an index that is no longer searched into what gives its memory back.
    pub(crate) fn retire(self) -> Retired {
        Retired {
            left: 1 << self.depth,
            pages: Arc::clone(&self.pages),
            directory: Some(self.directory),
            bytes: self.page_count * PAGE_BYTES as u64,
        }
    }
}

/// Pages of a cleared index on their way back.
pub(crate) struct Retired {
    pages: Arc<Pages>,
    directory: Option<Directory>,
    left: usize,
    bytes: u64,
}

impl Retired {
    /// Bytes of pages that are still held.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives up to `limit` pages up, to `free`; the directory, once none is left.
    pub(crate) fn free_some(&mut self, limit: usize, mut free: impl FnMut(FreePage)) -> Option<Directory> {
        for _ in 0..limit {
            let Some(directory) = &self.directory else { return None };
            if self.left == 0 {
                return self.directory.take();
            }
            self.left -= 1;
            let page = directory.get(self.left);
            // Slots of one page are neighbours in the directory.
            if self.left == 0 || directory.get(self.left - 1) != page {
                free(FreePage::new(&self.pages, page));
                self.bytes -= PAGE_BYTES as u64;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
