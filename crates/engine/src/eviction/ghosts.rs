//! Keys that were evicted a short while ago: fingerprints with the time of their eviction.

use crate::memory::{PAGE_BYTES, Region, prefetch};

/// Slots of a bucket: one cache line.
const SLOTS: usize = 16;
const BUCKET_BYTES: usize = size_of::<[u32; SLOTS]>();
/// The unit of time: what was evicted, in parts of what the cache holds. After as much as the cache holds went, so much
/// time has passed, however large the cache and its entries are.
pub(crate) const CACHEFUL: u64 = 1 << 32;
/// The furthest back that a ghost may count.
pub(crate) const MAX_WINDOW: u64 = CACHEFUL / 8 * 9;
/// Stamps are 16 bits of this: they wrap after 64 cachefuls, when few of their slots are left.
const TICK: u64 = CACHEFUL / 1024;
/// Evictions that pay for one more page of a table. Its bytes are taken from the entries, so a page must cost a small
/// part of what so many evictions free, or paying would evict ever more.
const EVICTIONS_A_PAGE: u32 = 256;
/// Bytes of an old table that one eviction gives back.
const FREED_A_STEP: usize = 16 * PAGE_BYTES;

/// A piece of address space with the buckets of [`Ghosts`]. Only a prefix that is paid for is ever written.
pub(crate) struct GhostTable {
    region: Region,
    buckets: usize,
    /// Bytes at the front that were given back.
    freed: usize,
    /// Bytes at the front that may be in use.
    paid: usize,
}

impl GhostTable {
    /// `None` where there is no address space: a cache without ghosts is only less clever.
    fn reserve(buckets: usize) -> Option<Self> {
        let region = Region::reserve(buckets * BUCKET_BYTES).ok()?;
        Some(Self { region, buckets, freed: 0, paid: 0 })
    }

    fn size(&self) -> usize {
        self.buckets * BUCKET_BYTES
    }

    /// The bucket of a hash, if it is paid for. Takes the low half of the hash: the high bits are the shard's.
    fn bucket(&self, hash: u64) -> Option<*mut [u32; SLOTS]> {
        let at = ((u64::from(hash as u32) * self.buckets as u64) >> 32) as usize;
        let is_there = (self.freed..self.paid).contains(&(at * BUCKET_BYTES));
        // SAFETY: inside the region, which is aligned to pages.
        is_there.then(|| unsafe { self.region.base().cast::<[u32; SLOTS]>().add(at) })
    }

    /// Bytes to charge for it.
    pub(crate) fn bytes(&self) -> u64 {
        (self.paid - self.freed) as u64
    }

    /// Gives some of the memory back; true once all of it went.
    pub(crate) fn free_some(&mut self) -> bool {
        let bytes = FREED_A_STEP.min(self.paid - self.freed);
        // SAFETY: `bucket` does not lead into what was freed.
        unsafe { self.region.decommit(self.freed, bytes) };
        self.freed += bytes;
        self.freed == self.paid
    }
}

// SAFETY: the region is plain memory that only the owner of the table reaches, under its shard's lock.
unsafe impl Send for GhostTable {}

/// A queue of recently evicted keys, kept as a hash table that forgets by age. Four bytes a slot: 16 bits of
/// fingerprint, 16 bits of coarse time. A wrong positive costs one misplaced insert; about 1 in 5,000.
///
/// The table comes out of the same bound as the entries and may be megabytes: it is paid for page by page while the
/// cache fills, and never grows at once.
pub(crate) struct Ghosts {
    table: Option<GhostTable>,
    /// The table before this one and the time it was replaced: still asked until it is older than the window.
    older: Option<(GhostTable, u64)>,
    /// Bytes set aside for a table that does not exist yet.
    saved: usize,
    clock: u64,
    evictions: u32,
}

/// Buckets for nine tenths of a cacheful at a load of three quarters, and for the largest window at one of 94 %.
fn buckets_for(entries: u64) -> usize {
    (entries as usize * 6 / 5).div_ceil(SLOTS).max(1)
}

