//! A lane on the partner: how it comes to follow the primary.

use std::collections::VecDeque;
use std::sync::Arc;

use tandem_wire::replication::{Body, Difference, Entry, LaneReport, Lineage, Sequence, Slot, Standing, TermStart};

use super::{Context, Doing, Lane, Role, common};
use crate::log::{Log, cost};
use crate::output::Event;
use crate::rules::Millis;
use crate::slots::{Shape, SlotSet};
use crate::store::Store;

/// What the partner keeps of a lane.
#[derive(Debug)]
pub(super) struct Partner {
    /// The last entry that is applied.
    pub(super) end: Sequence,
    /// Entries that have come and wait, the first of them for its parts in other lanes.
    pub(super) held: VecDeque<Arc<Entry>>,
    /// Since when there is no room for what is missing.
    pub(super) full_since: Option<Millis>,
    pub(super) state: State,
    /// Slots whose contents are to be fetched.
    pub(super) missing: SlotSet,
    /// What was acknowledged alone is given to the primary first.
    pub(super) merges: bool,
    /// So is everything else.
    pub(super) gives_all: bool,
    /// The last notice that it is out of sync.
    notice: u32,
}

#[derive(Debug)]
pub(super) enum State {
    /// Waits for word of the primary.
    Idle,
    /// Gives the primary its own slots.
    Uploading(Uploading),
    /// Has said from where it can go on.
    Asking { round: u32, common: Option<Sequence>, changed: SlotSet, sent_at: Millis },
    /// Gets the stream.
    Streaming(Streaming),
}

#[derive(Debug)]
pub(super) struct Uploading {
    pub round: u32,
    /// Number of the piece that is under way, and where it begins.
    pub piece: u32,
    pub left: SlotSet,
    pub cursor: u64,
    pub sent_at: Millis,
    /// What to say when it follows: these slots, and where the two pasts part.
    pub all: SlotSet,
    pub common: Option<Sequence>,
}

#[derive(Debug)]
pub(super) struct Streaming {
    pub round: u32,
    /// Nothing is complete before this entry.
    pub until: Sequence,
    /// The batch that is wanted, and when it was asked for.
    pub wanted: Option<(Slot, u64, Millis)>,
    /// When the last entry came.
    pub moved_at: Millis,
}

/// What the primary answers to the wish to follow it.
pub(crate) struct Offer {
    pub lineage: Lineage,
    /// The stream goes on behind this entry.
    pub at: Sequence,
    pub history: Vec<TermStart>,
    /// Nothing is complete before this entry.
    pub until: Sequence,
    pub difference: Difference,
}

impl Partner {
    pub(super) fn at(shape: Shape, end: Sequence) -> Self {
        Self {
            end,
            held: VecDeque::new(),
            full_since: None,
            state: State::Idle,
            missing: SlotSet::none(shape),
            merges: false,
            gives_all: false,
            notice: 0,
        }
    }

    pub(super) fn doing(&self, has_data: bool, standing: Standing) -> Doing {
        match self.state {
            State::Idle if !has_data => Doing::Loading,
            State::Idle => Doing::Idle,
            State::Uploading { .. } => Doing::Uploading,
            State::Asking { .. } => Doing::Asking,
            State::Streaming(_) if standing == Standing::Ready => Doing::Following,
            State::Streaming(_) => Doing::Refilling,
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held.iter().map(|entry| cost(entry)).sum()
    }

    /// Lets go of what it was about to do: the primary is another one.
    pub(super) fn rest(&mut self) {
        self.held.clear();
        self.full_since = None;
        self.state = State::Idle;
        self.notice = 0;
    }

    /// What it does as it gets the stream, if it does.
    pub(super) fn streaming(&mut self) -> Option<&mut Streaming> {
        match &mut self.state {
            State::Streaming(streaming) => Some(streaming),
            _ => None,
        }
    }
}

impl Lane {
    pub(super) fn partner(&mut self) -> Option<&mut Partner> {
        match &mut self.role {
            Role::Partner(partner) => Some(partner),
            Role::Primary(_) => None,
        }
    }

    /// Slots that are not complete here.
    pub(super) fn incomplete(&self) -> usize {
        match &self.role {
            Role::Primary(_) => 0,
            Role::Partner(partner) => partner.missing.len(),
        }
    }

    /// The primary says where it is.
    pub(super) fn on_primary_report<S: Store>(&mut self, cx: &mut Context<'_, S>, theirs: &LaneReport) {
        if theirs.term.node != cx.peer {
            return;
        }
        let (patience, now) = (2 * cx.rules.timing.resend_ms, cx.now);
        let standing = self.standing;
        let Some(partner) = self.partner() else { return };
        match &partner.state {
            State::Idle => self.begin(cx, theirs),
            State::Uploading { .. } | State::Asking { .. } => {}
            State::Streaming(streaming) => {
                if theirs.round != streaming.round && now >= streaming.moved_at + patience {
                    // The primary has forgotten about this worker, or has no longer what comes next.
                    self.begin(cx, theirs);
                } else if !theirs.in_sync {
                    self.acknowledge(cx, false);
                } else if standing == Standing::Ready {
                    partner.merges = false;
                    self.alone_since = None;
                }
            }
        }
    }

