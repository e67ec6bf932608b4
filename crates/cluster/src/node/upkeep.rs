//! What a worker sees to as time passes: data where there is none, slots that are missing, changes of several lanes,
//! and lanes that belong to the partner.

use tandem_wire::replication::{Body, LaneNumber, Lineage};

use super::peer::PeerState;
use super::{Identity, Node, Step};
use crate::lane::Lane;
use crate::output::{Event, Output};
use crate::store::Store;

impl Node {
    pub(super) fn tick<S: Store>(&mut self, step: &mut Step<'_, S>) {
        self.watch_partner(step);
        self.begin_if_empty(step);
        self.each_lane(step, |lane, cx| {
            lane.tick_primary(cx);
            lane.tick_partner(cx);
        });
        self.apply_held(step, None);
        self.fetch(step);
        self.return_lanes(step);
        self.check(step);
        if step.now >= self.heartbeat_at + self.rules.timing.heartbeat_ms {
            self.heartbeat(step);
        }
    }

    /// Begins a data set where there is none: the lower id of two that are in contact, or a worker that reaches nobody.
    fn begin_if_empty<S: Store>(&mut self, step: &mut Step<'_, S>) {
        if self.lanes.iter().any(|lane| lane.lineage().exists()) {
            return;
        }
        let Identity { me, partner, .. } = self.identity;
        let timing = &self.rules.timing;
        // Who was heard of a moment ago is about to begin, or to say that it has data.
        let is_unheard = self.peer.heard_at == 0 || step.now >= self.peer.heard_at + timing.takeover_after_ms;
        let waited = is_unheard && step.now >= self.started_at.unwrap_or(step.now) + timing.alone_after_ms;
        let agreed = self.peer.state == PeerState::Up && self.peer.is_empty && me < partner;
        let deserted = waited && self.peer.state != PeerState::Up;
        if !agreed && !deserted {
            return;
        }
        if deserted {
            step.out.push(Output::Event(Event::StartedEmpty));
        }
        let lineage = self.new_lineage();
        self.each_lane(step, |lane, cx| lane.start(cx, lineage));
    }

    /// A data set of this process.
    pub(super) fn new_lineage(&self) -> Lineage {
        Lineage(self.seed.max(1))
    }

    /// Whether this worker is to be primary of nothing: it ends, or its clock is ahead.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_stopping || self.peer.clock_behind_ms > self.rules.timing.clock_ahead_ms
    }

    /// Hands lanes over that are not to stay here.
    fn return_lanes<S: Store>(&mut self, step: &mut Step<'_, S>) {
        let Identity { me, partner, .. } = self.identity;
        let leaves = self.is_leaving();
        for number in 0..self.shape.lanes() {
            let is_home = self.rules.home(number, me.min(partner), me.max(partner)) == me;
            if leaves || (!is_home && !self.peer.is_leaving) {
                self.with_lane(number, step, Lane::hand_over);
            }
        }
        // A partner that is silent may be back in a moment; how long that is waited for is up to whoever ends the worker.
        let nobody = matches!(self.peer.state, PeerState::Dead | PeerState::Unknown);
        let is_handed = nobody || !self.lanes.iter().any(Lane::is_primary);
        if self.is_stopping && is_handed && !self.said_goodbye {
            self.heartbeat(step);
            step.out.push(Output::Send(Body::Goodbye));
            self.said_goodbye = true;
        }
    }

    /// Lets the partner compare one slot with this worker's, and another the next time, for ever.
    fn check<S: Store>(&mut self, step: &mut Step<'_, S>) {
        if step.now < self.checked_at + self.rules.timing.check_every_ms {
            return;
        }
        self.checked_at = step.now;
        for _ in 0..self.shape.lanes() {
            let slot = self.next_check;
            self.next_check = (slot + 1) % self.shape.slots();
            if self.with_lane(self.shape.lane_of(slot), step, |lane, cx| lane.check(cx, slot)) {
                return;
            }
        }
    }

    /// Keeps some lanes fetching.
    pub(super) fn fetch<S: Store>(&mut self, step: &mut Step<'_, S>) {
        let mut busy = self.lanes.iter().filter(|lane| lane.is_refilling()).count();
        for number in 0..self.shape.lanes() {
            if busy >= self.rules.volume.refilling_lanes {
                return;
            }
            if !self.lanes[usize::from(number)].is_refilling() && self.with_lane(number, step, Lane::fetch_next) {
                busy += 1;
            }
        }
    }

    /// Applies entries of the stream that wait for nothing, and changes of several lanes of which all parts are there.
    /// `came`: the lane for which something came, which is acknowledged in any case.
    pub(super) fn apply_held<S: Store>(&mut self, step: &mut Step<'_, S>, came: Option<LaneNumber>) {
        let before: Vec<_> = self.lanes.iter().map(|lane| (lane.end(), lane.standing())).collect();
        loop {
            self.each_lane(step, Lane::apply_plain);
            let whole = self.lanes.iter().find_map(|lane| {
                let group = lane.head_group()?;
                let lane_of = |lane: LaneNumber| self.lanes.get(usize::from(lane));
                group.parts.iter().all(|&(lane, at)| lane_of(lane).is_none_or(|one| one.allows(at))).then_some(group)
            });
            let Some(group) = whole else { break };
            let mut is_applied = false;
            for &(number, at) in &group.parts {
                if self.lanes.get(usize::from(number)).is_some_and(|lane| lane.is_next(at)) {
                    self.with_lane(number, step, Lane::apply_head);
                    is_applied = true;
                }
            }
            // A group that does not name the entry it stands on.
            if !is_applied {
                break;
            }
        }
        for number in 0..self.shape.lanes() {
            let lane = &self.lanes[usize::from(number)];
            if Some(number) == came || before[usize::from(number)] != (lane.end(), lane.standing()) {
                self.with_lane(number, step, |lane, cx| lane.acknowledge(cx, false));
            }
        }
    }
}
