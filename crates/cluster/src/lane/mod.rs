//! One lane of one worker: its term, its end of the stream, and what it is in it.

mod history;
mod meeting;
mod merging;
mod partner;
mod primary;
mod refill;
mod serving;
mod sessions;
mod stream;
mod uploading;

use std::sync::Arc;

use tandem_wire::replication::{
    Body, Entry, LaneNumber, LaneReport, Lineage, NodeId, Operation, Record, Sequence, Standing, Term, TermStart,
    Version,
};

use history::{add_term, common};
pub(crate) use merging::Piece;
pub(crate) use partner::Offer;
use partner::Partner;
pub(crate) use primary::Mode;
use primary::Primary;
pub(crate) use serving::AckState;
pub use sessions::Recall;
use sessions::Sessions;

use crate::clock::HybridClock;
use crate::log::Log;
use crate::output::{Event, Output};
use crate::rules::{Millis, Rules};
use crate::slots::Shape;
use crate::store::Store;

/// What a lane works with during one step.
pub(crate) struct Context<'a, S: Store> {
    pub shape: Shape,
    pub rules: &'a Rules,
    pub me: NodeId,
    pub peer: NodeId,
    pub now: Millis,
    pub wall: u64,
    /// Nothing is acknowledged while this is false: this worker was away, and may have been replaced.
    pub is_awake: bool,
    /// The partner answers, and there is a connection to it.
    pub is_linked: bool,
    pub store: &'a mut S,
    pub clock: &'a mut HybridClock,
    pub out: &'a mut Vec<Output>,
}

impl<S: Store> Context<'_, S> {
    pub(crate) fn send(&mut self, body: Body) {
        self.out.push(Output::Send(body));
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.out.push(Output::Event(event));
    }
}

/// What a worker is doing in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doing {
    /// There is no data set, nor a primary that has one.
    Loading,
    /// Partner that waits for word of the primary.
    Idle,
    /// Partner that gives the primary what it has acknowledged alone.
    Uploading,
    /// Partner that has said from where it can go on.
    Asking,
    /// Partner that gets the stream, and is not complete yet.
    Refilling,
    /// Partner that gets the stream, and is complete.
    Following,
    /// Primary that acknowledges alone.
    Solo,
    /// Primary whose partner does not have everything yet, and whose changes wait for it.
    Joining,
    /// Primary whose partner has everything.
    Pair,
}

/// What the worker is in the lane.
#[derive(Debug)]
enum Role {
    Primary(Primary),
    Partner(Partner),
}

/// A lane.
#[derive(Debug)]
pub(crate) struct Lane {
    number: LaneNumber,
    term: Term,
    lineage: Lineage,
    standing: Standing,
    /// Versions from here on may have been acknowledged by this worker alone.
    alone_since: Option<Version>,
    /// It took over with an incomplete copy, and has met no complete one since.
    is_stale: bool,
    history: Vec<TermStart>,
    /// Entries of terms in which this worker was primary, up to its end.
    log: Log,
    /// Requests that were done.
    sessions: Sessions,
    /// What is acknowledged.
    committed: Sequence,
    role: Role,
    /// Highest number of a refill that this worker has asked for.
    rounds: u32,
    /// Acknowledged values that lost when halves met again.
    dropped: u64,
}

impl Lane {
    /// A lane without data.
    pub(crate) fn new(number: LaneNumber, shape: Shape) -> Self {
        Self {
            number,
            term: Term::default(),
            lineage: Lineage::NONE,
            standing: Standing::Loading,
            alone_since: None,
            is_stale: false,
            history: Vec::new(),
            log: Log::new(shape, 0),
            sessions: Sessions::default(),
            committed: 0,
            role: Role::Partner(Partner::at(shape, 0)),
            rounds: 0,
            dropped: 0,
        }
    }

