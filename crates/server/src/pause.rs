//! `CLIENT PAUSE`: for a while, requests wait where they are.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// No pause is longer; as long as one that never ends.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What is paused now.
#[derive(Default)]
pub(crate) struct Pause {
    /// Whether there may be a pause: what the turns of connections look at.
    on: AtomicBool,
    state: Mutex<Option<State>>,
    /// Pauses that are over. Whoever parked a connection may find its pause ended by another loop.
    ended: AtomicU64,
}

#[derive(Clone, Copy)]
struct State {
    until: Instant,
    /// All requests wait, not only those that write.
    all: bool,
}

impl Pause {
    /// Begins a pause. During one, the later end and the stricter kind hold.
    pub fn begin(&self, time: Duration, all: bool) {
        let until = Instant::now() + time.min(LONGEST);
        let mut state = self.state.lock();
        let before = state.unwrap_or(State { until, all });
        *state = Some(State { until: until.max(before.until), all: all || before.all });
        self.on.store(true, Relaxed);
    }

    pub fn end(&self) {
        let mut state = self.state.lock();
        self.finish(&mut state);
    }

    fn finish(&self, state: &mut Option<State>) {
        *state = None;
        self.on.store(false, Relaxed);
        self.ended.fetch_add(1, Relaxed);
    }

    /// How many pauses are over.
    #[inline]
    pub fn ended(&self) -> u64 {
        self.ended.load(Relaxed)
    }

    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// How long the pause lasts from now on; `None` if there is none.
    pub fn left(&self) -> Option<Duration> {
        self.current().map(|state| state.until.saturating_duration_since(Instant::now()))
    }

    /// Whether a request has to wait; `writes`: it may change something.
    pub fn holds(&self, writes: bool) -> bool {
        self.current().is_some_and(|state| state.all || writes)
    }

    /// The pause, if it is not over.
    fn current(&self) -> Option<State> {
        let mut state = self.state.lock();
        if state.is_some_and(|state| state.until <= Instant::now()) {
            self.finish(&mut state);
        }
        *state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(1000);

    #[test]
    fn the_later_end_and_the_stricter_kind_hold() {
        let pause = Pause::default();
        assert!(!pause.is_on() && !pause.holds(true));
        pause.begin(LONG, false);
        assert!(pause.holds(true) && !pause.holds(false));
        pause.begin(Duration::ZERO, true);
        assert!(pause.holds(false) && pause.left().unwrap() > LONG / 2);
        pause.end();
        assert!(!pause.is_on() && pause.left().is_none());
    }

    #[test]
    fn a_pause_ends_by_itself() {
        let pause = Pause::default();
        pause.begin(Duration::ZERO, true);
        assert!(pause.is_on());
        assert_eq!(pause.ended(), 0);
        assert!(!pause.holds(true));
        assert_eq!(pause.ended(), 1, "for those who parked a connection and did not see the end");
        assert!(!pause.is_on());
        pause.begin(Duration::MAX, true);
        assert!(pause.left().unwrap() > LONG);
    }
}
