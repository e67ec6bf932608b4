//! What the machines ask of whoever drives them.

use tandem_wire::replication::{Body, LaneNumber, NodeId, Sequence};

/// Something to do. Outputs are in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this to the partner, on the connection that was dialled; without one it is lost.
    Send(Body),
    /// Connect to the partner; an older connection to it is given up.
    Dial,
    /// Ask the witness whether it reaches the partner just now.
    AskWitness,
    /// Entries of a lane up to here are acknowledged, with so many copies.
    Committed {
        /// The lane.
        lane: LaneNumber,
        /// The last of them.
        sequence: Sequence,
        /// 2, or 1 while the partner is away.
        copies: u8,
    },
    /// Another worker is primary: what waits in the lane has an unknown outcome.
    Deposed(LaneNumber),
    /// The partner is short of memory: make room in this lane.
    MakeRoom(LaneNumber),
    /// Something that people want to know.
    Event(Event),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The partner is gone or silent.
    PartnerLost {
        /// The partner.
        partner: NodeId,
        /// Its process is known to be gone.
        dead: bool,
    },
    /// Writes of a lane are acknowledged with one copy.
    Solo(LaneNumber),
    /// This copy of a lane is being completed.
    RefillStarted(LaneNumber),
    /// How much of a lane is left.
    RefillProgress {
        /// The lane.
        lane: LaneNumber,
        /// Slots that are still to come.
        slots_left: usize,
    },
    /// This copy of a lane is complete.
    Ready(LaneNumber),
    /// This worker is now primary of a lane.
    TookOver(LaneNumber),
    /// So, but its copy may be old or incomplete.
    TookOverStale(LaneNumber),
    /// Acknowledged values that lost against newer ones when two halves met again.
    ConflictDropped {
        /// The lane.
        lane: LaneNumber,
        /// Keys.
        keys: usize,
    },
    /// There was nobody with data: a new data set begins.
    StartedEmpty,
    /// The only complete copy of a lane is gone: what was not fetched yet is lost.
    DataLost {
        /// The lane.
        lane: LaneNumber,
        /// Slots of which nothing or only old contents are there.
        slots: usize,
    },
    /// The contents of a slot were not what the partner's were, and were fetched anew.
    Diverged {
        /// The lane.
        lane: LaneNumber,
    },
}
