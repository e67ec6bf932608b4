//! Versions: a hybrid clock, whose stamps follow the wall clock and never go back.
//!
//! 43 bits of ms, 20 bits of a counter and one bit that tells the two members of a pair apart, so that no version is
//! given twice. Kulkarni et al., "Logical Physical Clocks", 2014.

use tandem_wire::replication::Version;

const COUNTER_BITS: u32 = 21;

/// A hybrid clock.
#[derive(Debug, Clone)]
pub struct HybridClock {
    last: Version,
    /// The lowest bit of every stamp.
    side: Version,
}

impl HybridClock {
    /// `is_first`: whether this is the worker of the pair with the lower id.
    pub fn new(is_first: bool) -> Self {
        Self { last: 0, side: u64::from(!is_first) }
    }

    /// A stamp that is above all given and seen so far, and above `floor`.
    pub fn next(&mut self, wall_ms: u64, floor: Version) -> Version {
        let least = self.last.max(floor) + 1;
        let stamp = (wall_ms << COUNTER_BITS).max(least);
        self.last = if stamp & 1 == self.side { stamp } else { stamp + 1 };
        self.last
    }

    /// Takes note of a stamp from elsewhere.
    pub fn see(&mut self, version: Version) {
        self.last = self.last.max(version);
    }

    /// The highest stamp given or seen.
    pub fn last(&self) -> Version {
        self.last
    }

    /// The time of the hybrid clock in ms: never behind what any of its stamps says.
    pub fn now_ms(&self, wall_ms: u64) -> u64 {
        wall_ms.max(self.last >> COUNTER_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_rise_and_are_never_shared() {
        let (mut one, mut other) = (HybridClock::new(true), HybridClock::new(false));
        let first = one.next(1_000, 0);
        other.see(first);
        // A clock that is behind goes on from what it has seen.
        let second = other.next(10, 0);
        assert!(second > first);
        assert!(one.next(1_000, second + 7) > second + 7);
        for _ in 0..100 {
            assert_ne!(one.next(2_000, 0) & 1, other.next(2_000, 0) & 1);
        }
        assert_eq!(other.now_ms(5), 2_000);
    }
}