    /// Sets out to follow.
    fn begin<S: Store>(&mut self, cx: &mut Context<'_, S>, theirs: &LaneReport) {
        let (shape, now, end) = (cx.shape, cx.now, self.end());
        let has_own = self.log.end() == end;
        let is_follower_of_it = self.history.last().is_some_and(|last| last.counter == theirs.term.counter);
        let common = if self.lineage != theirs.lineage {
            None
        } else if is_follower_of_it {
            Some(end)
        } else {
            common(&self.history, end, &theirs.history, theirs.end)
        };
        // Who has been following has changed nothing by itself.
        let changed = common.and_then(|common| match has_own {
            true => self.log.changed_since(common),
            false => (common == end).then(|| SlotSet::none(shape)),
        });
        // Where this worker cannot say what it has changed, slots are compared.
        let common = common.filter(|_| changed.is_some());
        let round = self.rounds + 1;
        let Some(partner) = self.partner() else { return };
        partner.held.clear();
        if partner.merges {
            let all = changed.filter(|_| !partner.gives_all).unwrap_or_else(|| SlotSet::all(shape));
            let left = all.clone();
            let uploading = Uploading { round, piece: 0, left, cursor: 0, sent_at: now, all, common };
            partner.state = State::Uploading(uploading);
            self.rounds = round;
            self.upload(cx);
        } else {
            self.ask(cx, common, changed.unwrap_or_else(|| SlotSet::none(shape)));
        }
    }

    /// Asks to follow from `common` on, where the slots in `changed` are other ones than there.
    pub(super) fn ask<S: Store>(&mut self, cx: &mut Context<'_, S>, common: Option<Sequence>, mut changed: SlotSet) {
        self.rounds += 1;
        let (round, sent_at) = (self.rounds, cx.now);
        if self.lineage.exists() && self.standing == Standing::Ready && !changed.is_empty() {
            self.standing = Standing::Syncing;
        }
        let Some(partner) = self.partner() else { return };
        partner.held.clear();
        changed.extend(&partner.missing);
        partner.state = State::Asking { round, common, changed, sent_at };
        self.send_follow(cx);
    }

    fn send_follow<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let (lane, term) = (self.number, self.term);
        let Some(Partner { state: State::Asking { round, common, changed, sent_at }, .. }) = self.partner() else {
            return;
        };
        *sent_at = cx.now;
        cx.send(Body::Follow { lane, term, round: *round, common: *common, changed: changed.to_words() });
    }

    /// The primary lets this worker follow.
    pub(crate) fn on_begin<S: Store>(&mut self, cx: &mut Context<'_, S>, round: u32, offer: Offer) {
        let (number, shape, moved_at) = (self.number, cx.shape, cx.now);
        let Some(partner) = self.partner() else { return };
        let common = match partner.state {
            State::Asking { round: asked, common, .. } if asked == round => common,
            _ => return,
        };
        let Offer { lineage, at, history, until, difference } = offer;
        let differs = match difference {
            Difference::Slots(words) => SlotSet::from_words(shape, &words),
            Difference::Digests(digests) => {
                let mut differs = SlotSet::none(shape);
                for place in 0..shape.slots_per_lane() {
                    let own = cx.store.sum(shape.slot_at(number, place)).digest;
                    if digests.get(usize::from(place)) != Some(&own) {
                        differs.insert(place);
                    }
                }
                differs
            }
        };
        partner.missing.extend(&differs);
        partner.end = at;
        partner.held.clear();
        partner.full_since = None;
        partner.state = State::Streaming(Streaming { round, until, wanted: None, moved_at });
        let is_missing = !partner.missing.is_empty();
        self.sessions.rewind(common.unwrap_or(0));
        self.lineage = lineage;
        self.history = history;
        self.log = Log::new(shape, at);
        self.committed = at;
        if is_missing || at < until {
            self.standing = Standing::Syncing;
            if is_missing {
                cx.tell(Event::RefillStarted(number));
            }
        }
        self.complete(cx);
        self.acknowledge(cx, false);
    }

    /// The primary goes on without this copy, which does not count before it has asked anew.
    pub(crate) fn on_out_of_sync<S: Store>(&mut self, cx: &mut Context<'_, S>, notice: u32) {
        let (lane, term, shape) = (self.number, self.term, cx.shape);
        let Some(partner) = self.partner() else { return };
        // One that comes again was known before: since then it was asked anew, and that was answered or was not.
        let is_new = notice > partner.notice;
        partner.notice = partner.notice.max(notice);
        cx.send(Body::OutOfSyncKnown { lane, term, notice });
        if !is_new {
            return;
        }
        let common = match &partner.state {
            State::Streaming(_) => Some(partner.end),
            State::Asking { common, .. } => *common,
            State::Idle | State::Uploading(_) => None,
        };
        let changed = match &partner.state {
            State::Asking { changed, .. } => Some(changed.clone()),
            State::Streaming(_) => Some(SlotSet::none(shape)),
            State::Idle | State::Uploading(_) => None,
        };
        if self.standing == Standing::Ready {
            self.standing = Standing::Syncing;
        }
        if let Some(changed) = changed {
            self.ask(cx, common, changed);
        }
    }

    /// Time has passed.
    pub(crate) fn tick_partner<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let (now, resend_ms) = (cx.now, cx.rules.timing.resend_ms);
        let is_due = |at: Millis| now >= at + resend_ms;
        let Some(partner) = self.partner() else { return };
        match &partner.state {
            State::Uploading(Uploading { sent_at, .. }) if is_due(*sent_at) => self.upload(cx),
            State::Asking { sent_at, .. } if is_due(*sent_at) => self.send_follow(cx),
            State::Streaming(Streaming { wanted: Some((_, _, asked_at)), .. }) if is_due(*asked_at) => {
                self.want_again(cx);
            }
            _ => {}
        }
    }
}
