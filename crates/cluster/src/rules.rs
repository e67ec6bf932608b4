//! The rules, as the tables that the TypeScript layer yields. Machines execute them and decide nothing of their own.

use tandem_wire::replication::{LaneNumber, NodeId};

use crate::planted::Defect;

/// Milliseconds of a clock that never goes back.
pub type Millis = u64;

/// How long what may last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// Between two heartbeats.
    pub heartbeat_ms: u64,
    /// Without an echo for so long, a worker answers for its own lanes alone.
    pub solo_after_ms: u64,
    /// Without a sign of life for so long, it takes the partner's lanes over.
    pub takeover_after_ms: u64,
    /// Between two questions to the witness.
    pub witness_every_ms: u64,
    /// A step that comes later than this after the one before: the worker itself was away.
    pub own_gap_ms: u64,
    /// How old the oldest write that waits for the partner may be before the partner counts as slow.
    pub slow_after_ms: u64,
    /// A partner that stays slow for so long is told that it is out of sync.
    pub out_of_sync_after_ms: u64,
    /// What was sent and not answered is sent again after this.
    pub resend_ms: u64,
    /// A worker without data that reaches nobody begins anew after this.
    pub alone_after_ms: u64,
    /// Between two slots that are compared with the partner's in the background.
    pub check_every_ms: u64,
    /// A primary whose clock is ahead by more hands its lanes over.
    pub clock_ahead_ms: u64,
}

/// How much may be under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Bytes of entries in one frame.
    pub frame_bytes: usize,
    /// Bytes of entries of a lane that wait for the partner; what is beyond is remembered as dirty slots.
    pub window_bytes: usize,
    /// Bytes in a batch of a refill; a fourth of the window at most.
    pub batch_bytes: usize,
    /// Lanes that refill at a time.
    pub refilling_lanes: usize,
}

/// Who is primary of which lanes while both are well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The worker with the lower id of all.
    Single,
    /// Each of every other.
    Split,
}

/// What a worker does about a lane when it meets a partner that knows a higher term of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reunion {
    /// Takes over what the other has; its own changes that nobody acknowledged are gone.
    Follow,
    /// Gives the other what it has acknowledged alone, then follows.
    Merge,
    /// Becomes primary again: the other has acknowledged nothing.
    Claim,
}

/// What a worker does about a lane when it meets a partner that knows a higher term of it: by whether it has
/// acknowledged writes alone itself, and whether the other one has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// `of[self][other]`.
    pub of: [[Reunion; 2]; 2],
    /// Where the data sets are different ones.
    pub foreign: Reunion,
}

/// What the end of a connection, or a failed attempt at one, says about the partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing: it is asked again.
    Redial,
    /// Its process is gone, with its data.
    Dead,
}

/// What is made of each sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signs {
    /// The connection was closed or reset.
    pub closed: Meaning,
    /// Its system refuses connections.
    pub refused: Meaning,
    /// It said goodbye.
    pub goodbye: Meaning,
    /// It is a new incarnation.
    pub reborn: Meaning,
}

/// What the witness says of a silent partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Testimony {
    /// There is no witness.
    Nobody = 0,
    /// It reached the partner just now.
    Reached = 1,
    /// It did not.
    Unreached = 2,
    /// The witness itself does not answer.
    Mute = 3,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Times.
    pub timing: Timing,
    /// Amounts.
    pub volume: Volume,
    /// Who is primary.
    pub layout: Layout,
    /// Meeting again.
    pub divergence: Divergence,
    /// What ends of connections mean.
    pub signs: Signs,
    /// Whether a silent partner's lanes are taken over, by [`Testimony`].
    pub takeover: [bool; 4],
    /// A defect to find.
    #[cfg(feature = "planted")]
    pub planted: Option<Defect>,
}

impl Rules {
    /// Whether this run is one with that defect. Never, without the feature.
    #[cfg(not(feature = "planted"))]
    pub(crate) const fn has(&self, _defect: Defect) -> bool {
        false
    }

    /// Whether this run is one with that defect.
    #[cfg(feature = "planted")]
    pub fn has(&self, defect: Defect) -> bool {
        self.planted == Some(defect)
    }

    /// The primary of `lane` while both are well; `first` has the lower id.
    pub fn home(&self, lane: LaneNumber, first: NodeId, second: NodeId) -> NodeId {
        match self.layout {
            Layout::Single => first,
            Layout::Split if lane.is_multiple_of(2) => first,
            Layout::Split => second,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            timing: Timing {
                heartbeat_ms: 50,
                solo_after_ms: 300,
                takeover_after_ms: 1_500,
                witness_every_ms: 100,
                own_gap_ms: 200,
                slow_after_ms: 500,
                out_of_sync_after_ms: 1_000,
                resend_ms: 200,
                alone_after_ms: 5_000,
                check_every_ms: 10,
                clock_ahead_ms: 500,
            },
            volume: Volume { frame_bytes: 64 << 10, window_bytes: 1 << 20, batch_bytes: 256 << 10, refilling_lanes: 4 },
            layout: Layout::Single,
            divergence: Divergence {
                of: [[Reunion::Follow, Reunion::Follow], [Reunion::Claim, Reunion::Merge]],
                foreign: Reunion::Merge,
            },
            signs: Signs {
                closed: Meaning::Redial,
                refused: Meaning::Dead,
                goodbye: Meaning::Dead,
                reborn: Meaning::Dead,
            },
            takeover: [true, false, true, false],
            #[cfg(feature = "planted")]
            planted: None,
        }
    }
}
