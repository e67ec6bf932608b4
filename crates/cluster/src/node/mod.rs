//! A worker with its partner: all lanes, the link between the two, and what its silence means.

mod link;
mod peer;
mod upkeep;

use std::sync::Arc;

use tandem_wire::replication::{
    Entry, Frame, Group, Header, Incarnation, LaneNumber, LaneReport, Lineage, NodeId, Operation, Record, RequestId,
    Sequence, Slot, Standing, Version,
};

use crate::clock::HybridClock;
use crate::lane::{Context, Doing, Lane, Mode, Recall};
use crate::output::Output;
use crate::planted::Defect;
use crate::rules::{Millis, Rules, Testimony};
use crate::slots::Shape;
use crate::store::Store;
use peer::Peer;

/// Who a worker is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// This worker.
    pub me: NodeId,
    /// Its partner.
    pub partner: NodeId,
    /// This start of its process.
    pub incarnation: Incarnation,
    /// Bytes that it may hold.
    pub capacity: u64,
    /// Whether there is a witness.
    pub has_witness: bool,
}

/// What comes from outside.
#[derive(Debug, Clone)]
pub enum Input {
    /// Time has passed. To be given at least every 50 ms.
    Tick,
    /// The connection that was dialled is there.
    Dialled,
    /// The partner's system says that nobody listens.
    Refused,
    /// The connection that was dialled is gone.
    Closed,
    /// A connection of the partner is gone, after everything that came on it.
    PartnerClosed {
        /// Its number.
        connection: u64,
    },
    /// A frame from the partner, and on which of its connections, which are numbered in the order of their coming.
    Frame {
        /// Number of the connection.
        connection: u64,
        /// The frame.
        frame: Frame,
    },
    /// The witness's answer.
    Witness(Testimony),
    /// This worker is to end.
    Stop,
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Do it here.
    Here,
    /// The partner does it.
    Partner,
    /// Wait: that is decided in a moment.
    Wait,
    /// There is no data set yet.
    Loading,
}

/// The time at which something happens.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// A clock that never goes back, in ms.
    pub at: Millis,
    /// The wall clock, in ms since 1970.
    pub wall: u64,
}

/// What a step works with.
struct Step<'a, S: Store> {
    now: Millis,
    wall: u64,
    store: &'a mut S,
    out: &'a mut Vec<Output>,
}

/// The machine.
#[derive(Debug)]
pub struct Node {
    identity: Identity,
    shape: Shape,
    rules: Rules,
    lanes: Vec<Lane>,
    clock: HybridClock,
    peer: Peer,
    started_at: Option<Millis>,
    stepped_at: Millis,
    /// Since when this worker does not know whether it was replaced; `None`: it knows.
    away_since: Option<Millis>,
    heartbeat_at: Millis,
    checked_at: Millis,
    /// The slot that is compared next.
    next_check: Slot,
    is_stopping: bool,
    said_goodbye: bool,
    /// For lineages: a random number.
    seed: u64,
}

impl Node {
    /// A worker without data. `seed`: a random number that no other start of a worker has.
    pub fn new(identity: Identity, shape: Shape, rules: Rules, seed: u64) -> Self {
        Self {
            lanes: (0..shape.lanes()).map(|number| Lane::new(number, shape)).collect(),
            clock: HybridClock::new(identity.me < identity.partner),
            identity,
            shape,
            rules,
            peer: Peer::default(),
            started_at: None,
            stepped_at: 0,
            away_since: None,
            heartbeat_at: 0,
            checked_at: 0,
            next_check: 0,
            is_stopping: false,
            said_goodbye: false,
            seed,
        }
    }

    /// What stands on all frames of this worker.
    pub fn header(&self) -> Header {
        Header { from: self.identity.me, incarnation: self.identity.incarnation, map_epoch: 0, pair_generation: 0 }
    }

