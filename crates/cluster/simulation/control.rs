//! When faults begin and end, and when everything is well again.

use tandem_cluster::{Doing, Layout};
use tandem_wire::replication::Standing;

use super::faults::{Fault, Kind};
use super::world::{Arrival, Event, Phase, World};

/// Between two looks, in ms.
const EVERY: u64 = 10;
/// How long recovery may take before the next fault comes in any case, and at the end, in ms.
const RECOVERY: u64 = 15_000;
/// How long clients go on after everything is well, in ms.
const LAST_REQUESTS: u64 = 200;

impl World {
    /// Faults begin and end, and what there is to see is looked at.
    pub fn control(&mut self) {
        self.look();
        let over: Vec<Fault> =
            self.active.iter().filter(|(_, until)| *until <= self.now).map(|(fault, _)| *fault).collect();
        self.active.retain(|(_, until)| *until > self.now);
        over.into_iter().for_each(|fault| self.end_fault(fault));
        match self.phase {
            Phase::Faults => self.next_fault(),
            Phase::Calm { since } => self.watch_calm(since),
            Phase::Over => return,
        }
        self.after(EVERY, Event::Control);
    }

    /// How long recovery may take: with little in a batch, every record may take a way there and back.
    fn recovery(&self) -> u64 {
        let processes = self.hosts.iter().filter_map(|host| host.process.as_ref());
        let records = processes.map(|process| process.copy.len() as u64).max().unwrap_or(0);
        let ticks: u64 = self.hosts.iter().map(|host| host.tick_every).sum();
        let per_batch = (self.rules.volume.batch_bytes as u64 / 20).max(1);
        RECOVERY + (records / per_batch * (2 * self.network.weather.delay.1 + ticks)).min(60_000)
    }

    fn next_fault(&mut self) {
        let Some(&fault) = self.faults.get(self.next_fault) else {
            if self.active.is_empty() {
                self.trace(|| "calm".to_owned());
                self.phase = Phase::Calm { since: self.now };
                let weather = &mut self.network.weather;
                (weather.lost, weather.doubled, weather.overtaken) = (0, 0, 0);
            }
            return;
        };
        let is_well = self.active.is_empty() && self.unwell().is_none() && !self.network.is_stalled(self.now);
        if !fault.at_once && !is_well {
            // Time to recover begins when it has recovered.
            if self.now > self.fault_due + self.recovery() {
                let why = self.unwell().unwrap_or_default();
                self.fail(format!("not well again: {why}"));
            }
            return;
        }
        if self.fault_due == 0 || self.now < self.fault_due {
            if self.fault_due == 0 {
                self.fault_due = self.now + fault.pause;
            }
            if self.now < self.fault_due {
                return;
            }
        }
        self.next_fault += 1;
        self.begin_fault(fault, is_well);
        self.fault_due = self.now + fault.lasts + self.faults.get(self.next_fault).map_or(0, |next| next.pause);
        if self.faults.get(self.next_fault).is_some_and(|next| next.at_once) {
            self.fault_due = self.now + self.faults[self.next_fault].pause;
        }
    }

    fn begin_fault(&mut self, fault: Fault, is_well: bool) {
        self.trace(|| format!("FAULT {fault:?} well: {is_well}"));
        *self.coverage.faults.entry(fault.kind).or_default() += 1;
        let Fault { kind, victim, lasts, jump, .. } = fault;
        if !is_well || kind == Kind::StartApart {
            // One at a time is what nothing may be lost by.
            self.may_lose |= kind.costs_a_copy() || self.active.iter().any(|(one, _)| one.kind.costs_a_copy());
            self.may_split = true;
        }
        self.may_split |= kind.parts() && (!self.has_witness || kind == Kind::StartApart) && lasts >= 900;
        let until = self.now + lasts;
        match kind {
            Kind::Crash | Kind::CrashBriefly | Kind::Vanish => self.kill(victim, kind == Kind::Vanish),
            Kind::Stop => {
                let life = self.hosts[victim].life;
                self.after(0, Event::Arrival { to: victim, life, arrival: Arrival::Stop });
            }
            Kind::Pause => self.pause(victim, lasts),
            Kind::Slow => self.stumble(victim, until),
            Kind::Skew => self.hosts[victim].skew += jump,
            Kind::Full => {
                if let Some(process) = &mut self.hosts[victim].process {
                    process.copy.room = (process.copy.len() / 2).max(4);
                }
            }
            Kind::CutShort | Kind::CutMiddle | Kind::CutLong | Kind::StartApart => self.network.cut = [true; 2],
            Kind::CutOneWay => self.network.cut[victim] = true,
            Kind::Reset | Kind::Refuse => {
                self.network.refuses[victim] = kind == Kind::Refuse;
                for worker in 0..2 {
                    let dialled = self.hosts[worker].process.as_ref().and_then(|process| process.dialled);
                    if let Some(connection) = dialled {
                        self.reset(connection);
                    }
                }
            }
            Kind::Rot => {
                if let Some(process) = &mut self.hosts[victim].process {
                    let lanes = 0..self.shape.lanes();
                    let following = |&lane: &u16| process.node.doing(lane) == Doing::Following;
                    lanes.filter(following).for_each(|lane| process.copy.rot(lane));
                }
            }
            Kind::Delay => self.network.slowness = [150, 350, 700][victim + (lasts % 2) as usize],
        }
        if lasts > 0 {
            self.active.push((fault, until));
        }
    }

