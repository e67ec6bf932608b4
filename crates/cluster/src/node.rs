//! A worker with its partner: all lanes, the link between the two, and what its silence means.

use std::sync::Arc;

use tandem_wire::replication::{
    Body, Entry, Frame, Group, Header, Incarnation, LaneNumber, LaneReport, Lineage, NodeId, Operation, Record,
    Sequence, Slot, Standing, Version,
};

use crate::clock::HybridClock;
use crate::lane::{AckState, Context, Doing, Lane, Mode, Piece};
use crate::output::{Event, Output};
use crate::peer::{Peer, PeerState};
use crate::rules::{Meaning, Millis, Rules, Testimony};
use crate::slots::Shape;
use crate::store::Store;

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

    /// All lanes, as the partner hears of them.
    pub fn reports(&self) -> Vec<LaneReport> {
        self.lanes.iter().map(Lane::report).collect()
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

    /// Adds changes that the store has already, of one lane or several, that take effect together. The reply waits until
    /// all of these entries are acknowledged.
    pub fn commit<S: Store>(
        &mut self,
        now: Millis,
        wall: u64,
        store: &mut S,
        parts: Vec<(LaneNumber, Vec<Record>)>,
        out: &mut Vec<Output>,
    ) -> Vec<(LaneNumber, Sequence)> {
        let places: Vec<_> = parts.iter().map(|(lane, _)| (*lane, self.lanes[usize::from(*lane)].end() + 1)).collect();
        let group = (parts.len() > 1).then(|| Arc::new(Group { parts: places.clone() }));
        for (lane, records) in parts {
            let entry = Entry { operation: Operation::Write(records), request: None, group: group.clone() };
            self.with_lane(lane, now, wall, store, out, |lane, cx| lane.commit(cx, Arc::new(entry)));
        }
        places
    }

    /// Takes a step.
    pub fn step<S: Store>(&mut self, now: Millis, wall: u64, input: Input, store: &mut S, out: &mut Vec<Output>) {
        let started_at = *self.started_at.get_or_insert(now);
        if now == started_at {
            self.stepped_at = now;
        }
        if now > self.stepped_at + self.rules.timing.own_gap_ms {
            self.away_since = Some(now);
            self.peer.restart(now);
        }
        self.stepped_at = now;
        match input {
            Input::Tick => self.tick(now, wall, store, out),
            Input::Dialled => {
                self.peer.is_dialled = true;
                let (lanes, slots) = (self.shape.lanes(), self.shape.slots());
                out.push(Output::Send(Body::Hello { lanes, slots, capacity: self.identity.capacity }));
                self.heartbeat(now, wall, out);
            }
            Input::Refused => self.on_sign(self.rules.signs.refused, now, wall, store, out),
            Input::Closed => {
                self.peer.is_dialled = false;
                self.dial(now, out);
                self.on_sign(self.rules.signs.closed, now, wall, store, out);
            }
            Input::Frame { connection, frame } => self.on_frame(now, wall, connection, frame, store, out),
            Input::Witness(testimony) => {
                if self.peer.is_silent_for(self.rules.timing.takeover_after_ms, now)
                    && self.rules.takeover[testimony as usize]
                {
                    self.take_over(now, wall, store, out);
                }
            }
            Input::Stop => self.is_stopping = true,
        }
    }

    fn with_lane<S: Store, T>(
        &mut self,
        lane: LaneNumber,
        now: Millis,
        wall: u64,
        store: &mut S,
        out: &mut Vec<Output>,
        act: impl FnOnce(&mut Lane, &mut Context<'_, S>) -> T,
    ) -> T {
        let mut context = Context {
            shape: self.shape,
            rules: &self.rules,
            me: self.identity.me,
            peer: self.identity.partner,
            now,
            wall,
            awake: self.away_since.is_none(),
            store,
            clock: &mut self.clock,
            out,
        };
        act(&mut self.lanes[usize::from(lane)], &mut context)
    }

    fn each_lane<S: Store>(
        &mut self,
        now: Millis,
        wall: u64,
        store: &mut S,
        out: &mut Vec<Output>,
        mut act: impl FnMut(&mut Lane, &mut Context<'_, S>),
    ) {
        for lane in 0..self.shape.lanes() {
            self.with_lane(lane, now, wall, store, out, &mut act);
        }
    }

    fn tick<S: Store>(&mut self, now: Millis, wall: u64, store: &mut S, out: &mut Vec<Output>) {
        let timing = self.rules.timing.clone();
        // A connection on which nothing is answered may lead to a machine that has forgotten it.
        if self.peer.state != PeerState::Up && now >= self.peer.dialled_at + timing.solo_after_ms {
            self.peer.is_dialled = false;
        }
        if !self.peer.is_dialled {
            self.dial(now, out);
        }
        if self.peer.state == PeerState::Up && self.peer.is_unechoed_for(timing.solo_after_ms, now) {
            self.peer.state = PeerState::Silent;
            out.push(Output::Event(Event::PartnerLost { partner: self.identity.partner, dead: false }));
        }
        self.come_to(now);
        if self.peer.state != PeerState::Up && self.away_since.is_none() {
            self.each_lane(now, wall, store, out, Lane::go_solo);
        }
        match self.peer.state {
            PeerState::Dead => self.take_over(now, wall, store, out),
            PeerState::Silent if self.away_since.is_none() => self.look_at_silence(now, wall, store, out),
            PeerState::Silent | PeerState::Unknown | PeerState::Up => {}
        }
        self.begin_if_empty(now, wall, store, out);
        let linked = self.peer.state == PeerState::Up;
        self.each_lane(now, wall, store, out, |lane, cx| {
            lane.tick_primary(cx, linked);
            lane.tick_partner(cx);
        });
        self.apply_held(now, wall, store, out, None);
        self.fetch(now, wall, store, out);
        self.return_lanes(now, wall, store, out);
        if now >= self.heartbeat_at + timing.heartbeat_ms {
            self.heartbeat(now, wall, out);
        }
    }

    /// Whether this worker knows again that nobody has replaced it.
    fn come_to(&mut self, now: Millis) {
        let Some(since) = self.away_since else { return };
        let nobody = matches!(self.peer.state, PeerState::Dead | PeerState::Unknown);
        if nobody
            || self.peer.echoed_at >= since && self.peer.state == PeerState::Up
            || now >= since + self.rules.timing.solo_after_ms
        {
            self.away_since = None;
        }
    }

    fn dial(&mut self, now: Millis, out: &mut Vec<Output>) {
        if now >= self.peer.dialled_at + self.rules.timing.heartbeat_ms || self.peer.dialled_at == 0 {
            self.peer.dialled_at = now;
            out.push(Output::Dial);
        }
    }

    fn heartbeat(&mut self, now: Millis, wall: u64, out: &mut Vec<Output>) {
        self.heartbeat_at = now;
        let (echo, version, lanes) = (self.peer.their_time, self.clock.last(), self.reports());
        out.push(Output::Send(Body::Heartbeat { sent: now, echo, version, wall, lanes }));
    }

    /// The end of a connection, a refusal, a goodbye, a new incarnation.
    fn on_sign<S: Store>(&mut self, meaning: Meaning, now: Millis, wall: u64, store: &mut S, out: &mut Vec<Output>) {
        if meaning != Meaning::Dead || matches!(self.peer.state, PeerState::Dead | PeerState::Unknown) {
            return;
        }
        self.peer.state = PeerState::Dead;
        self.peer.has_data = false;
        out.push(Output::Event(Event::PartnerLost { partner: self.identity.partner, dead: true }));
        self.come_to(now);
        self.each_lane(now, wall, store, out, |lane, cx| {
            lane.lose_follower();
            lane.go_solo(cx);
        });
        self.take_over(now, wall, store, out);
    }

    fn take_over<S: Store>(&mut self, now: Millis, wall: u64, store: &mut S, out: &mut Vec<Output>) {
        self.each_lane(now, wall, store, out, Lane::take_over);
    }

    fn look_at_silence<S: Store>(&mut self, now: Millis, wall: u64, store: &mut S, out: &mut Vec<Output>) {
        let timing = &self.rules.timing;
        if !self.peer.is_silent_for(timing.takeover_after_ms, now) || self.lanes.iter().all(Lane::is_primary) {
            return;
        }
        if !self.identity.has_witness {
            if self.rules.takeover[Testimony::Nobody as usize] {
                self.take_over(now, wall, store, out);
            }
        } else if now >= self.peer.witness_asked_at + timing.witness_every_ms {
            self.peer.witness_asked_at = now;
            out.push(Output::AskWitness);
        }
    }

    /// Begins a data set where there is none: the lower id of two that are in contact, or a worker that reaches nobody.
    fn begin_if_empty<S: Store>(&mut self, now: Millis, wall: u64, store: &mut S, out: &mut Vec<Output>) {
        if self.lanes.iter().any(|lane| lane.lineage().exists()) {
            return;
        }
        let Identity { me, partner, .. } = self.identity;
        let waited = now >= self.started_at.unwrap_or(now) + self.rules.timing.alone_after_ms;
        let agreed = self.peer.state == PeerState::Up && self.peer.is_empty && me < partner;
        let deserted = waited && self.peer.state != PeerState::Up;
        if !agreed && !deserted {
            return;
        }
        if deserted {
            out.push(Output::Event(Event::StartedEmpty));
        }
        let seed = self.seed;
        self.each_lane(now, wall, store, out, |lane, cx| lane.start(cx, Lineage(seed.max(1))));
    }

    /// Hands lanes over that are not to stay here.
    fn return_lanes<S: Store>(&mut self, now: Millis, wall: u64, store: &mut S, out: &mut Vec<Output>) {
        let Identity { me, partner, .. } = self.identity;
        let leaves = self.is_stopping || self.peer.clock_behind_ms > self.rules.timing.clock_ahead_ms;
        for number in 0..self.shape.lanes() {
            let is_home = self.rules.home(number, me.min(partner), me.max(partner)) == me;
            if leaves || !is_home && !self.peer.is_ahead(self.rules.timing.clock_ahead_ms) {
                self.with_lane(number, now, wall, store, out, Lane::hand_over);
            }
        }
        let is_handed = !self.lanes.iter().any(Lane::is_primary) || self.peer.state != PeerState::Up;
        if self.is_stopping && is_handed && !self.said_goodbye {
            self.heartbeat(now, wall, out);
            out.push(Output::Send(Body::Goodbye));
            self.said_goodbye = true;
        }
    }

    /// Keeps some lanes fetching.
    fn fetch<S: Store>(&mut self, now: Millis, wall: u64, store: &mut S, out: &mut Vec<Output>) {
        let mut busy = self.lanes.iter().filter(|lane| lane.is_refilling()).count();
        for number in 0..self.shape.lanes() {
            if busy >= self.rules.volume.refilling_lanes {
                return;
            }
            if !self.lanes[usize::from(number)].is_refilling()
                && self.with_lane(number, now, wall, store, out, Lane::fetch_next)
            {
                busy += 1;
            }
        }
    }

    /// Applies entries of the stream that wait for nothing, and changes of several lanes of which all parts are there.
    /// `came`: the lane for which something came, which is acknowledged in any case.
    fn apply_held<S: Store>(
        &mut self,
        now: Millis,
        wall: u64,
        store: &mut S,
        out: &mut Vec<Output>,
        came: Option<LaneNumber>,
    ) {
        let before: Vec<_> = self.lanes.iter().map(|lane| (lane.end(), lane.standing())).collect();
        loop {
            self.each_lane(now, wall, store, out, Lane::apply_plain);
            let whole = self.lanes.iter().find_map(|lane| {
                let group = lane.head_group()?;
                group
                    .parts
                    .iter()
                    .all(|&(lane, at)| self.lanes.get(usize::from(lane)).is_none_or(|one| one.allows(at)))
                    .then_some(group)
            });
            let Some(group) = whole else { break };
            let mut applied = false;
            for &(number, at) in &group.parts {
                if self
                    .lanes
                    .get(usize::from(number))
                    .is_some_and(|lane| lane.end() + 1 == at && lane.head_group().is_some())
                {
                    applied |= self.with_lane(number, now, wall, store, out, Lane::apply_head);
                }
            }
            if !applied {
                break;
            }
        }
        for number in 0..self.shape.lanes() {
            let lane = &self.lanes[usize::from(number)];
            if Some(number) == came || before[usize::from(number)] != (lane.end(), lane.standing()) {
                self.with_lane(number, now, wall, store, out, |lane, cx| lane.acknowledge(cx, false));
            }
        }
    }

    fn on_frame<S: Store>(
        &mut self,
        now: Millis,
        wall: u64,
        connection: u64,
        frame: Frame,
        store: &mut S,
        out: &mut Vec<Output>,
    ) {
        if frame.header.from != self.identity.partner || connection < self.peer.connection {
            return;
        }
        if let Body::Hello { lanes, slots, capacity } = frame.body {
            if (lanes, slots) == (self.shape.lanes(), self.shape.slots()) {
                self.peer.capacity = Some(capacity);
                self.on_hello(now, wall, connection, frame.header.incarnation, store, out);
            }
            return;
        }
        if connection != self.peer.connection || Some(frame.header.incarnation) != self.peer.incarnation {
            return;
        }
        self.peer.heard_at = now;
        match frame.body {
            Body::Heartbeat { sent, echo, version, wall: their_wall, lanes } => {
                self.clock.see(version);
                self.peer.on_heartbeat(now, wall, sent, echo, their_wall, &lanes);
                for (number, theirs) in lanes.iter().enumerate().take(self.lanes.len()) {
                    self.with_lane(number as LaneNumber, now, wall, store, out, |lane, cx| lane.on_report(cx, theirs));
                }
                self.come_to(now);
                self.fetch(now, wall, store, out);
            }
            Body::Goodbye => self.on_sign(self.rules.signs.goodbye, now, wall, store, out),
            body => self.on_lane_frame(now, wall, body, store, out),
        }
    }

    fn on_hello<S: Store>(
        &mut self,
        now: Millis,
        wall: u64,
        connection: u64,
        incarnation: Incarnation,
        store: &mut S,
        out: &mut Vec<Output>,
    ) {
        self.peer.connection = connection;
        if self.peer.incarnation.is_some_and(|known| known != incarnation) {
            self.on_sign(self.rules.signs.reborn, now, wall, store, out);
        }
        if self.peer.incarnation != Some(incarnation) {
            self.peer.meet(incarnation);
        }
        self.peer.heard_at = now;
        self.heartbeat(now, wall, out);
    }

    fn on_lane_frame<S: Store>(&mut self, now: Millis, wall: u64, body: Body, store: &mut S, out: &mut Vec<Output>) {
        let Some((number, term)) = body.lane() else { return };
        // Who speaks of another term learns of this one, or teaches it, by the next heartbeat.
        if self.lanes.get(usize::from(number)).is_none_or(|lane| lane.term() != term) {
            return;
        }
        let is_stream = matches!(body, Body::Stream { .. });
        self.with_lane(number, now, wall, store, out, |lane, cx| match body {
            Body::Stream { round, after, entries, .. } => lane.on_stream(cx, round, after, entries),
            Body::Ack { round, end, gap, full, ready, .. } => {
                lane.on_ack(cx, round, end, AckState { gap, full, ready })
            }
            Body::Follow { round, common, changed, .. } => lane.on_follow(cx, round, common, &changed),
            Body::Begin { lineage, round, at, history, until, difference, .. } => {
                lane.on_begin(cx, lineage, round, at, history, until, &difference);
            }
            Body::Want { round, slot, cursor, .. } => lane.on_want(cx, round, slot, cursor),
            Body::Upload { lineage, slot, cursor, records, done, alone_since, .. } => {
                lane.on_upload(cx, Piece { lineage, slot, cursor, records, done, alone_since });
            }
            Body::Uploaded { slot, cursor, .. } => lane.on_uploaded(cx, slot, cursor),
            Body::OutOfSync { notice, .. } => lane.on_out_of_sync(cx, notice),
            Body::OutOfSyncKnown { notice, .. } => lane.on_out_of_sync_known(cx, notice),
            Body::Hello { .. } | Body::Heartbeat { .. } | Body::Goodbye => {}
        });
        if is_stream {
            self.apply_held(now, wall, store, out, Some(number));
        }
        self.fetch(now, wall, store, out);
    }

    /// How complete the copy of a lane is.
    pub fn standing(&self, lane: LaneNumber) -> Standing {
        self.lanes[usize::from(lane)].standing()
    }
}
