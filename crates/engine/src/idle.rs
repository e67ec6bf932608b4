//! The idle field of a record: an idle ttl and the last use, in eight bytes.
//!
//! ```text
//!  63      47         42                                  0
//!  | digits | exponent | last use, ms since the epoch     |
//!    17 bits  5 bits     42 bits, 139 years
//! ```
//!
//! The idle ttl is `digits << exponent` ms: exact below 2^17 ms (131 s), then cut by at most 1 part in 65,536, so that
//! an entry never outlives it.

const EXPONENT_SHIFT: u32 = 42;
const DIGITS_SHIFT: u32 = 47;
const DIGITS: u32 = 64 - DIGITS_SHIFT;
const LAST_USE: u64 = (1 << EXPONENT_SHIFT) - 1;
/// A last use that seems to be this long ago is one "in the future" by the remaining 17 years at most: the clock was
/// set back. What is unread for longer, 122 years, is the only thing that could be mistaken for it.
const LONGEST_SINCE: u64 = LAST_USE / 8 * 7;

/// The field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Idle(pub(crate) u64);

impl Idle {
    /// An entry used at `now_ms` that lives for `ttl_ms` (at most [`crate::MAX_IDLE_TTL_MS`]) without use.
    pub(crate) fn new(ttl_ms: u64, now_ms: u64) -> Self {
        debug_assert!(ttl_ms <= crate::MAX_IDLE_TTL_MS);
        let exponent = (u64::BITS - ttl_ms.leading_zeros()).saturating_sub(DIGITS);
        let digits = ttl_ms >> exponent;
        Self(digits << DIGITS_SHIFT | u64::from(exponent) << EXPONENT_SHIFT | now_ms & LAST_USE)
    }

    /// The idle ttl in ms.
    pub(crate) fn ttl_ms(self) -> u64 {
        (self.0 >> DIGITS_SHIFT) << (self.0 >> EXPONENT_SHIFT & 31)
    }

    /// The same with its last use now.
    pub(crate) fn used_at(self, now_ms: u64) -> Self {
        Self(self.0 & !LAST_USE | now_ms & LAST_USE)
    }

    /// When the idle time ends, in ms since the epoch. A last use after `now_ms` counts as now.
    pub(crate) fn deadline(self, now_ms: u64) -> u64 {
        let since_use = now_ms.wrapping_sub(self.0) & LAST_USE;
        let since_use = if since_use > LONGEST_SINCE { 0 } else { since_use };
        now_ms.saturating_sub(since_use).saturating_add(self.ttl_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;
    const DAY: u64 = 86_400_000;

    #[test]
    fn a_ttl_is_exact_where_it_is_short_and_never_longer_than_given() {
        for ttl in [1, 2, 1_000, (1 << 17) - 1] {
            assert_eq!(Idle::new(ttl, NOW).ttl_ms(), ttl);
        }
        for ttl in [(1 << 17) + 1, 3_600_000, DAY + 1, 30 * DAY + 7, crate::MAX_IDLE_TTL_MS] {
            let kept = Idle::new(ttl, NOW).ttl_ms();
            assert!(kept <= ttl && ttl - kept <= ttl >> 16, "{ttl} became {kept}");
            assert_eq!(Idle::new(kept, NOW).ttl_ms(), kept, "writing it again cuts nothing more");
        }
    }

    #[test]
    fn time_unread_never_brings_it_back() {
        let idle = Idle::new(1_000, NOW);
        for days in [1, 25, 37, 45, 49, 50, 99, 365, 3_650, 36_500, 44_500] {
            assert_eq!(idle.deadline(NOW + days * DAY), NOW + 1_000, "after {days} days");
        }
        assert_eq!(idle.deadline(NOW + 4_294_967_296), NOW + 1_000);
        assert_eq!(idle.used_at(NOW + 45 * DAY).deadline(NOW + 46 * DAY), NOW + 45 * DAY + 1_000);
    }

    #[test]
    fn a_clock_that_was_set_back_counts_from_then_on() {
        let idle = Idle::new(1_000, NOW);
        for back in [1, 5_000, DAY, 3_650 * DAY] {
            assert_eq!(idle.deadline(NOW - back), NOW - back + 1_000);
        }
    }
}