    pub(crate) fn term(&self) -> Term {
        self.term
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    pub(crate) fn lineage(&self) -> Lineage {
        self.lineage
    }

    pub(crate) fn is_alone(&self) -> bool {
        self.alone_since.is_some()
    }

    pub(crate) fn is_primary(&self) -> bool {
        matches!(self.role, Role::Primary(_))
    }

    pub(crate) fn committed(&self) -> Sequence {
        self.committed
    }

    /// What is known of a request that its client has numbered.
    pub(crate) fn recall(&self, session: u64, number: u64) -> Recall {
        self.sessions.recall(session, number)
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What this worker is doing in the lane.
    pub(crate) fn doing(&self) -> Doing {
        match (&self.role, self.mode()) {
            (_, Some(Mode::Solo)) => Doing::Solo,
            (_, Some(Mode::Joining { .. })) => Doing::Joining,
            (_, Some(Mode::Pair)) => Doing::Pair,
            (Role::Partner(partner), None) => partner.doing(self.lineage.exists(), self.standing),
            (Role::Primary(_), None) => unreachable!("a primary has a mode"),
        }
    }

    /// Memory of entries that wait to be sent or applied.
    pub(crate) fn buffered_bytes(&self) -> usize {
        match &self.role {
            Role::Primary(_) => self.log.bytes(),
            Role::Partner(partner) => self.log.bytes() + partner.held_bytes(),
        }
    }

    /// The last entry that this worker has.
    pub(crate) fn end(&self) -> Sequence {
        match &self.role {
            Role::Primary(_) => self.log.end(),
            Role::Partner(partner) => partner.end,
        }
    }

    pub(crate) fn report(&self) -> LaneReport {
        LaneReport {
            term: self.term,
            lineage: self.lineage,
            standing: self.standing,
            alone: self.is_alone(),
            stale: self.is_stale,
            in_sync: self.mode() == Some(Mode::Pair),
            round: self.served_round(),
            end: self.end(),
            history: self.history.clone(),
        }
    }

    /// Begins a new data set, which is empty.
    pub(crate) fn start<S: Store>(&mut self, cx: &mut Context<'_, S>, lineage: Lineage) {
        self.lineage = lineage;
        self.standing = Standing::Ready;
        self.become_primary(cx, Term { counter: self.term.counter + 1, node: cx.me }, Mode::Solo);
    }

    /// Becomes primary because the present one is dead, or silent for too long.
    pub(crate) fn take_over<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        if self.is_primary() {
            return;
        }
        let slots = self.incomplete();
        self.become_primary(cx, Term { counter: self.term.counter + 1, node: cx.me }, Mode::Solo);
        if self.standing == Standing::Ready {
            cx.tell(Event::TookOver(self.number));
        } else {
            cx.tell(Event::TookOverStale(self.number));
            cx.tell(Event::DataLost { lane: self.number, slots });
            self.standing = Standing::Ready;
            self.is_stale = true;
        }
    }

    /// Becomes primary of a lane of which nothing has come.
    pub(crate) fn take_over_empty<S: Store>(&mut self, cx: &mut Context<'_, S>, lineage: Lineage) {
        self.start(cx, lineage);
        cx.tell(Event::TookOverStale(self.number));
        cx.tell(Event::DataLost { lane: self.number, slots: usize::from(cx.shape.slots_per_lane()) });
    }

    fn become_primary<S: Store>(&mut self, cx: &mut Context<'_, S>, term: Term, mode: Mode) {
        let end = self.end();
        self.term = term;
        add_term(&mut self.history, TermStart { counter: term.counter, after: end });
        if self.log.end() != end {
            self.log = Log::new(cx.shape, end);
        }
        self.committed = end;
        self.role = Role::Primary(Primary::new(mode, cx.now));
    }

    /// Stops being primary. What waits for the partner has an unknown outcome.
    fn step_down<S: Store>(&mut self, cx: &mut Context<'_, S>, term: Term) {
        self.term = term;
        if self.is_primary() {
            let end = self.log.end();
            if self.committed < end {
                cx.out.push(Output::Deposed(self.number));
            }
            self.role = Role::Partner(Partner::at(cx.shape, end));
        } else if let Role::Partner(partner) = &mut self.role {
            partner.rest();
        }
    }

    /// A version for a change of a record whose last version was `above`, with the floor of its slot.
    pub(crate) fn next_version<S: Store>(cx: &mut Context<'_, S>, record: &Record) -> Version {
        let known = cx.store.known(record.slot, &record.key).map_or(0, crate::store::Known::version);
        let floor = cx.store.sum(record.slot).floor;
        cx.clock.next(cx.wall, known.max(floor))
    }
}

/// An entry of one operation that nobody named and no other lane takes part in.
pub(crate) fn plain(operation: Operation) -> Arc<Entry> {
    Arc::new(Entry { operation, request: None, group: None })
}
