//! How much a server does a second.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Least time over which a rate is taken.
const LEAST: Duration = Duration::from_secs(1);

/// Requests run, bytes read and bytes written so far.
pub(crate) type Totals = [u64; 3];

/// Rates since somebody last asked, at least a second ago: nobody has to wake up to take them.
pub(crate) struct Rates(Mutex<Last>);

struct Last {
    at: Instant,
    totals: Totals,
    rates: [f64; 3],
}

impl Rates {
    /// `started`: when all totals were 0.
    pub fn new(started: Instant) -> Self {
        Self(Mutex::new(Last { at: started, totals: Totals::default(), rates: Default::default() }))
    }

    /// What grew by how much a second.
    pub fn of(&self, totals: Totals, now: Instant) -> [f64; 3] {
        let mut last = self.0.lock();
        let time = now.saturating_duration_since(last.at);
        if time >= LEAST {
            let before = last.totals;
            let rate = |place: usize| totals[place].wrapping_sub(before[place]) as f64 / time.as_secs_f64();
            *last = Last { at: now, totals, rates: std::array::from_fn(rate) };
        }
        last.rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_taken_over_a_second_or_more() {
        let started = Instant::now();
        let rates = Rates::new(started);
        let after = |ms| started + Duration::from_millis(ms);
        assert_eq!(rates.of([10, 20, 30], after(500)), [0.0; 3]);
        assert_eq!(rates.of([10, 20, 30], after(2_000)), [5.0, 10.0, 15.0]);
        assert_eq!(rates.of([9_999, 20, 30], after(2_500)), [5.0, 10.0, 15.0]);
        assert_eq!(rates.of([30, 20, 30], after(4_000)), [10.0, 0.0, 0.0]);
    }
}
