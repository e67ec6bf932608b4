//! Durations in buckets that are an eighth of a power of two wide.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Each power of two is divided into so many buckets.
const PARTS: usize = 8;
/// Powers of two that are told apart: durations up to 2^40 ns, about 18 minutes.
const POWERS: usize = 38;
pub(crate) const BUCKETS: usize = PARTS * POWERS;

/// Counts of one loop, which alone writes them.
pub(crate) struct Counts([AtomicU64; BUCKETS]);

impl Default for Counts {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Counts {
    pub fn add(&self, ns: u64) {
        let bucket = &self.0[bucket(ns)];
        bucket.store(bucket.load(Relaxed) + 1, Relaxed);
    }

    pub fn clear(&self) {
        self.0.iter().for_each(|bucket| bucket.store(0, Relaxed));
    }
}

/// Counts of all loops, as of some moment.
#[derive(Clone)]
pub(crate) struct Histogram([u64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Histogram {
    pub fn merge(&mut self, counts: &Counts) {
        self.0.iter_mut().zip(&counts.0).for_each(|(sum, bucket)| *sum += bucket.load(Relaxed));
    }

    /// The duration in nanoseconds that `part` (0 to 1) of all do not exceed, an eighth too large at most; 0 without any.
    pub fn quantile(&self, part: f64) -> u64 {
        let wanted = (self.count() as f64 * part).ceil() as u64;
        let mut seen = 0;
        let found = self.0.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        });
        found.map_or(0, upper)
    }

    /// How many durations are shorter than `ns`, a power of two from 8 on.
    pub fn shorter_than(&self, ns: u64) -> u64 {
        debug_assert!(ns.is_power_of_two());
        self.0[..bucket(ns)].iter().sum()
    }

    /// Durations in all.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// For each power of two, in microseconds, that holds any: itself and how many durations do not exceed it, or not by
    /// more than an eighth.
    pub fn powers_of_two_us(&self) -> Vec<(u64, u64)> {
        let mut sums: Vec<(u64, u64)> = Vec::new();
        let mut sum = 0;
        for (bucket, count) in self.0.iter().enumerate().filter(|(_, count)| **count > 0) {
            sum += count;
            let lower = bucket.checked_sub(1).map_or(0, upper);
            let power = lower.div_ceil(1_000).next_power_of_two();
            match sums.last_mut() {
                Some((last, up_to)) if *last == power => *up_to = sum,
                _ => sums.push((power, sum)),
            }
        }
        sums
    }
}

/// The bucket of a duration.
fn bucket(ns: u64) -> usize {
    if ns < PARTS as u64 {
        return ns as usize;
    }
    let power = ns.ilog2() as usize;
    let part = (ns >> (power - 3)) as usize % PARTS;
    ((power - 2) * PARTS + part).min(BUCKETS - 1)
}

/// The longest duration in a bucket.
fn upper(bucket: usize) -> u64 {
    if bucket < PARTS {
        return bucket as u64;
    }
    let (power, part) = (bucket / PARTS + 2, (bucket % PARTS) as u64);
    ((PARTS as u64 + part + 1) << (power - 3)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_contiguous_and_an_eighth_wide() {
        for ns in (0..5_000).chain([1 << 20, (1 << 20) + 1, 123_456_789, (1 << 40) - 1]) {
            let top = upper(bucket(ns));
            assert!(top >= ns && top - ns <= ns / 8, "{ns} is in a bucket up to {top}");
        }
        for number in 0..BUCKETS - 1 {
            assert_eq!((bucket(upper(number)), bucket(upper(number) + 1)), (number, number + 1));
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_and_powers() {
        let counts = Counts::default();
        (1..=1000).for_each(|us| counts.add(us * 1_000));
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), 0);
        histogram.merge(&counts);
        assert_eq!(histogram.count(), 1_000);
        for (part, us) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let off = histogram.quantile(part) as f64 / (us * 1e3);
            assert!((1.0..1.13).contains(&off), "{part}: {off}");
        }
        assert_eq!([8, 1 << 10, 1 << 18, 1 << 20].map(|ns| histogram.shorter_than(ns)), [0, 1, 262, 1_000]);
        let powers = histogram.powers_of_two_us();
        assert_eq!(powers.last(), Some(&(1024, 1000)));
        let (_, up_to_256) = powers.iter().find(|(power, _)| *power == 256).unwrap();
        assert!((256..=288).contains(up_to_256), "{up_to_256}");
        counts.clear();
        let mut empty = Histogram::default();
        empty.merge(&counts);
        assert_eq!(empty.powers_of_two_us(), []);
    }
}
