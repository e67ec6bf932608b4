//! Keys that were evicted a short while ago: fingerprints with the time of their eviction.

use crate::memory::prefetch;

/// Slots of a bucket: one cache line.
const SLOTS: usize = 16;
/// The unit of time: what was evicted, in parts of what the cache holds. After as much as the cache holds went, so much
/// time has passed, however large the cache and its entries are.
pub(crate) const CACHEFUL: u64 = 1 << 32;
/// How far back a ghost counts.
const WINDOW: u64 = CACHEFUL / 10 * 9;
/// Stamps are 16 bits of this: they wrap after 64 cachefuls, when few of their slots are left.
const TICK: u64 = CACHEFUL / 1024;

/// Memory of a table.
pub(crate) type GhostTable = Vec<[u32; SLOTS]>;

/// A queue of recently evicted keys, kept as a hash table that forgets by age. Four bytes a slot: 16 bits of
/// fingerprint, 16 bits of coarse time. A wrong positive costs one misplaced insert; about 1 in 5,000.
pub(crate) struct Ghosts {
    buckets: GhostTable,
    clock: u64,
}

impl Ghosts {
    pub(crate) fn new() -> Self {
        Self { buckets: Vec::new(), clock: 0 }
    }

    fn fingerprint(hash: u64) -> u32 {
        ((hash >> 14) as u32 & 0xffff).max(1) << 16
    }

    fn bucket(&self, hash: u64) -> usize {
        (hash >> 30) as usize & (self.buckets.len() - 1)
    }

    /// Fetches the line that remembering or forgetting the key will touch.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        if !self.buckets.is_empty() {
            prefetch(self.buckets[self.bucket(hash)].as_ptr().cast());
        }
    }

    fn age(&self, slot: u32) -> u64 {
        let now = self.clock / TICK;
        u64::from((now as u16).wrapping_sub(slot as u16)) * TICK
    }

    /// Remembers an evicted key. `part` is what went with it, in parts of a [`CACHEFUL`]; `entries` is what the cache
    /// holds, for the size of the table.
    pub(crate) fn insert(&mut self, hash: u64, part: u64, entries: u64) {
        // A table as large as the window at a load of three quarters.
        while ((self.buckets.len() * SLOTS) as u64) * 5 / 6 < entries {
            self.grow();
        }
        self.clock += part;
        let stamp = (self.clock / TICK) as u32 & 0xffff;
        let slot = Self::fingerprint(hash) | stamp;
        let Some(at) = self.buckets.len().checked_sub(1).map(|_| self.bucket(hash)) else { return };
        let oldest = (0..SLOTS)
            .max_by_key(|&slot| match self.buckets[at][slot] {
                0 => u64::MAX,
                taken => self.age(taken),
            })
            .expect("a bucket has slots");
        self.buckets[at][oldest] = slot;
    }

    /// Forgets the key; says how long ago it was remembered, in parts of a [`CACHEFUL`] and give or take
    /// a thousandth.
    pub(crate) fn take(&mut self, hash: u64) -> Option<u64> {
        if self.buckets.is_empty() {
            return None;
        }
        let (at, fingerprint) = (self.bucket(hash), Self::fingerprint(hash));
        for slot in 0..SLOTS {
            let found = self.buckets[at][slot];
            let age = self.age(found);
            if found & 0xffff_0000 == fingerprint && age < WINDOW {
                self.buckets[at][slot] = 0;
                return Some(age);
            }
        }
        None
    }

    /// The table, for one who drops it where that may take its time.
    pub(crate) fn into_table(self) -> GhostTable {
        self.buckets
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.buckets.capacity() * size_of::<[u32; SLOTS]>()) as u64
    }

    /// Doubles the table. A slot does not hold the bit that decides between the two new buckets, so it goes into
    /// both; the copy in the wrong one is never found and ages away.
    fn grow(&mut self) {
        if self.buckets.is_empty() {
            self.buckets = vec![[0; SLOTS]; 4];
        } else {
            self.buckets.extend_from_within(..);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(key: u64) -> u64 {
        (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    #[test]
    fn remembers_the_window_and_no_more() {
        for entries in [10, 250, 5_000, 100_000] {
            let mut ghosts = Ghosts::new();
            for key in 0..3 * entries {
                ghosts.insert(mix(key), CACHEFUL / entries, entries);
            }
            let found = |ghosts: &mut Ghosts, keys: std::ops::Range<u64>| {
                keys.filter(|&key| ghosts.take(mix(key)).is_some()).count() as f64
            };
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
        ghosts.insert(mix(1), CACHEFUL / 100, 1_000);
        ghosts.insert(mix(2), CACHEFUL / 4, 1_000);
        let age = ghosts.take(mix(1)).unwrap();
        assert!(age.abs_diff(CACHEFUL / 4) <= TICK, "{age}");
        ghosts.insert(mix(3), CACHEFUL, 1_000);
        assert_eq!(ghosts.take(mix(2)), None, "older than the window");
    }

    #[test]
    fn is_taken_once() {
        let mut ghosts = Ghosts::new();
        ghosts.insert(mix(1), 1, 100);
        assert_eq!(ghosts.take(mix(1)), Some(0));
        assert_eq!(ghosts.take(mix(1)), None);
    }

    #[test]
    fn survives_the_growth_of_the_table() {
        let mut ghosts = Ghosts::new();
        for key in 0..40 {
            ghosts.insert(mix(key), CACHEFUL / 1_000, 50);
        }
        for key in 40..80 {
            ghosts.insert(mix(key), CACHEFUL / 1_000, 100_000);
        }
        assert!((0..80).filter(|&key| ghosts.take(mix(key)).is_some()).count() >= 78);
    }
}