fn whole_pages(bytes: usize) -> usize {
    bytes.next_multiple_of(PAGE_BYTES)
}

fn fingerprint(hash: u64) -> u32 {
    ((hash >> 32) as u32 & 0xffff).max(1) << 16
}

impl Ghosts {
    pub(crate) fn new() -> Self {
        Self { table: None, older: None, saved: 0, clock: 0, evictions: 0 }
    }

    /// Fetches the line that remembering or forgetting the key will touch.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        if let Some(bucket) = self.table.as_ref().and_then(|table| table.bucket(hash)) {
            prefetch(bucket.cast());
        }
    }

    fn age(&self, slot: u32) -> u64 {
        let now = self.clock / TICK;
        u64::from((now as u16).wrapping_sub(slot as u16)) * TICK
    }

    /// Saves up for a table: the cache holds `entries` and nothing has to go yet.
    #[inline]
    pub(crate) fn save_for(&mut self, entries: u64) {
        let wanted = buckets_for(entries) * BUCKET_BYTES;
        match &mut self.table {
            None if self.saved < wanted => self.saved += PAGE_BYTES,
            Some(table) if table.paid < wanted.min(table.size()) => table.paid += PAGE_BYTES,
            _ => {}
        }
    }

    /// Remembers an evicted key. `part` is what went with it, in parts of a [`CACHEFUL`]; `entries` is what the cache
    /// holds, for the size of the table.
    pub(crate) fn insert(&mut self, hash: u64, part: u64, entries: u64) {
        self.clock += part;
        self.evictions += 1;
        self.fit_table(entries);
        let stamp = (self.clock / TICK) as u32 & 0xffff;
        let Some(bucket) = self.table.as_ref().and_then(|table| table.bucket(hash)) else { return };
        // SAFETY: of this table, which nobody else has.
        let bucket = unsafe { &mut *bucket };
        let oldest = bucket
            .iter_mut()
            .max_by_key(|slot| match **slot {
                0 => u64::MAX,
                taken => self.age(taken),
            })
            .expect("a bucket has slots");
        *oldest = fingerprint(hash) | stamp;
    }

    /// Sees to a table of the right size, in steps that each cost a page at most.
    fn fit_table(&mut self, entries: u64) {
        if let Some((older, since)) = &mut self.older
            && self.clock - *since > MAX_WINDOW
            && older.free_some()
        {
            self.older = None;
        }
        let buckets = buckets_for(entries);
        let fits = |table: &GhostTable| table.buckets >= buckets && table.buckets / 2 <= buckets;
        if self.older.is_none() && !self.table.as_ref().is_some_and(fits) {
            let Some(mut table) = GhostTable::reserve(buckets + buckets / 4) else { return };
            table.paid = std::mem::take(&mut self.saved).min(whole_pages(table.size()));
            self.older = self.table.replace(table).map(|older| (older, self.clock));
        }
        let Some(table) = &mut self.table else { return };
        // The first page is there at once: a small cache needs no more.
        if table.paid < table.size() && (table.paid == 0 || self.evictions >= EVICTIONS_A_PAGE) {
            table.paid += PAGE_BYTES;
            self.evictions = 0;
        }
    }

    /// Forgets the key if it was remembered less than `window` ago, which is at most [`MAX_WINDOW`]; says how long
    /// ago, in parts of a [`CACHEFUL`] and give or take a thousandth.
    pub(crate) fn take(&mut self, hash: u64, window: u64) -> Option<u64> {
        debug_assert!(window <= MAX_WINDOW, "tables are dropped after the largest window");
        let wanted = fingerprint(hash);
        let tables = self.table.iter().chain(self.older.iter().map(|(older, _)| older));
        for bucket in tables.filter_map(|table| table.bucket(hash)) {
            // SAFETY: of a table that nobody else has.
            let bucket = unsafe { &mut *bucket };
            for slot in bucket {
                let age = self.age(*slot);
                if *slot & 0xffff_0000 == wanted && age < window {
                    *slot = 0;
                    return Some(age);
                }
            }
        }
        None
    }

    /// The tables, for one who frees them in steps of his own.
    pub(crate) fn into_tables(self) -> impl Iterator<Item = GhostTable> {
        self.table.into_iter().chain(self.older.map(|(older, _)| older))
    }

    /// Bytes to charge for the tables.
    pub(crate) fn bytes(&self) -> u64 {
        let tables = self.table.iter().chain(self.older.iter().map(|(older, _)| older));
        self.saved as u64 + tables.map(GhostTable::bytes).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u64 = CACHEFUL / 10 * 9;

    fn mix(key: u64) -> u64 {
        (key + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(31)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
            .rotate_left(29)
    }

    fn filled_with(entries: u64) -> Ghosts {
        let mut ghosts = Ghosts::new();
        (0..=entries).for_each(|entries| ghosts.save_for(entries));
        ghosts
    }

    fn found(ghosts: &mut Ghosts, keys: std::ops::Range<u64>) -> f64 {
        keys.filter(|&key| ghosts.take(mix(key), WINDOW).is_some()).count() as f64
    }

    #[test]
    fn remembers_the_window_and_no_more() {
        for entries in [10, 250, 5_000, 100_000] {
            let mut ghosts = filled_with(entries);
            for key in 0..3 * entries {
                ghosts.insert(mix(key), CACHEFUL / entries, entries);
            }
            let (window, slack) = (entries * 9 / 10, entries / 8);
            let recent = found(&mut ghosts, 3 * entries - window + slack..3 * entries);
            assert!(recent >= 0.93 * (window - slack) as f64, "{entries} entries: {recent}");
            let old = found(&mut ghosts, 0..3 * entries - window - slack);
            assert!(old <= 0.01 * (2 * entries) as f64 + 1.0, "{entries} entries: {old} old");
        }
    }

    #[test]
    fn time_goes_by_what_was_evicted() {
        let mut ghosts = Ghosts::new();
        ghosts.insert(mix(1), CACHEFUL / 100, 10);
        ghosts.insert(mix(2), CACHEFUL / 4, 10);
        let age = ghosts.take(mix(1), WINDOW).unwrap();
        assert!(age.abs_diff(CACHEFUL / 4) <= TICK, "{age}");
        ghosts.insert(mix(3), CACHEFUL, 10);
        assert_eq!(ghosts.take(mix(2), WINDOW), None, "older than the window");
    }

    #[test]
    fn is_taken_once() {
        let mut ghosts = Ghosts::new();
        ghosts.insert(mix(1), 1, 10);
        assert_eq!(ghosts.take(mix(1), WINDOW), Some(0));
        assert_eq!(ghosts.take(mix(1), WINDOW), None);
    }

    #[test]
    fn no_eviction_pays_for_more_than_a_page() {
        let mut ghosts = filled_with(10_000);
        let mut before = ghosts.bytes();
        // Four times the entries, then a tenth of them: the table grows and shrinks, and every table is freed.
        for (entries, rounds) in [(10_000, 20_000), (40_000, 200_000), (1_000, 20_000)] {
            for key in 0..rounds {
                ghosts.insert(mix(key), CACHEFUL / entries, entries);
                assert!(ghosts.bytes() <= before + PAGE_BYTES as u64);
                before = ghosts.bytes();
            }
            let needed = buckets_for(entries) * BUCKET_BYTES;
            assert!((needed..=2 * needed + PAGE_BYTES).contains(&(before as usize)), "{entries} entries: {before}");
        }
    }

    #[test]
    fn survives_the_growth_of_the_table() {
        let mut ghosts = filled_with(1_000);
        for key in 0..400 {
            ghosts.insert(mix(key), CACHEFUL / 2_000, 1_000);
        }
        let before = ghosts.bytes();
        for key in 400..800 {
            ghosts.insert(mix(key), CACHEFUL / 2_000, 2_000);
        }
        assert!(ghosts.bytes() > before);
        // What came just after the growth had no page yet.
        assert!(found(&mut ghosts, 0..400) >= 390.0);
    }
}
