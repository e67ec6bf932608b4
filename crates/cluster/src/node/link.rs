//! The connection to the partner, and what its words and its silence mean.

use tandem_wire::replication::{Body, Frame, Incarnation, LaneNumber};

use super::peer::{Link, PeerState, Pulse};
use super::{Node, Step};
use crate::lane::{AckState, Lane, Offer, Piece};
use crate::output::{Event, Output};
use crate::planted::Defect;
use crate::rules::{Meaning, Millis, Testimony};
use crate::store::Store;

impl Node {
    /// A step that comes late: this worker was away, and the partner may have taken it for dead.
    pub(super) fn notice_gap(&mut self, now: Millis) {
        if now > self.stepped_at + self.rules.timing.own_gap_ms && !self.rules.has(Defect::SoloAfterOwnGap) {
            self.away_since = Some(now);
            self.peer.restart(now);
        }
        self.stepped_at = now;
    }

    /// Whether this worker knows again that nobody has replaced it.
    fn come_to(&mut self, now: Millis) {
        let Some(since) = self.away_since else { return };
        let nobody = matches!(self.peer.state, PeerState::Dead | PeerState::Unknown);
        let is_answered = self.peer.echoed_at >= since && self.peer.state == PeerState::Up;
        if nobody || is_answered || now >= since + self.rules.timing.solo_after_ms {
            self.away_since = None;
        }
    }

    /// Keeps the connection, and draws conclusions from silence.
    pub(super) fn watch_partner<S: Store>(&mut self, step: &mut Step<'_, S>) {
        if self.peer.is_to_dial(&self.rules.timing, step.now) {
            step.out.push(Output::Dial);
        }
        let solo_after = self.rules.timing.solo_after_ms;
        if self.peer.state == PeerState::Up && self.peer.is_unechoed_for(solo_after, step.now) {
            self.peer.state = PeerState::Silent;
            step.out.push(Output::Event(Event::PartnerLost { partner: self.identity.partner, dead: false }));
        }
        self.come_to(step.now);
        if self.away_since.is_some() && self.peer.state != PeerState::Dead {
            return;
        }
        if self.peer.state != PeerState::Up {
            self.each_lane(step, Lane::go_solo);
        }
        match self.peer.state {
            PeerState::Dead => self.take_over(step),
            PeerState::Silent => self.look_at_silence(step),
            PeerState::Unknown | PeerState::Up => {}
        }
    }

    fn look_at_silence<S: Store>(&mut self, step: &mut Step<'_, S>) {
        let timing = &self.rules.timing;
        if !self.peer.is_silent_for(timing.takeover_after_ms, step.now) || self.lanes.iter().all(Lane::is_primary) {
            return;
        }
        if !self.identity.has_witness {
            if self.rules.takeover[Testimony::Nobody as usize] {
                self.take_over(step);
            }
        } else if step.now >= self.peer.witness_asked_at + timing.witness_every_ms {
            self.peer.witness_asked_at = step.now;
            step.out.push(Output::AskWitness);
        }
    }

    pub(super) fn on_testimony<S: Store>(&mut self, step: &mut Step<'_, S>, testimony: Testimony) {
        let takeover_after = self.rules.timing.takeover_after_ms;
        if self.peer.is_silent_for(takeover_after, step.now) && self.rules.takeover[testimony as usize] {
            self.take_over(step);
        }
    }

    pub(super) fn on_dialled<S: Store>(&mut self, step: &mut Step<'_, S>) {
        self.peer.set_link(Link::Open, step.now);
        let (lanes, slots) = (self.shape.lanes(), self.shape.slots());
        step.out.push(Output::Send(Body::Hello { lanes, slots, capacity: self.identity.capacity }));
        self.heartbeat(step);
    }

    /// Its system says that nobody listens. That alone is not death: it may be about to listen again.
    pub(super) fn on_refused<S: Store>(&mut self, step: &mut Step<'_, S>) {
        self.peer.set_link(Link::Down, step.now);
        if self.peer.is_quiet(&self.rules.timing, step.now) {
            self.on_sign(step, self.rules.signs.refused);
        }
    }

    pub(super) fn on_closed<S: Store>(&mut self, step: &mut Step<'_, S>) {
        self.peer.set_link(Link::Down, step.now);
        if self.peer.is_to_dial(&self.rules.timing, step.now) {
            step.out.push(Output::Dial);
        }
        let meaning = if self.rules.has(Defect::ResetIsDeath) { Meaning::Dead } else { self.rules.signs.closed };
        self.on_sign(step, meaning);
    }

    /// The end of a connection, a refusal, a goodbye, a new incarnation.
    fn on_sign<S: Store>(&mut self, step: &mut Step<'_, S>, meaning: Meaning) {
        if meaning != Meaning::Dead || matches!(self.peer.state, PeerState::Dead | PeerState::Unknown) {
            return;
        }
        self.peer.state = PeerState::Dead;
        self.peer.has_data = false;
        step.out.push(Output::Event(Event::PartnerLost { partner: self.identity.partner, dead: true }));
        self.come_to(step.now);
        self.each_lane(step, |lane, cx| {
            lane.lose_follower();
            lane.go_solo(cx);
        });
        self.take_over(step);
    }

