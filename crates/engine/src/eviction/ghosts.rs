//! Keys that were evicted a short while ago: fingerprints with the time of their eviction.

/// Slots of a bucket: one cache line.
const SLOTS: usize = 16;
/// Ticks in which the table's capacity is measured; ages are 16 bits, so they wrap far beyond it.
const TICKS_PER_TABLE: u64 = 4096;

/// A queue of the last `n` evicted keys, kept as a hash table that forgets by age. Four bytes a slot: 16 bits of
/// fingerprint, 16 bits of coarse time. A wrong positive costs one misplaced insert; about 1 in 5,000.
pub(crate) struct Ghosts {
    buckets: Vec<[u32; SLOTS]>,
    /// Evictions so far.
    clock: u64,
    /// How many evictions back a ghost counts.
    window: u64,
}

impl Ghosts {
    pub(crate) fn new() -> Self {
        Self { buckets: Vec::new(), clock: 0, window: 0 }
    }

    fn fingerprint(hash: u64) -> u32 {
        ((hash >> 14) as u32 & 0xffff).max(1) << 16
    }

    fn bucket(&self, hash: u64) -> usize {
        (hash >> 30) as usize & (self.buckets.len() - 1)
    }

    /// Evictions per tick.
    fn tick(&self) -> u64 {
        (self.buckets.len() as u64 * SLOTS as u64 / TICKS_PER_TABLE).max(1)
    }

    fn age(&self, slot: u32) -> u64 {
        let now = self.clock / self.tick();
        u64::from((now as u16).wrapping_sub(slot as u16)) * self.tick()
    }

    /// Remembers an evicted key; from now on the last `window` evictions count.
    pub(crate) fn insert(&mut self, hash: u64, window: u64) {
        self.window = window;
        while self.buckets.len() as u64 * (SLOTS as u64) * 3 / 4 < window {
            self.grow();
        }
        self.clock += 1;
        let stamp = (self.clock / self.tick()) as u32 & 0xffff;
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

    /// Forgets the key; says whether it was remembered.
    pub(crate) fn take(&mut self, hash: u64) -> bool {
        if self.buckets.is_empty() {
            return false;
        }
        let (at, fingerprint) = (self.bucket(hash), Self::fingerprint(hash));
        for slot in 0..SLOTS {
            let found = self.buckets[at][slot];
            if found & 0xffff_0000 == fingerprint && self.age(found) < self.window {
                self.buckets[at][slot] = 0;
                return true;
            }
        }
        false
    }

    pub(crate) fn clear(&mut self) {
        self.buckets = Vec::new();
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.buckets.capacity() * size_of::<[u32; SLOTS]>()) as u64
    }

    /// Doubles the table. A slot does not hold the bit that decides between the two new buckets, so it goes into
    /// both; the copy in the wrong one is never found and ages away.
    fn grow(&mut self) {
        if self.buckets.is_empty() {
            self.buckets = vec![[0; SLOTS]; 4];
            return;
        }
        let old_tick = self.tick();
        let old_now = self.clock / old_tick;
        let half = self.buckets.len();
        self.buckets.extend_from_within(..);
        debug_assert_eq!(self.buckets.len(), 2 * half);
        let new_tick = self.tick();
        if new_tick == old_tick {
            return;
        }
        let new_now = self.clock / new_tick;
        for slot in self.buckets.iter_mut().flatten().filter(|slot| **slot != 0) {
            let age = u64::from((old_now as u16).wrapping_sub(*slot as u16)) * old_tick / new_tick;
            *slot = *slot & 0xffff_0000 | (new_now.wrapping_sub(age) as u32 & 0xffff);
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
        for window in [10, 225, 5_000, 100_000] {
            let mut ghosts = Ghosts::new();
            for key in 0..3 * window {
                ghosts.insert(mix(key), window);
            }
            let found = |ghosts: &mut Ghosts, keys: std::ops::Range<u64>| {
                keys.filter(|&key| ghosts.take(mix(key))).count() as f64
            };
            let recent = found(&mut ghosts, 2 * window + window / 8..3 * window);
            assert!(recent >= 0.93 * (window - window / 8) as f64, "window {window}: {recent}");
            let old = found(&mut ghosts, 0..2 * window - window / 8);
            assert!(old <= 0.01 * (2 * window) as f64 + 1.0, "window {window}: {old} old");
        }
    }

    #[test]
    fn is_taken_once() {
        let mut ghosts = Ghosts::new();
        ghosts.insert(mix(1), 100);
        assert!(ghosts.take(mix(1)));
        assert!(!ghosts.take(mix(1)));
    }
}
