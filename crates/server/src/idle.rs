//! Finds connections that have been silent for too long.

use std::time::{Duration, Instant};

/// Longest time between two looks at all connections.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// When each connection of a loop was last heard of. Only a loop that limits silence has one.
pub(crate) struct Idle {
    limit: Duration,
    started: Instant,
    /// Time of the present turn of the loop, since `started`: one look at the clock for all connections.
    now: Duration,
    /// By slot; what a slot says that nobody has is not looked at.
    heard: Vec<Duration>,
    look_at: Duration,
}

impl Idle {
    pub fn new(limit: Duration) -> Self {
        let step = Self::step(limit);
        Self { limit, started: Instant::now(), now: Duration::ZERO, heard: Vec::new(), look_at: step }
    }

    /// A connection is closed at most a quarter of its time too late.
    fn step(limit: Duration) -> Duration {
        (limit / 4).clamp(Duration::from_millis(1), LONGEST_STEP)
    }

    /// A turn of the loop begins.
    pub fn tick(&mut self) {
        self.now = self.started.elapsed();
    }

    /// A connection has been made, or something has come from its peer, or its peer has taken something.
    pub fn hear(&mut self, slot: usize) {
        if slot >= self.heard.len() {
            self.heard.resize(slot + 1, Duration::ZERO);
        }
        self.heard[slot] = self.now;
    }

    /// Whether it is time to look at all connections; then the next time is a step away.
    pub fn is_due(&mut self) -> bool {
        let due = self.now >= self.look_at;
        if due {
            self.look_at = self.now + Self::step(self.limit);
        }
        due
    }

    /// Time until the next look.
    pub fn wait(&self) -> Duration {
        self.look_at.saturating_sub(self.started.elapsed())
    }

    /// Whether a connection has been silent for too long.
    pub fn is_silent(&self, slot: usize) -> bool {
        self.now.saturating_sub(self.heard[slot]) >= self.limit
    }
}