    /// Becomes primary of everything. Lanes of which nothing has come begin anew, if others have.
    fn take_over<S: Store>(&mut self, step: &mut Step<'_, S>) {
        let has_data = self.lanes.iter().any(|lane| lane.lineage().exists());
        let lineage = self.new_lineage();
        self.each_lane(step, |lane, cx| {
            if lane.lineage().exists() {
                lane.take_over(cx);
            } else if has_data {
                lane.take_over_empty(cx, lineage);
            }
        });
    }

    /// Tells the partner how everything is.
    pub(super) fn heartbeat<S: Store>(&mut self, step: &mut Step<'_, S>) {
        self.heartbeat_at = step.now;
        step.out.push(Output::Send(Body::Heartbeat {
            sent: step.now,
            echo: self.peer.their_time,
            held_ms: step.now.saturating_sub(self.peer.their_time_at),
            version: self.clock.last(),
            wall: step.wall,
            leaving: self.is_leaving(),
            lanes: self.lanes.iter().map(Lane::report).collect(),
        }));
    }

    pub(super) fn on_frame<S: Store>(&mut self, step: &mut Step<'_, S>, connection: u64, frame: Frame) {
        if frame.header.from != self.identity.partner || connection < self.peer.connection {
            return;
        }
        if let Body::Hello { lanes, slots, capacity } = frame.body {
            if (lanes, slots) == (self.shape.lanes(), self.shape.slots()) {
                self.peer.capacity = Some(capacity);
                self.on_hello(step, connection, frame.header.incarnation);
            }
            return;
        }
        if connection != self.peer.connection || Some(frame.header.incarnation) != self.peer.incarnation {
            return;
        }
        self.peer.heard_at = step.now;
        match frame.body {
            Body::Heartbeat { sent, echo, held_ms, version, wall, leaving, lanes } => {
                self.clock.see(version);
                let pulse = Pulse { sent, echo, held_ms, wall, is_leaving: leaving };
                let started_at = self.started_at.unwrap_or(step.now);
                self.peer.on_heartbeat(&self.rules.timing, step.now, step.wall, started_at, &pulse, &lanes);
                for (number, theirs) in lanes.iter().enumerate().take(self.lanes.len()) {
                    self.with_lane(number as LaneNumber, step, |lane, cx| lane.on_report(cx, theirs));
                }
                self.come_to(step.now);
                self.fetch(step);
            }
            Body::Goodbye => self.on_sign(step, self.rules.signs.goodbye),
            body => self.on_lane_frame(step, body),
        }
    }

    fn on_hello<S: Store>(&mut self, step: &mut Step<'_, S>, connection: u64, incarnation: Incarnation) {
        self.peer.connection = connection;
        let is_known = self.peer.incarnation == Some(incarnation);
        if !is_known && self.peer.incarnation.is_some() {
            self.on_sign(step, self.rules.signs.reborn);
        }
        if !is_known {
            self.peer.meet(incarnation);
            // What the process before has said may have come since it was known to be gone.
            self.each_lane(step, |lane, _| lane.lose_follower());
        }
        self.peer.on_connected(&self.rules.timing, step.now, is_known);
        if self.peer.is_to_dial(&self.rules.timing, step.now) {
            step.out.push(Output::Dial);
        } else {
            self.heartbeat(step);
        }
    }

    fn on_lane_frame<S: Store>(&mut self, step: &mut Step<'_, S>, body: Body) {
        let Some((number, term)) = body.lane() else { return };
        let Some(lane) = self.lanes.get(usize::from(number)) else { return };
        // Who speaks of another term learns of this one, or teaches it, by the next heartbeat.
        if lane.term() != term {
            return;
        }
        let is_stream = matches!(body, Body::Stream { .. });
        self.with_lane(number, step, |lane, cx| match body {
            Body::Stream { round, after, entries, .. } => lane.on_stream(cx, round, after, entries),
            Body::Ack { round, end, gap, full, ready, .. } => {
                lane.on_ack(cx, round, end, AckState { gap, full, ready })
            }
            Body::Follow { round, common, changed, .. } => lane.on_follow(cx, round, common, &changed),
            Body::Begin { lineage, round, at, history, until, difference, .. } => {
                lane.on_begin(cx, round, Offer { lineage, at, history, until, difference });
            }
            Body::Want { round, slot, cursor, .. } => lane.on_want(cx, round, slot, cursor),
            Body::Upload { lineage, round, piece, slot, records, done, alone_since, .. } => {
                lane.on_upload(cx, Piece { lineage, round, number: piece, slot, records, done, alone_since });
            }
            Body::Uploaded { round, piece, .. } => lane.on_uploaded(cx, round, piece),
            Body::OutOfSync { notice, .. } => lane.on_out_of_sync(cx, notice),
            Body::OutOfSyncKnown { notice, .. } => lane.on_out_of_sync_known(cx, notice),
            Body::Hello { .. } | Body::Heartbeat { .. } | Body::Goodbye => {}
        });
        if is_stream {
            self.apply_held(step, Some(number));
        }
        self.fetch(step);
    }
}
