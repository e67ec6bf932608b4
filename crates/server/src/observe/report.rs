//! What a server tells those who watch it from outside.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::summaries;
use crate::mailbox::Message;
use crate::server::Server;
use crate::shared::Shared;

/// Durations for which [`CommandReport::shorter`] counts, in nanoseconds: one microsecond to 17 seconds, each four times
/// the one before.
pub const DURATION_BOUNDS_NS: [u64; 13] = {
    let mut bounds = [1 << 10; 13];
    let mut place = 1;
    while place < bounds.len() {
        bounds[place] = bounds[place - 1] * 4;
        place += 1;
    }
    bounds
};

/// What was done of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandReport {
    /// Its full name, such as `get` or `client|list`.
    pub name: &'static str,
    /// Requests that ran.
    pub calls: u64,
    /// Requests that were refused before they ran.
    pub rejected: u64,
    /// Requests that ran and answered an error.
    pub failed: u64,
    /// Requests whose time was taken.
    pub timed: u64,
    /// The time of those in nanoseconds.
    pub ns: u64,
    /// For each of [`DURATION_BOUNDS_NS`]: how many of those took less.
    pub shorter: [u64; DURATION_BOUNDS_NS.len()],
}

impl Server {
    /// What was done of each command that was used.
    pub fn commands(&self) -> Vec<CommandReport> {
        summaries(self.shared.loops.iter().map(|one| &*one.stats))
            .map(|(name, summary)| CommandReport {
                name,
                calls: summary.calls,
                rejected: summary.rejected,
                failed: summary.failed,
                timed: summary.timed,
                ns: summary.ns,
                shorter: DURATION_BOUNDS_NS.map(|bound| summary.times.shorter_than(bound)),
            })
            .collect()
    }

    /// How many errors were answered, by their code.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.shared.errors.all()
    }

    /// Whether every event loop comes round within this time. Blocks until then at most.
    pub fn answers(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        let (answer, answers) = mpsc::sync_channel(self.shared.loops.len());
        for target in 0..self.shared.loops.len() {
            self.shared.post(Shared::NO_LOOP, target as u16, Message::Ping(answer.clone()));
        }
        self.shared.loops.iter().all(|_| answers.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok())
    }
}