    /// What is done with a request that concerns `lane` at this moment.
    pub fn service(&self, lane: LaneNumber, writes: bool, now: Millis) -> Service {
        let lane = &self.lanes[usize::from(lane)];
        if lane.lineage() == Lineage::NONE {
            if self.rules.has(Defect::EmptyAnswers) && !writes {
                return Service::Here;
            }
            return if self.peer.has_data && self.peer.is_linked() { Service::Partner } else { Service::Loading };
        }
        if !lane.is_primary() {
            return if self.peer.is_linked() { Service::Partner } else { Service::Wait };
        }
        let timing = &self.rules.timing;
        let is_away = self.away_since.is_some() || now > self.stepped_at + timing.own_gap_ms;
        let is_held = lane.is_handing_over()
            || (writes && lane.is_slow(now, timing.slow_after_ms, self.rules.volume.window_bytes));
        if is_away || is_held { Service::Wait } else { Service::Here }
    }

    /// Whether the partner answers, and there is a connection to it.
    pub fn is_linked(&self) -> bool {
        self.peer.is_linked()
    }

    /// Whether this worker is primary of a lane, and decides what goes from it.
    pub fn is_primary(&self, lane: LaneNumber) -> bool {
        self.lanes[usize::from(lane)].is_primary()
    }

    /// Whether writes of a lane are acknowledged with one copy.
    pub fn is_alone(&self, lane: LaneNumber) -> bool {
        self.lanes[usize::from(lane)].mode() == Some(Mode::Solo)
    }

    /// What is acknowledged of a lane, and its last entry. While they differ, a reply may show what is not acknowledged.
    pub fn position(&self, lane: LaneNumber) -> (Sequence, Sequence) {
        let lane = &self.lanes[usize::from(lane)];
        (lane.committed(), lane.end())
    }

    /// What this worker is doing in a lane.
    pub fn doing(&self, lane: LaneNumber) -> Doing {
        self.lanes[usize::from(lane)].doing()
    }

    /// How complete the copy of a lane is.
    pub fn standing(&self, lane: LaneNumber) -> Standing {
        self.lanes[usize::from(lane)].standing()
    }

    /// Whether changes of a lane wait because it is about to go to the partner.
    pub fn is_pausing(&self, lane: LaneNumber) -> bool {
        self.lanes[usize::from(lane)].is_handing_over()
    }

    /// Memory of entries that wait to be sent or applied.
    pub fn buffered_bytes(&self) -> usize {
        self.lanes.iter().map(Lane::buffered_bytes).sum()
    }

    /// Bytes that both members of the pair may hold: the fewer of both.
    pub fn capacity(&self) -> u64 {
        self.identity.capacity.min(self.peer.capacity.unwrap_or(u64::MAX))
    }

    /// Time of the hybrid clock in ms, by which records expire.
    pub fn time_ms(&self, wall: u64) -> u64 {
        self.clock.now_ms(wall)
    }

    /// A lane, as the partner hears of it.
    pub fn report(&self, lane: LaneNumber) -> LaneReport {
        self.lanes[usize::from(lane)].report()
    }

    /// Acknowledged values that lost when two halves met again.
    pub fn dropped(&self) -> u64 {
        self.lanes.iter().map(Lane::dropped).sum()
    }

    /// Whether the worker may end: the partner is primary of everything, or nobody can be.
    pub fn is_drained(&self) -> bool {
        self.said_goodbye
    }

    /// A version for a change of `key`.
    pub fn next_version<S: Store>(&mut self, store: &S, wall: u64, slot: Slot, key: &[u8]) -> Version {
        let known = store.known(slot, key).map_or(0, crate::store::Known::version);
        self.clock.next(wall, known.max(store.sum(slot).floor))
    }

    /// What is known of request `number` of a session that its client numbers. `lane`: that of its first key.
    pub fn recall(&self, lane: LaneNumber, session: u64, number: u64) -> Recall {
        self.lanes[usize::from(lane)].recall(session, number)
    }

