//! What a run has seen: a fault that never fires, or a state that is never reached, proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use tandem_cluster::{Doing, Event};

use super::faults::{KINDS, Kind};

/// What a worker is in a lane; `None`: it does not run.
pub type Place = Option<Doing>;

/// What was seen, and how often.
#[derive(Debug, Default)]
pub struct Coverage {
    pub faults: BTreeMap<Kind, u64>,
    /// Pairs of states of one lane on both workers, the first one's first.
    pub pairs: BTreeMap<(Place, Place), u64>,
    pub events: BTreeMap<&'static str, u64>,
    pub lost: u64,
    pub doubled: u64,
    pub overtaken: u64,
    pub frames: u64,
    pub witnessed: u64,
    pub acknowledged: u64,
    pub evicted: u64,
    /// Requests that were made again, and those that turned out to be done.
    pub retries: u64,
    pub recalled: u64,
    pub splits: u64,
    /// Histories that were too long to judge.
    pub unjudged: u64,
    pub judged: u64,
    /// Seeds in which nothing acknowledged may be lost, and both never serve the same lane.
    pub strict: u64,
}

impl Coverage {
    pub fn event(&mut self, event: &Event) {
        let name = match event {
            Event::PartnerLost { dead: true, .. } => "partner-dead",
            Event::PartnerLost { dead: false, .. } => "partner-silent",
            Event::Solo(_) => "solo",
            Event::RefillStarted(_) => "refill-started",
            Event::RefillProgress { .. } => "refill-progress",
            Event::Ready(_) => "ready",
            Event::TookOver(_) => "took-over",
            Event::TookOverStale(_) => "took-over-stale",
            Event::ConflictDropped { .. } => "conflict-dropped",
            Event::StartedEmpty => "started-empty",
            Event::DataLost { .. } => "data-lost",
            Event::Diverged { .. } => "diverged",
        };
        *self.events.entry(name).or_default() += 1;
    }

    pub fn weather(&mut self, lost: bool, doubled: bool, overtaken: bool) {
        self.lost += u64::from(lost);
        self.doubled += u64::from(doubled);
        self.overtaken += u64::from(overtaken);
    }

    /// Adds what another run has seen.
    pub fn add(&mut self, other: &Self) {
        other.faults.iter().for_each(|(&kind, count)| *self.faults.entry(kind).or_default() += count);
        other.pairs.iter().for_each(|(&pair, count)| *self.pairs.entry(pair).or_default() += count);
        other.events.iter().for_each(|(&event, count)| *self.events.entry(event).or_default() += count);
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.overtaken += other.overtaken;
        self.frames += other.frames;
        self.witnessed += other.witnessed;
        self.acknowledged += other.acknowledged;
        self.evicted += other.evicted;
        self.retries += other.retries;
        self.recalled += other.recalled;
        self.splits += other.splits;
        self.unjudged += other.unjudged;
        self.judged += other.judged;
        self.strict += other.strict;
    }

    /// What should have been seen, and was not.
    pub fn missing(&self) -> Vec<String> {
        let mut missing: Vec<String> =
            KINDS.iter().filter(|kind| !self.faults.contains_key(kind)).map(|kind| format!("fault {kind:?}")).collect();
        let events = [
            "partner-dead",
            "partner-silent",
            "solo",
            "refill-started",
            "refill-progress",
            "ready",
            "took-over",
            "conflict-dropped",
            "started-empty",
            "diverged",
        ];
        missing
            .extend(events.iter().filter(|name| !self.events.contains_key(*name)).map(|name| format!("event {name}")));
        let seen: BTreeSet<(Place, Place)> =
            self.pairs.keys().flat_map(|&(one, other)| [(one, other), (other, one)]).collect();
        missing.extend(REQUIRED.iter().filter(|pair| !seen.contains(pair)).map(|pair| format!("states {pair:?}")));
        let counts = [
            (self.lost, "lost frame"),
            (self.doubled, "doubled frame"),
            (self.overtaken, "overtaken frame"),
            (self.witnessed, "question to the witness"),
            (self.evicted, "eviction"),
            (self.retries, "retry"),
            (self.recalled, "retry of what was done"),
            (self.splits, "split"),
            (self.strict, "strict seed"),
        ];
        missing.extend(counts.iter().filter(|(count, _)| *count == 0).map(|(_, name)| (*name).to_owned()));
        missing
    }
}

/// States of a lane on both workers, in either order, that every long run has to reach.
const REQUIRED: [(Place, Place); 17] = {
    use Doing::*;
    [
        (None, Some(Loading)),
        (None, Some(Solo)),
        (Some(Loading), Some(Loading)),
        (Some(Loading), Some(Solo)),
        (Some(Idle), Some(Solo)),
        (Some(Idle), Some(Following)),
        (Some(Asking), Some(Solo)),
        (Some(Asking), Some(Joining)),
        (Some(Refilling), Some(Solo)),
        (Some(Refilling), Some(Joining)),
        (Some(Following), Some(Solo)),
        (Some(Following), Some(Joining)),
        (Some(Following), Some(Pair)),
        (Some(Uploading), Some(Solo)),
        (Some(Solo), Some(Solo)),
        (Some(Pair), Some(Solo)),
        (Some(Idle), Some(Joining)),
    ]
};
