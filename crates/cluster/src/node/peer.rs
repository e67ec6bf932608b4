//! What a worker knows of its partner's life.

use tandem_wire::replication::{Incarnation, LaneReport};

use crate::rules::{Millis, Timing};

/// What is made of its signs of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum PeerState {
    /// Nothing was heard of it since this worker started.
    #[default]
    Unknown,
    /// It answers.
    Up,
    /// It does not answer.
    Silent,
    /// Its process is gone.
    Dead,
}

/// This worker's connection to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Link {
    /// There is none.
    #[default]
    Down,
    /// An attempt is under way.
    Dialling,
    /// It is there, which does not say that anything gets through.
    Open,
}

/// Round trips that are remembered.
const TRIPS: usize = 8;
/// Attempts at a connection that follow each other quickly: enough of them that one gets through before silence is taken
/// for death, if any can.
const HASTY_ATTEMPTS: u32 = 5;

/// The partner.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub state: PeerState,
    pub incarnation: Option<Incarnation>,
    /// Its latest connection to this worker, and whether that is there, as far as is known.
    pub connection: u64,
    is_connected: bool,
    link: Link,
    /// When the link became what it is.
    link_since: Millis,
    dialled_at: Option<Millis>,
    /// Attempts at a connection since it was last up.
    attempts: u32,
    /// When the last thing came from it.
    pub heard_at: Millis,
    /// When the last of this worker's heartbeats was sent that it has answered.
    pub echoed_at: Millis,
    /// How long the last few answers took to come and go.
    trips: [Millis; TRIPS],
    next_trip: usize,
    /// Silence counts from here on.
    restarted_at: Millis,
    /// Its clock, as of its last heartbeat, and when that came.
    pub their_time: u64,
    pub their_time_at: Millis,
    pub witness_asked_at: Millis,
    /// It has data.
    pub has_data: bool,
    /// It said that it has none.
    pub is_empty: bool,
    /// It is to be primary of nothing.
    pub is_leaving: bool,
    /// Bytes that it may hold, if it has said so.
    pub capacity: Option<u64>,
    /// By how much its wall clock is behind this worker's.
    pub clock_behind_ms: u64,
}

/// What a heartbeat says of the sender itself.
pub(crate) struct Pulse {
    pub sent: u64,
    pub echo: u64,
    pub held_ms: u64,
    pub wall: u64,
    pub is_leaving: bool,
}

impl Peer {
    /// This worker was away: silence meanwhile says nothing.
    pub(crate) fn restart(&mut self, now: Millis) {
        self.restarted_at = now;
    }

    pub(crate) fn is_linked(&self) -> bool {
        self.state == PeerState::Up && self.link == Link::Open
    }

    pub(crate) fn is_unechoed_for(&self, ms: u64, now: Millis) -> bool {
        now >= self.echoed_at.max(self.restarted_at) + ms
    }

    /// Whether nothing was heard for so long.
    pub(crate) fn is_silent_for(&self, ms: u64, now: Millis) -> bool {
        self.state == PeerState::Silent && now >= self.heard_at.max(self.restarted_at) + ms
    }

    /// Whether a partner whose system refuses connections would have been heard of by now, were its process there. Its own
    /// connection closes with the process, and if only the way was disturbed, it has had the time to make another.
    pub(crate) fn is_quiet(&self, timing: &Timing, now: Millis) -> bool {
        let patience = if self.is_connected { timing.solo_after_ms } else { 2 * timing.heartbeat_ms };
        now >= self.heard_at.max(self.restarted_at) + patience + 4 * self.trip()
    }

    /// The longest of the last few ways there and back, in ms.
    fn trip(&self) -> Millis {
        self.trips.iter().copied().max().unwrap_or(0)
    }

    /// How long an attempt may take, and how long a connection may go without an answer. Longer where the way is, which
    /// is not known before there was an answer.
    fn patience(&self, timing: &Timing) -> Millis {
        let doublings = self.attempts.saturating_sub(HASTY_ATTEMPTS).min(8);
        (timing.solo_after_ms << doublings).min(timing.takeover_after_ms) + 2 * self.trip()
    }

    /// Whether it is time for another attempt at a connection. Notes that it is made.
    pub(crate) fn is_to_dial(&mut self, timing: &Timing, now: Millis) -> bool {
        let is_due = match self.link {
            Link::Down => self.dialled_at.is_none_or(|at| now >= at + timing.heartbeat_ms),
            Link::Open if self.state == PeerState::Up => false,
            // A connection on which nothing is answered may lead to a machine that has forgotten it.
            Link::Dialling | Link::Open => now >= self.link_since + self.patience(timing),
        };
        if is_due {
            self.dialled_at = Some(now);
            self.attempts = self.attempts.saturating_add(1);
            self.set_link(Link::Dialling, now);
        }
        is_due
    }

    pub(crate) fn set_link(&mut self, link: Link, now: Millis) {
        (self.link, self.link_since) = (link, now);
    }

    /// Its process has just connected. An older connection of this worker that has no answer is of no use any more.
    pub(crate) fn on_connected(&mut self, timing: &Timing, now: Millis, is_known: bool) {
        self.heard_at = now;
        self.is_connected = true;
        // It has yet to answer, and may be gone before it does.
        if self.state == PeerState::Unknown {
            self.state = PeerState::Silent;
        }
        let is_fresh = now < self.link_since + timing.heartbeat_ms;
        if !is_known || (self.state != PeerState::Up && !is_fresh) {
            self.attempts = 0;
            self.set_link(Link::Down, now);
        }
    }

    /// One of its connections is gone.
    pub(crate) fn on_disconnected(&mut self, connection: u64) {
        self.is_connected &= connection != self.connection;
    }

    /// A process that was not known.
    pub(crate) fn meet(&mut self, incarnation: Incarnation) {
        self.incarnation = Some(incarnation);
        self.their_time = 0;
        self.has_data = false;
        self.is_empty = false;
        self.is_leaving = false;
    }

    pub(crate) fn on_heartbeat(
        &mut self,
        timing: &Timing,
        now: Millis,
        wall: u64,
        started_at: Millis,
        pulse: &Pulse,
        lanes: &[LaneReport],
    ) {
        if pulse.sent > self.their_time {
            (self.their_time, self.their_time_at) = (pulse.sent, now);
            self.is_leaving = pulse.is_leaving;
            self.clock_behind_ms = wall.saturating_sub(pulse.wall);
        }
        // What was said before this process began was said by another one.
        let is_answer = pulse.echo >= started_at && pulse.echo <= now;
        if is_answer && pulse.echo > self.echoed_at {
            self.echoed_at = pulse.echo;
            let trip = (now - pulse.echo).saturating_sub(pulse.held_ms);
            // What takes longer is not the way, but somebody who was away.
            if trip < timing.solo_after_ms {
                self.trips[self.next_trip] = trip;
                self.next_trip = (self.next_trip + 1) % TRIPS;
            }
        }
        self.has_data = lanes.iter().any(|lane| lane.lineage.exists());
        self.is_empty = !self.has_data;
        // It is up while it answers what was said to this very process not long ago.
        if is_answer && now < self.echoed_at + timing.solo_after_ms {
            self.state = PeerState::Up;
            self.attempts = 0;
        }
    }
}
