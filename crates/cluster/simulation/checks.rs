//! What has to hold of a run.

use tandem_cluster::{Doing, Service, Store};
use tandem_wire::replication::Standing;

use super::copy::value_of;
use super::history::{Verdict, judge};
use super::process::{Process, Reply};
use super::world::{Phase, World};

/// How long the last requests may take, in ms.
const PATIENCE: u64 = 4_000;

impl World {
    /// A worker has just done something in a lane by itself.
    pub fn check_served(&mut self, worker: usize, lane: u16) {
        let other = 1 - worker;
        let at = self.time_of(other);
        if let Some(process) = &self.hosts[worker].process
            && process.node.standing(lane) != Standing::Ready
        {
            self.fail(format!("worker {worker} answers for lane {lane} while it is incomplete"));
            return;
        }
        let Some(process) = &self.hosts[other].process else { return };
        if !self.hosts[other].is_paused && process.node.service(lane, false, at.at) == Service::Here {
            self.has_split = true;
            if !self.may_split {
                self.fail(format!("both answer for lane {lane}"));
            }
        }
    }

    /// A worker goes on alone. A partner that answers has to know before.
    pub fn check_solo(&mut self, worker: usize, lane: u16) {
        let [Some(one), Some(other)] = [&self.hosts[worker].process, &self.hosts[1 - worker].process] else { return };
        let counts = !other.node.is_primary(lane) && other.node.standing(lane) == Standing::Ready;
        if one.node.is_linked() && counts {
            self.fail(format!("worker {worker} goes on alone in lane {lane} although its partner counts as complete"));
        }
    }

    /// Only who has acknowledged something alone gives what it has to the primary, unless that is another data set, or
    /// the primary lacks something.
    pub fn check_uploads(&mut self) {
        for worker in 0..2 {
            let [Some(one), Some(other)] = [&self.hosts[worker].process, &self.hosts[1 - worker].process] else {
                return;
            };
            let uploads = |lane: &u16| one.node.doing(*lane) == Doing::Uploading;
            for lane in (0..self.shape.lanes()).filter(uploads) {
                let (own, theirs) = (one.node.report(lane), other.node.report(lane));
                let may = theirs.stale || own.lineage != theirs.lineage || self.hosts[worker].alone.contains(&lane);
                if own.term == theirs.term && !may {
                    self.fail(format!("worker {worker} gives lane {lane}, in which it has acknowledged nothing alone"));
                    return;
                }
            }
        }
    }

    /// Everything is well, and clients have stopped: first their last requests, then a read of every key from both.
    pub fn finish(&mut self) {
        let started = *self.finishing.get_or_insert(self.now);
        if self.now > started + PATIENCE {
            let (pending, waiting) = (self.clients.pending.len(), self.unanswered());
            let difference = self.difference().unwrap_or_default();
            self.fail(format!("after calm {pending} clients wait, {waiting} requests lie there; {difference}"));
            return;
        }
        if !self.clients.pending.is_empty() {
            return;
        }
        if !self.has_written {
            self.has_written = true;
            // Every lane takes a write, from either side.
            for worker in 0..2 {
                for lane in 0..self.shape.lanes() {
                    let key = self.clients.add_key_in(lane);
                    let request = self.clients.last(true, key);
                    self.issue(worker, request);
                }
            }
            return;
        }
        if !self.has_read {
            self.has_read = true;
            for key in 0..self.clients.keys.len() {
                for worker in 0..2 {
                    let request = self.clients.last(false, key);
                    self.issue(worker, request);
                }
            }
            return;
        }
        if self.has_refused {
            self.fail("a request was refused although everything was well".to_owned());
            return;
        }
        // What is under way to the partner is there within a few ways.
        if self.now < started + 300 || self.unanswered() > 0 || self.difference().is_some() {
            return;
        }
        self.check_keys();
        self.check_groups();
        self.coverage.splits += u64::from(self.has_split);
        self.coverage.strict += u64::from(!self.may_lose && !self.may_split);
        self.coverage.acknowledged += self.clients.acknowledged;
        self.phase = Phase::Over;
    }

    /// Notes what came of one of the last requests.
    pub fn on_last(&mut self, reply: &Reply) {
        if self.has_written && !matches!(reply, Reply::Done { .. }) {
            self.has_refused = true;
        }
    }

    /// Requests that a worker has not answered.
    fn unanswered(&self) -> usize {
        self.hosts.iter().filter_map(|host| host.process.as_ref()).map(Process::unanswered).sum()
    }

    /// How the two copies differ.
    fn difference(&self) -> Option<String> {
        let [Some(one), Some(other)] = [&self.hosts[0].process, &self.hosts[1].process] else { return None };
        let lane = (0..self.shape.lanes()).find(|&lane| !one.copy.live_of(lane).eq(other.copy.live_of(lane)));
        let digest = |process: &Process, slot| process.copy.sum(slot).digest;
        let slot = (0..self.shape.slots()).find(|&slot| digest(one, slot) != digest(other, slot));
        lane.map(|lane| format!("copies of lane {lane} differ"))
            .or_else(|| slot.map(|slot| format!("digests of slot {slot} differ")))
    }

    /// No acknowledged change is lost, nothing old or removed is back, and clients saw one order of things.
    fn check_keys(&mut self) {
        let mut lost = 0;
        let dropped: u64 = self.dropped
            + self.hosts.iter().filter_map(|host| host.process.as_ref()).map(|one| one.node.dropped()).sum::<u64>();
        for number in 0..self.clients.keys.len() {
            let (key, known) = (&self.clients.keys[number], &self.clients.known[number]);
            let Some(process) = &self.hosts[0].process else { return };
            let record =
                process.copy.get(key.slot, &key.name).map(|one| (one.version, one.value.as_ref().map(value_of)));
            if let (Some((newest, removed)), false) = (known.newest, self.may_lose) {
                match record {
                    Some((version, value)) if version < newest => {
                        let what = if removed { "is back" } else { "has an older value" };
                        self.fail(format!("key {number} {what}: {value:?} of {version}, acknowledged {newest}"));
                        return;
                    }
                    None if !removed && !known.may_vanish => {
                        lost += 1;
                        self.trace(|| format!("key {number} is lost: acknowledged {newest}"));
                    }
                    _ => {}
                }
            }
            if !self.may_split && !self.may_lose {
                match judge(&known.acts) {
                    Verdict::Fits => self.coverage.judged += 1,
                    Verdict::TooLong => self.coverage.unjudged += 1,
                    Verdict::Broken => {
                        let acts = known.acts.clone();
                        self.trace(|| format!("{acts:#?}"));
                        self.fail(format!("what clients saw of key {number} fits no order"));
                        return;
                    }
                }
            }
        }
        if lost > dropped {
            self.fail(format!("{lost} acknowledged keys are lost, {dropped} counted as dropped"));
        }
    }

    /// What was written together is there together.
    fn check_groups(&mut self) {
        if self.may_lose || self.may_split {
            return;
        }
        let Some(process) = &self.hosts[0].process else { return };
        let value = |key: usize| {
            let key = &self.clients.keys[key];
            process.copy.get(key.slot, &key.name).and_then(|record| record.value.as_ref().map(value_of))
        };
        let torn = self.clients.pairs().find(|&(one, other)| {
            let vanished = self.clients.known[one].may_vanish || self.clients.known[other].may_vanish;
            value(one) != value(other) && !vanished
        });
        if let Some((one, other)) = torn {
            self.fail(format!("keys {one} and {other} were written together, and differ"));
        }
    }
}
