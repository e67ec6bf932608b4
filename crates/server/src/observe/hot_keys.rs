//! Which keys are asked for most: the Space-Saving algorithm over a sample of the requests.
//!
//! Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data streams", ICDT 2005.

use std::hash::{BuildHasher, RandomState};

/// Of so many requests one is looked at, on average: it takes a hundredth of what they take.
pub(crate) const SAMPLE: u32 = 64;
/// Requests between two that are looked at, at least: as many as one batch may have.
const LEAST_GAP: u32 = 16;
/// Keys that are counted at once. One that gets more than this part of the requests is always among them.
pub(crate) const COUNTERS: usize = 128;
/// Samples after which every count is halved: what was asked for long ago is forgotten.
const WINDOW: u64 = 1 << 16;
/// Longer keys are not counted: bounds the memory to 128 KiB a loop.
const MAX_KEY_BYTES: usize = 1024;

/// A key and how often it was in the sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HotKey {
    /// As it is stored.
    pub key: Vec<u8>,
    pub count: u64,
    /// By so much `count` may be too high: what the key had that this one took the place of.
    pub excess: u64,
}

/// Counts of one loop.
#[derive(Debug, Default)]
pub(crate) struct HotKeys {
    hasher: RandomState,
    /// One for each of `keys`, so that looking one up touches little memory.
    hashes: Vec<u64>,
    keys: Vec<HotKey>,
    samples: u64,
}

impl HotKeys {
    /// Counts a key.
    pub fn add(&mut self, key: &[u8]) {
        self.samples += 1;
        if self.samples >= WINDOW {
            self.age();
        }
        if key.len() > MAX_KEY_BYTES {
            return;
        }
        let hash = self.hasher.hash_one(key);
        if let Some(place) = self.hashes.iter().position(|&one| one == hash)
            && self.keys[place].key == key
        {
            self.keys[place].count += 1;
            return;
        }
        if self.keys.len() < COUNTERS {
            self.hashes.push(hash);
            self.keys.push(HotKey { key: key.to_vec(), count: 1, excess: 0 });
            return;
        }
        let Some((place, last)) = self.keys.iter_mut().enumerate().min_by_key(|(_, one)| one.count) else { return };
        last.excess = last.count;
        last.count += 1;
        last.key.clear();
        last.key.extend_from_slice(key);
        self.hashes[place] = hash;
    }

    fn age(&mut self) {
        self.samples /= 2;
        for one in &mut self.keys {
            one.count /= 2;
            one.excess /= 2;
        }
    }

    /// The keys with their counts, and the number of samples that these are of.
    pub fn counts(&self) -> (&[HotKey], u64) {
        (&self.keys, self.samples)
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Chooses which requests are looked at.
pub(crate) struct Sampler {
    /// Requests to pass over before the next one.
    left: u32,
    random: fastrand::Rng,
}

impl Sampler {
    pub fn new() -> Self {
        Self { left: 0, random: fastrand::Rng::new() }
    }

    /// Passes `count` requests, and returns the number of that among them which is to be looked at.
    #[inline]
    pub fn pass(&mut self, count: usize) -> Option<usize> {
        let count = count as u32;
        if count <= self.left {
            self.left -= count;
            return None;
        }
        Some(self.choose(count))
    }

    #[cold]
    fn choose(&mut self, count: u32) -> usize {
        let chosen = self.left;
        // A period that is always the same could be that of the requests. The next one is never in the same batch: it
        // would have to be put off to the first place of the one behind, which would be chosen too often.
        let gap = self.random.u32(LEAST_GAP..2 * SAMPLE - 1 - LEAST_GAP);
        self.left = gap.saturating_sub(count - chosen - 1);
        chosen as usize
    }

    /// A number below `count`, by chance.
    pub fn one_of(&mut self, count: usize) -> usize {
        self.random.usize(..count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_keys_are_found_and_bounded_from_both_sides() {
        let (mut hot, mut random) = (HotKeys::default(), fastrand::Rng::with_seed(7));
        let mut real = std::collections::HashMap::<Vec<u8>, u64>::new();
        for _ in 0..WINDOW - 1 {
            // Half of all samples are spread over ten keys, the rest over a million.
            let number = if random.bool() { random.u32(..10) } else { random.u32(10..1_000_000) };
            let key = number.to_string().into_bytes();
            hot.add(&key);
            *real.entry(key).or_default() += 1;
        }
        let (keys, samples) = hot.counts();
        assert_eq!((keys.len(), samples), (COUNTERS, WINDOW - 1));
        for HotKey { key, count, excess } in keys {
            assert!((count - excess..=*count).contains(&real[key]), "{key:?}");
        }
        let mut sorted = keys.to_vec();
        sorted.sort_by_key(|one| std::cmp::Reverse(one.count - one.excess));
        let mut first: Vec<&[u8]> = sorted[..10].iter().map(|one| &*one.key).collect();
        first.sort_unstable();
        assert_eq!(first, (b'0'..=b'9').map(|digit| vec![digit]).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_hot_is_forgotten() {
        let mut hot = HotKeys::default();
        (0..WINDOW / 2).for_each(|_| hot.add(b"old"));
        (0..3 * WINDOW).for_each(|_| hot.add(b"new"));
        let (keys, samples) = hot.counts();
        assert!(samples < WINDOW && keys[1].count <= samples && keys[1].key == b"new");
        assert!(keys[0].count < WINDOW / 32, "{keys:?}");
    }

    #[test]
    fn long_keys_are_not_kept() {
        let mut hot = HotKeys::default();
        hot.add(&[b'k'; MAX_KEY_BYTES + 1]);
        assert_eq!(hot.counts(), (&[][..], 1));
    }

    #[test]
    fn one_in_so_many_is_chosen_wherever_it_is() {
        for batch in [1, 3, 16] {
            let mut sampler = Sampler { left: 0, random: fastrand::Rng::with_seed(1) };
            let mut chosen = vec![0u32; batch];
            let rounds = 640_000 / batch;
            for _ in 0..rounds {
                if let Some(place) = sampler.pass(batch) {
                    chosen[place] += 1;
                }
            }
            let expected = 640_000.0 / f64::from(SAMPLE) / batch as f64;
            for count in chosen {
                assert!((0.8..1.25).contains(&(f64::from(count) / expected)), "{batch}: {count} of {expected}");
            }
        }
    }
}
