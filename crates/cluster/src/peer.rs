//! What a worker knows of its partner's life.

use tandem_wire::replication::{Incarnation, LaneReport};

use crate::rules::Millis;

/// What is made of its signs of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum PeerState {
    /// Nothing was heard of it since this worker started, or since it was reborn.
    #[default]
    Unknown,
    /// It answers.
    Up,
    /// It does not answer.
    Silent,
    /// Its process is gone.
    Dead,
}

/// The partner.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub state: PeerState,
    pub incarnation: Option<Incarnation>,
    /// Its latest connection to this worker.
    pub connection: u64,
    /// This worker's connection to it is there.
    pub is_dialled: bool,
    pub dialled_at: Millis,
    /// When the last thing came from it.
    pub heard_at: Millis,
    /// When the last of this worker's heartbeats was sent that it has answered.
    pub echoed_at: Millis,
    /// Silence counts from here on.
    restarted_at: Millis,
    /// Its clock, as of its last heartbeat.
    pub their_time: u64,
    pub witness_asked_at: Millis,
    /// It has data.
    pub has_data: bool,
    /// It said that it has none.
    pub is_empty: bool,
    /// Bytes that it may hold, if it has said so.
    pub capacity: Option<u64>,
    /// By how much its wall clock is behind this worker's, or ahead of it.
    pub clock_behind_ms: u64,
    clock_ahead_ms: u64,
}

impl Peer {
    /// This worker was away: silence meanwhile says nothing.
    pub(crate) fn restart(&mut self, now: Millis) {
        self.restarted_at = now;
    }

    pub(crate) fn is_linked(&self) -> bool {
        self.state == PeerState::Up && self.is_dialled
    }

    pub(crate) fn is_unechoed_for(&self, ms: u64, now: Millis) -> bool {
        now >= self.echoed_at.max(self.restarted_at) + ms
    }

    /// Whether nothing was heard for so long.
    pub(crate) fn is_silent_for(&self, ms: u64, now: Millis) -> bool {
        self.state == PeerState::Silent && now >= self.heard_at.max(self.restarted_at) + ms
    }

    pub(crate) fn is_ahead(&self, ms: u64) -> bool {
        self.clock_ahead_ms > ms
    }

    /// A process that was not known.
    pub(crate) fn meet(&mut self, incarnation: Incarnation) {
        self.incarnation = Some(incarnation);
        self.their_time = 0;
        self.has_data = false;
        self.is_empty = false;
    }

    pub(crate) fn on_heartbeat(
        &mut self,
        now: Millis,
        wall: u64,
        sent: u64,
        echo: u64,
        their_wall: u64,
        lanes: &[LaneReport],
    ) {
        self.their_time = self.their_time.max(sent);
        if echo > self.echoed_at && echo <= now {
            self.echoed_at = echo;
        }
        self.has_data = lanes.iter().any(|lane| lane.lineage.exists());
        self.is_empty = !self.has_data;
        self.clock_behind_ms = wall.saturating_sub(their_wall);
        self.clock_ahead_ms = their_wall.saturating_sub(wall);
        // It is up once it answers what was said to this very process.
        if echo != 0 && echo == self.echoed_at {
            self.state = PeerState::Up;
        }
    }
}