    fn end_fault(&mut self, fault: Fault) {
        self.trace(|| format!("ends {:?}", fault.kind));
        let Fault { kind, victim, jump, .. } = fault;
        match kind {
            Kind::Crash | Kind::CrashBriefly | Kind::Vanish => self.start(victim),
            Kind::Stop => {
                // It ends when it may, or when whoever stops it has waited for long enough.
                self.kill(victim, false);
                self.start(victim);
            }
            Kind::Skew => self.hosts[victim].skew -= jump,
            Kind::Full => {
                let room = self.hosts[victim].room + 20;
                if let Some(process) = &mut self.hosts[victim].process {
                    process.copy.room = room;
                }
            }
            Kind::CutShort | Kind::CutMiddle | Kind::CutLong | Kind::CutOneWay | Kind::StartApart => {
                for worker in 0..2 {
                    let is_cut = self.active.iter().any(|(one, _)| match one.kind {
                        Kind::CutShort | Kind::CutMiddle | Kind::CutLong | Kind::StartApart => true,
                        Kind::CutOneWay => one.victim == worker,
                        _ => false,
                    });
                    if self.network.cut[worker] && !is_cut {
                        self.network.cut[worker] = false;
                        self.release(worker);
                    }
                }
            }
            Kind::Refuse => self.network.refuses[victim] = false,
            Kind::Delay => self.network.slowness = 0,
            Kind::Pause | Kind::Slow | Kind::Reset | Kind::Rot => {}
        }
    }

    fn pause(&mut self, worker: usize, lasts: u64) {
        if self.hosts[worker].process.is_some() && !self.hosts[worker].is_paused {
            self.hosts[worker].is_paused = true;
            let life = self.hosts[worker].life;
            self.after(lasts, Event::Resume { worker, life });
        }
    }

    /// Stands still again and again, for less time than it takes to notice.
    pub fn stumble(&mut self, worker: usize, until: u64) {
        let lasts = self.random.between(30, 180);
        self.pause(worker, lasts);
        if self.now + lasts + 10 < until {
            self.after(lasts + 5, Event::Stumble { worker, until });
        }
    }

    /// Notes which states both are in; checks what always holds.
    fn look(&mut self) {
        for lane in 0..self.shape.lanes() {
            let place = |worker: usize| self.hosts[worker].process.as_ref().map(|process| process.node.doing(lane));
            let places = (place(0), place(1));
            *self.coverage.pairs.entry(places).or_default() += 1;
            if matches!(
                places,
                (Some(Doing::Pair), Some(Doing::Following)) | (Some(Doing::Following), Some(Doing::Pair))
            ) {
                self.hosts.iter_mut().for_each(|host| _ = host.alone.remove(&lane));
            }
        }
        self.check_uploads();
        for worker in 0..2 {
            let Some(process) = &self.hosts[worker].process else { continue };
            // A batch of each lane, and what several clients have under way, may be beyond the window.
            let bound = usize::from(self.shape.lanes()) * (self.rules.volume.window_bytes + 60_000);
            let bytes = process.node.buffered_bytes();
            if bytes > bound {
                self.fail(format!("worker {worker} buffers {bytes} bytes"));
                return;
            }
            let may_end = process.is_leaving && process.node.is_drained();
            if may_end {
                self.kill(worker, false);
            }
        }
    }

    /// What is not as it should be while nothing goes wrong; `None` if everything is.
    pub fn unwell(&self) -> Option<String> {
        let [Some(one), Some(other)] = [&self.hosts[0].process, &self.hosts[1].process] else {
            return Some("a worker does not run".to_owned());
        };
        if !one.node.is_linked() || !other.node.is_linked() {
            return Some("a worker does not reach the other one".to_owned());
        }
        (0..self.shape.lanes()).find_map(|lane| {
            let (doing, standing) =
                ([one.node.doing(lane), other.node.doing(lane)], [one.node.standing(lane), other.node.standing(lane)]);
            let home = usize::from(self.rules.layout == Layout::Split && lane % 2 == 1);
            let is_well = doing[home] == Doing::Pair
                && doing[1 - home] == Doing::Following
                && standing == [Standing::Ready; 2]
                && !one.node.is_pausing(lane)
                && !other.node.is_pausing(lane);
            (!is_well).then(|| format!("lane {lane}: {doing:?} {standing:?}"))
        })
    }

    fn watch_calm(&mut self, since: u64) {
        let well = self.unwell();
        if let (Some(why), true) = (&well, self.now > since + self.recovery()) {
            self.fail(format!("never well again: {why}"));
            return;
        }
        if well.is_some() {
            self.well_since = None;
            return;
        }
        let well_since = *self.well_since.get_or_insert(self.now);
        if self.now >= well_since + LAST_REQUESTS {
            self.clients_stop = true;
        }
        if self.clients_stop {
            self.finish();
        }
    }
}
