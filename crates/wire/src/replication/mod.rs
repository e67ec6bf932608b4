//! What two partners say to each other: the frames of replication, as values.
//!
//! Every frame carries who sent it, which start of its process that was, and under which map and pair. What concerns a
//! lane carries its term and the lineage of its data as well, so that a frame that comes late can be told from one that
//! counts.

use std::sync::Arc;

/// A worker. Lower ids go first where two are otherwise equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeId(pub u64);

/// One start of a process; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Incarnation(pub u64);

/// A set of data with a common past; floors, logs and dirty slots mean something only within one. Zero: none yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Lineage(pub u64);

impl Lineage {
    /// No data set.
    pub const NONE: Self = Self(0);

    /// Whether there is a data set, even an empty one.
    pub fn exists(self) -> bool {
        self != Self::NONE
    }
}

/// Who is primary of a lane, and since which of its changes of primary. Higher terms win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Term {
    /// One more with every change of the primary.
    pub counter: u32,
    /// The primary.
    pub node: NodeId,
}

/// Number of a lane.
pub type LaneNumber = u16;
/// Number of a slot.
pub type Slot = u16;
/// Position in the stream of a lane; the first entry has 1.
pub type Sequence = u64;
/// Stamp of a hybrid clock.
pub type Version = u64;

/// What stands at the front of every frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// The sender.
    pub from: NodeId,
    /// Which start of the sender's process.
    pub incarnation: Incarnation,
    /// Epoch of the cluster map under which the sender acts; 0 without one.
    pub map_epoch: u64,
    /// Which members of the pair; 0 where nobody but the command line said.
    pub pair_generation: u64,
}

/// A message of one worker to its partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Who speaks.
    pub header: Header,
    /// What is said.
    pub body: Body,
}

/// How complete a copy of a lane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum Standing {
    /// There is no data set yet: nothing may be answered, not even a miss.
    #[default]
    Loading = 0,
    /// Parts are missing or old.
    Syncing = 1,
    /// Complete.
    Ready = 2,
}

/// Where a term began. Two workers that both know it have the same entries up to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TermStart {
    /// Counter of the term.
    pub counter: u32,
    /// The last entry before it.
    pub after: Sequence,
}

/// What a worker says of one lane in each heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneReport {
    /// The term it knows.
    pub term: Term,
    /// The data it has.
    pub lineage: Lineage,
    /// How complete its copy is.
    pub standing: Standing,
    /// Whether it has acknowledged writes that no partner is known to hold.
    pub alone: bool,
    /// Said by the primary: it became that with an incomplete copy, and whoever has a complete one is to give it.
    pub stale: bool,
    /// Said by the primary: the partner holds everything that is acknowledged.
    pub in_sync: bool,
    /// Said by the primary: which attempt of the partner to follow it serves; 0: none.
    pub round: u32,
    /// The last entry that it has.
    pub end: Sequence,
    /// Where its terms began, the last few of them, oldest first.
    pub history: Vec<TermStart>,
}

/// One record of the cache, or the removal of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Slot of the key.
    pub slot: Slot,
    /// The key.
    pub key: Arc<[u8]>,
    /// Version of the record, or of the removal.
    pub version: Version,
    /// When it ends, in ms of the hybrid clock; 0: never.
    pub expires_at: u64,
    /// The value as it is stored; `None`: the key was removed.
    pub value: Option<Arc<[u8]>>,
}

/// The request that caused a change, where its client named it: a retry gets the same reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId {
    /// The session of the client.
    pub session: u64,
    /// Number of the request in the session, from 1 on.
    pub number: u64,
    /// The client has the answers of all requests up to this one.
    pub settled: u64,
    /// What was answered.
    pub reply: Arc<[u8]>,
}

/// A change that concerns several lanes and takes effect as a whole: where its parts are, this one among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Lane and number of the entry there.
    pub parts: Vec<(LaneNumber, Sequence)>,
}

/// A piece of a slot's contents, put into the stream so that it is ordered among the changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The slot.
    pub slot: Slot,
    /// Where in the slot the batch begins, in the source's own terms; 0: at its beginning.
    pub cursor: u64,
    /// Live records, and removals that are still remembered.
    pub records: Vec<Record>,
    /// Where the next batch begins.
    pub next: u64,
    /// With the last batch of a slot: what it amounts to.
    pub done: Option<SlotSum>,
}

/// What the contents of a slot amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotSum {
    /// Digest of the live records.
    pub digest: u64,
    /// Highest version that was removed without being remembered.
    pub floor: Version,
}

/// What an entry of a stream does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Records change, all together.
    Write(Vec<Record>),
    /// The lane is emptied; its slots' floors rise to this version.
    Flush(Version),
    /// Contents of a slot, for who refills.
    Batch(Batch),
    /// Answers to requests of before, for who refills.
    Answers(Vec<RequestId>),
    /// The digest that a slot has at this place.
    Check {
        /// The slot.
        slot: Slot,
        /// Its digest.
        digest: u64,
    },
}

/// An entry of a lane's stream: a result, never an intention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What happens.
    pub operation: Operation,
    /// Whose request it was.
    pub request: Option<RequestId>,
    /// The change that it is a part of.
    pub group: Option<Arc<Group>>,
}

