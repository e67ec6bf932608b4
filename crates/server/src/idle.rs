//! Finds connections that have been silent for too long.

use std::time::{Duration, Instant};

use crate::options::ClientLimits;

/// Longest time between two looks at all connections.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// When each connection of a loop was last heard of. Only a loop that limits somebody's silence has one.
pub(crate) struct Idle {
    limit: Option<Duration>,
    text_limit: Option<Duration>,
    /// Time between two looks: a connection is closed at most a quarter of its time too late.
    step: Duration,
    started: Instant,
    /// Time of the present turn of the loop, since `started`: one look at the clock for all connections.
    now: Duration,
    /// By slot; what a slot says that nobody has is not looked at. One that is not here was last heard of before.
    heard: Vec<Duration>,
    look_at: Duration,
}

impl Idle {
    /// Begins to watch; `None` where there is no limit for anybody. `texts`: clients of the text protocol.
    pub fn new(limits: &ClientLimits, texts: usize) -> Option<Self> {
        if limits.idle.is_none() && texts == 0 {
            return None;
        }
        let step =
            (limits.idle.into_iter().chain(limits.text_idle).min()? / 4).clamp(Duration::from_millis(1), LONGEST_STEP);
        Some(Self {
            limit: limits.idle,
            text_limit: limits.text_idle,
            step,
            started: Instant::now(),
            now: Duration::ZERO,
            heard: Vec::new(),
            look_at: step,
        })
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
            self.look_at = self.now + self.step;
        }
        due
    }

    /// Time until the next look.
    pub fn wait(&self) -> Duration {
        self.look_at.saturating_sub(self.started.elapsed())
    }

    /// Whether a connection has been silent for too long.
    pub fn is_silent(&self, slot: usize, is_text: bool) -> bool {
        let limit = if is_text { self.text_limit } else { self.limit };
        let heard = self.heard.get(slot).copied().unwrap_or_default();
        limit.is_some_and(|limit| self.now.saturating_sub(heard) >= limit)
    }
}