    /// Adds changes that the store has already, of one lane or several, that take effect together. The reply waits until
    /// all of these entries are acknowledged. A request that its client has numbered is remembered with the first part,
    /// which may be without records.
    pub fn commit<S: Store>(
        &mut self,
        now: Now,
        store: &mut S,
        parts: Vec<(LaneNumber, Vec<Record>)>,
        mut request: Option<RequestId>,
        out: &mut Vec<Output>,
    ) -> Vec<(LaneNumber, Sequence)> {
        let places: Vec<_> = parts.iter().map(|(lane, _)| (*lane, self.lanes[usize::from(*lane)].end() + 1)).collect();
        let group = (parts.len() > 1).then(|| Arc::new(Group { parts: places.clone() }));
        let mut step = Step { now: now.at, wall: now.wall, store, out };
        for (lane, records) in parts {
            let entry = Entry { operation: Operation::Write(records), request: request.take(), group: group.clone() };
            self.with_lane(lane, &mut step, |lane, cx| lane.commit(cx, Arc::new(entry)));
        }
        places
    }

    /// Empties lanes, all together. The reply waits as in [`Node::commit`].
    pub fn flush<S: Store>(
        &mut self,
        now: Now,
        store: &mut S,
        lanes: &[LaneNumber],
        out: &mut Vec<Output>,
    ) -> Vec<(LaneNumber, Sequence, Version)> {
        let places: Vec<_> = lanes.iter().map(|&lane| (lane, self.lanes[usize::from(lane)].end() + 1)).collect();
        let group = (places.len() > 1).then(|| Arc::new(Group { parts: places.clone() }));
        let mut step = Step { now: now.at, wall: now.wall, store, out };
        let flush = |(number, sequence): (LaneNumber, Sequence)| {
            let slots = (0..self.shape.slots_per_lane()).map(|place| self.shape.slot_at(number, place));
            let floor = slots.map(|slot| step.store.sum(slot).floor).max().unwrap_or(0);
            let version = self.clock.next(now.wall, floor);
            step.store.flush(number, version);
            let entry = Entry { operation: Operation::Flush(version), request: None, group: group.clone() };
            self.with_lane(number, &mut step, |lane, cx| lane.commit(cx, Arc::new(entry)));
            (number, sequence, version)
        };
        places.into_iter().map(flush).collect()
    }

    /// Takes a step.
    pub fn step<S: Store>(&mut self, now: Now, input: Input, store: &mut S, out: &mut Vec<Output>) {
        let step = &mut Step { now: now.at, wall: now.wall, store, out };
        if self.started_at.is_none() {
            self.started_at = Some(step.now);
            self.stepped_at = step.now;
        }
        self.notice_gap(step.now);
        let terms = self.terms();
        match input {
            Input::Tick => self.tick(step),
            Input::Dialled => self.on_dialled(step),
            Input::Refused => self.on_refused(step),
            Input::Closed => self.on_closed(step),
            Input::PartnerClosed { connection } => self.peer.on_disconnected(connection),
            Input::Frame { connection, frame } => self.on_frame(step, connection, frame),
            Input::Witness(testimony) => self.on_testimony(step, testimony),
            Input::Stop => self.is_stopping = true,
        }
        // A change of primary is told at once: until the partner knows, nobody answers for the lane.
        if self.terms() != terms {
            self.heartbeat(step);
        }
    }

    /// The sum of all counters, which never go back.
    fn terms(&self) -> u64 {
        self.lanes.iter().map(|lane| u64::from(lane.term().counter)).sum()
    }

    fn with_lane<S: Store, T>(
        &mut self,
        lane: LaneNumber,
        step: &mut Step<'_, S>,
        act: impl FnOnce(&mut Lane, &mut Context<'_, S>) -> T,
    ) -> T {
        let mut context = Context {
            shape: self.shape,
            rules: &self.rules,
            me: self.identity.me,
            peer: self.identity.partner,
            now: step.now,
            wall: step.wall,
            is_awake: self.away_since.is_none(),
            is_linked: self.peer.is_linked(),
            store: step.store,
            clock: &mut self.clock,
            out: step.out,
        };
        act(&mut self.lanes[usize::from(lane)], &mut context)
    }

    fn each_lane<S: Store>(&mut self, step: &mut Step<'_, S>, mut act: impl FnMut(&mut Lane, &mut Context<'_, S>)) {
        for lane in 0..self.shape.lanes() {
            self.with_lane(lane, step, &mut act);
        }
    }
}