/// Which slots of a lane the source wants replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// These, by their place within the lane, one bit each.
    Slots(Vec<u64>),
    /// Those whose digest is another one: the source's, in the order of the lane's slots.
    Digests(Vec<u64>),
}

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// First on every connection.
    Hello {
        /// Number of lanes; both must have the same.
        lanes: u16,
        /// Number of slots; both must have the same.
        slots: u16,
        /// Bytes that the worker may hold.
        capacity: u64,
    },
    /// Still here.
    Heartbeat {
        /// The sender's clock when it was sent.
        sent: u64,
        /// `sent` of the last heartbeat that came from the receiver.
        echo: u64,
        /// How long ago that came, in ms.
        held_ms: u64,
        /// The sender's hybrid clock.
        version: Version,
        /// The sender's wall clock in ms.
        wall: u64,
        /// The sender is to be primary of nothing.
        leaving: bool,
        /// All its lanes, in order.
        lanes: Vec<LaneReport>,
    },
    /// Entries of a lane.
    Stream {
        /// The lane.
        lane: LaneNumber,
        /// The sender's term.
        term: Term,
        /// The sender's data set.
        lineage: Lineage,
        /// The entry before the first.
        after: Sequence,
        /// Which refill of the receiver they belong to.
        round: u32,
        /// What follows it.
        entries: Vec<Arc<Entry>>,
    },
    /// The receiver has all entries up to here.
    Ack {
        /// The lane.
        lane: LaneNumber,
        /// The receiver's term.
        term: Term,
        /// Which refill of the receiver.
        round: u32,
        /// Its last entry.
        end: Sequence,
        /// Entries came that did not follow it: send again from there.
        gap: bool,
        /// It is short of memory.
        full: bool,
        /// Its copy is complete.
        ready: bool,
    },
    /// The sender wants to follow from where it is.
    Follow {
        /// The lane.
        lane: LaneNumber,
        /// The receiver's term.
        term: Term,
        /// Number of this attempt, in the sender's own count.
        round: u32,
        /// The last place that both have; `None`: unknown.
        common: Option<Sequence>,
        /// Slots that the sender has changed since, one bit each.
        changed: Vec<u64>,
    },
    /// Answer to `Follow`: from here on.
    Begin {
        /// The lane.
        lane: LaneNumber,
        /// The sender's term.
        term: Term,
        /// The sender's data set.
        lineage: Lineage,
        /// The attempt that is answered.
        round: u32,
        /// The stream goes on behind this entry.
        at: Sequence,
        /// Terms of the sender, as in its reports.
        history: Vec<TermStart>,
        /// Complete once the stream is here and all that differs is replaced.
        until: Sequence,
        /// What the receiver has to fetch anew.
        difference: Difference,
    },
    /// The sender wants a batch of a slot.
    Want {
        /// The lane.
        lane: LaneNumber,
        /// The receiver's term.
        term: Term,
        /// The refill.
        round: u32,
        /// The slot.
        slot: Slot,
        /// Where in it.
        cursor: u64,
    },
    /// Contents of a slot of a worker that had acknowledged alone, for the primary to merge.
    Upload {
        /// The lane.
        lane: LaneNumber,
        /// The receiver's term.
        term: Term,
        /// The sender's data set.
        lineage: Lineage,
        /// Number of this attempt, in the sender's own count, as in `Follow`.
        round: u32,
        /// Number of the piece in the attempt.
        piece: u32,
        /// The slot. All pieces of one follow each other.
        slot: Slot,
        /// Records and remembered removals.
        records: Vec<Record>,
        /// Set with the last piece of the slot.
        done: Option<SlotSum>,
        /// Versions from here on were acknowledged by the sender alone; the highest one if none were.
        alone_since: Version,
    },
    /// A piece is merged.
    Uploaded {
        /// The lane.
        lane: LaneNumber,
        /// The sender's term.
        term: Term,
        /// The attempt.
        round: u32,
        /// The piece.
        piece: u32,
    },
    /// The receiver is too slow: its copy does not count from here on, until it has caught up.
    OutOfSync {
        /// The lane.
        lane: LaneNumber,
        /// The sender's term.
        term: Term,
        /// Number of this notice.
        notice: u32,
    },
    /// Answer to `OutOfSync`.
    OutOfSyncKnown {
        /// The lane.
        lane: LaneNumber,
        /// The term of the notice.
        term: Term,
        /// The notice.
        notice: u32,
    },
    /// The sender ends, and has handed over everything that it could.
    Goodbye,
}

impl Body {
    /// The lane that is spoken of, and its term.
    pub fn lane(&self) -> Option<(LaneNumber, Term)> {
        match *self {
            Self::Hello { .. } | Self::Heartbeat { .. } | Self::Goodbye => None,
            Self::Stream { lane, term, .. }
            | Self::Ack { lane, term, .. }
            | Self::Follow { lane, term, .. }
            | Self::Begin { lane, term, .. }
            | Self::Want { lane, term, .. }
            | Self::Upload { lane, term, .. }
            | Self::Uploaded { lane, term, .. }
            | Self::OutOfSync { lane, term, .. }
            | Self::OutOfSyncKnown { lane, term, .. } => Some((lane, term)),
        }
    }
}
