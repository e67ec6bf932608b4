//! A lane on the partner: follows the primary's stream, and fetches what it lacks.

use std::collections::VecDeque;
use std::sync::Arc;

use tandem_wire::replication::{
    Batch, Body, Difference, Entry, Group, LaneReport, Lineage, Operation, Record, Sequence, Slot, Standing, TermStart,
};

use super::{Context, Doing, Lane, Role, common};
use crate::log::{Log, cost};
use crate::output::Event;
use crate::rules::Millis;
use crate::slots::{Shape, SlotSet};
use crate::store::{Full, Store};

/// What the partner keeps of a lane.
#[derive(Debug)]
pub(super) struct Partner {
    /// The last entry that is applied.
    end: Sequence,
    /// Entries that have come and wait, the first of them for its parts in other lanes or for room.
    held: VecDeque<Arc<Entry>>,
    /// There was no room for the first of them.
    is_full: bool,
    state: State,
    /// Slots whose contents are to be fetched.
    missing: Option<SlotSet>,
    /// What was acknowledged alone is given to the primary first.
    pub(super) merges: bool,
    /// The primary has another data set.
    pub(super) is_foreign: bool,
}

#[derive(Debug)]
enum State {
    /// Waits for word of the primary.
    Idle,
    /// Gives the primary its own slots.
    Uploading { left: SlotSet, cursor: u64, sent_at: Millis, all: SlotSet, common: Option<Sequence> },
    /// Has said from where it can go on.
    Asking { round: u32, common: Option<Sequence>, changed: SlotSet, sent_at: Millis },
    /// Gets the stream.
    Streaming(Streaming),
}

#[derive(Debug)]
struct Streaming {
    round: u32,
    /// Nothing is complete before this entry.
    until: Sequence,
    /// The batch that is wanted, and when it was asked for.
    wanted: Option<(Slot, u64, Millis)>,
    /// When the last entry came.
    moved_at: Millis,
}

impl Partner {
    pub(super) fn new() -> Self {
        Self::at(0)
    }

    pub(super) fn at(end: Sequence) -> Self {
        Self {
            end,
            held: VecDeque::new(),
            is_full: false,
            state: State::Idle,
            missing: None,
            merges: false,
            is_foreign: false,
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

    pub(super) fn end(&self) -> Sequence {
        self.end
    }

    /// Lets go of what it was about to do: the primary is another one.
    pub(super) fn rest(&mut self) {
        self.held.clear();
        self.is_full = false;
        self.state = State::Idle;
    }

    fn missing(&mut self, shape: Shape) -> &mut SlotSet {
        self.missing.get_or_insert_with(|| SlotSet::none(shape))
    }
}

impl Lane {
    fn partner(&mut self) -> Option<&mut Partner> {
        match &mut self.role {
            Role::Partner(partner) => Some(partner),
            Role::Primary(_) => None,
        }
    }

    /// Slots that are not complete here.
    pub(crate) fn incomplete(&self, shape: Shape) -> usize {
        match &self.role {
            Role::Primary(_) => 0,
            Role::Partner(partner) => match self.standing {
                Standing::Loading => usize::from(shape.slots_per_lane()),
                _ => partner.missing.as_ref().map_or(0, SlotSet::len),
            },
        }
    }

    /// Whether the lane is fetching slots.
    pub(crate) fn is_refilling(&self) -> bool {
        matches!(&self.role, Role::Partner(Partner { state: State::Streaming(Streaming { wanted: Some(_), .. }), .. }))
    }

    /// The primary says where it is.
    pub(super) fn on_primary_report<S: Store>(&mut self, cx: &mut Context<'_, S>, theirs: &LaneReport) {
        if theirs.term.node != cx.peer {
            return;
        }
        let (resend_ms, now) = (cx.rules.timing.resend_ms, cx.now);
        let standing = self.standing;
        let Some(partner) = self.partner() else { return };
        match &partner.state {
            State::Idle => self.begin(cx, theirs),
            State::Uploading { .. } | State::Asking { .. } => {}
            State::Streaming(streaming) => {
                if theirs.in_sync && standing == Standing::Ready {
                    partner.merges = false;
                    self.alone_since = None;
                } else if theirs.end > partner.end && now >= streaming.moved_at + 2 * resend_ms {
                    // The primary has forgotten about this worker, or has no longer what comes next.
                    self.begin(cx, theirs);
                }
            }
        }
    }

    /// Sets out to follow.
    fn begin<S: Store>(&mut self, cx: &mut Context<'_, S>, theirs: &LaneReport) {
        let shape = cx.shape;
        let end = self.end();
        let is_same = self.lineage == theirs.lineage;
        let common = if is_same { common(&self.history, end, &theirs.history, theirs.end) } else { None };
        let changed = if self.log.end() == end {
            common.and_then(|common| self.log.changed_since(common))
        } else {
            // It has been following; it has nothing of its own.
            common.filter(|&common| common == end).map(|_| SlotSet::none(shape))
        };
        let Some(partner) = self.partner() else { return };
        partner.held.clear();
        if partner.merges {
            let common = changed.is_some().then_some(common).flatten();
            let all = changed.unwrap_or_else(|| SlotSet::all(shape));
            let left = all.clone();
            partner.state = State::Uploading { left, cursor: 0, sent_at: cx.now, all, common };
            self.upload(cx);
        } else {
            // Where this worker cannot say what it has changed, slots are compared.
            let common = changed.is_some().then_some(common).flatten();
            let changed = changed.unwrap_or_else(|| SlotSet::none(shape));
            self.ask(cx, common, changed);
        }
    }

    fn ask<S: Store>(&mut self, cx: &mut Context<'_, S>, common: Option<Sequence>, mut changed: SlotSet) {
        self.rounds += 1;
        let round = self.rounds;
        if self.lineage.exists() && self.standing == Standing::Ready && !changed.is_empty() {
            self.standing = Standing::Syncing;
        }
        let Some(partner) = self.partner() else { return };
        changed.extend(partner.missing(cx.shape));
        partner.state = State::Asking { round, common, changed, sent_at: cx.now };
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

    /// Sends the piece of a slot that the primary is to merge.
    fn upload<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let (lane, term, lineage) = (self.number, self.term, self.lineage);
        let alone_since = self.alone_since.unwrap_or(0);
        let Some(partner) = self.partner() else { return };
        let State::Uploading { left, cursor, sent_at, all, common } = &mut partner.state else { return };
        let Some(place) = left.first() else {
            let (common, all) = (*common, all.clone());
            self.ask(cx, common, all);
            return;
        };
        let (slot, cursor) = (cx.shape.slot_at(lane, place), *cursor);
        *sent_at = cx.now;
        let (records, next) = cx.store.read(slot, cursor, cx.rules.volume.batch_bytes);
        let done = next.is_none().then(|| cx.store.sum(slot));
        cx.send(Body::Upload { lane, term, lineage, slot, cursor, records, done, alone_since });
    }

    /// The primary has merged a piece.
    pub(crate) fn on_uploaded<S: Store>(&mut self, cx: &mut Context<'_, S>, slot: Slot, merged: u64) {
        let (batch_bytes, shape) = (cx.rules.volume.batch_bytes, cx.shape);
        let Some(partner) = self.partner() else { return };
        let State::Uploading { left, cursor, .. } = &mut partner.state else { return };
        if left.first() != Some(shape.place_of(slot)) || merged != *cursor {
            return;
        }
        // Nothing changes here meanwhile, so the piece ends where it did.
        match cx.store.read(slot, merged, batch_bytes).1 {
            Some(next) => *cursor = next,
            None => {
                left.remove(shape.place_of(slot));
                *cursor = 0;
            }
        }
        self.upload(cx);
    }

    /// The primary lets this worker follow.
    #[expect(clippy::too_many_arguments, reason = "the parts of one frame")]
    pub(crate) fn on_begin<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        lineage: Lineage,
        round: u32,
        at: Sequence,
        history: Vec<TermStart>,
        until: Sequence,
        difference: &Difference,
    ) {
        let (number, shape, now) = (self.number, cx.shape, cx.now);
        let Some(partner) = self.partner() else { return };
        if !matches!(partner.state, State::Asking { round: asked, .. } if asked == round) {
            return;
        }
        let differs = match difference {
            Difference::Slots(words) => SlotSet::from_words(shape, words),
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
        partner.missing(shape).extend(&differs);
        let is_missing = !partner.missing(shape).is_empty();
        partner.end = at;
        partner.held.clear();
        partner.state = State::Streaming(Streaming { round, until, wanted: None, moved_at: now });
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

    /// Entries of the stream have come. They are applied by [`Lane::apply_plain`] and [`Lane::apply_head`].
    pub(crate) fn on_stream<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        round: u32,
        after: Sequence,
        entries: Vec<Arc<Entry>>,
    ) {
        let Some(partner) = self.partner() else { return };
        let State::Streaming(streaming) = &mut partner.state else { return };
        if streaming.round != round {
            return;
        }
        let received = partner.end + partner.held.len() as Sequence;
        if after > received {
            self.acknowledge(cx, true);
            return;
        }
        streaming.moved_at = cx.now;
        let known = usize::try_from(received - after).unwrap_or(usize::MAX);
        partner.held.extend(entries.into_iter().skip(known));
    }

    /// The change in several lanes whose part is next here.
    pub(crate) fn head_group(&self) -> Option<Arc<Group>> {
        match &self.role {
            Role::Partner(partner) => partner.held.front()?.group.clone(),
            Role::Primary(_) => None,
        }
    }

    /// Whether this lane does not hold up a change of which entry `sequence` is its part: that is applied, or next, or
    /// will never come by the stream.
    pub(crate) fn allows(&self, sequence: Sequence) -> bool {
        match &self.role {
            Role::Primary(_) => true,
            Role::Partner(partner) => {
                self.standing != Standing::Ready
                    || partner.end >= sequence
                    || (partner.end + 1 == sequence && !partner.held.is_empty())
            }
        }
    }

    /// Applies what waits for nothing.
    pub(crate) fn apply_plain<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        while let Role::Partner(partner) = &self.role
            && partner.held.front().is_some_and(|entry| entry.group.is_none())
        {
            if !self.apply_head(cx) {
                break;
            }
        }
    }

    /// Applies the next entry; false if there is no room for it.
    pub(crate) fn apply_head<S: Store>(&mut self, cx: &mut Context<'_, S>) -> bool {
        let Some(partner) = self.partner() else { return false };
        let Some(entry) = partner.held.front().cloned() else { return false };
        let applied = self.apply(cx, &entry);
        let Some(partner) = self.partner() else { return false };
        partner.is_full = applied.is_err();
        if applied.is_err() {
            return false;
        }
        partner.held.pop_front();
        partner.end += 1;
        self.committed = self.committed.max(self.end());
        self.complete(cx);
        true
    }

    fn apply<S: Store>(&mut self, cx: &mut Context<'_, S>, entry: &Entry) -> Result<(), Full> {
        match &entry.operation {
            Operation::Write(records) => apply_all(cx, records),
            Operation::Flush(version) => {
                cx.clock.see(*version);
                cx.store.flush(self.number, *version);
                Ok(())
            }
            Operation::Batch(batch) => self.apply_batch(cx, batch),
            Operation::Check { slot, digest } => {
                let place = cx.shape.place_of(*slot);
                let number = self.number;
                let differs = cx.store.sum(*slot).digest != *digest;
                if let Some(partner) = self.partner()
                    && differs
                    && !partner.missing(cx.shape).contains(place)
                {
                    partner.missing(cx.shape).insert(place);
                    self.standing = Standing::Syncing;
                    cx.tell(Event::Diverged { lane: number });
                }
                Ok(())
            }
        }
    }

    fn apply_batch<S: Store>(&mut self, cx: &mut Context<'_, S>, batch: &Batch) -> Result<(), Full> {
        let (number, shape, now) = (self.number, cx.shape, cx.now);
        let Some(partner) = self.partner() else { return Ok(()) };
        let State::Streaming(streaming) = &mut partner.state else { return Ok(()) };
        let Some((slot, cursor, _)) = streaming.wanted else { return Ok(()) };
        if (slot, cursor) != (batch.slot, batch.cursor) {
            // Asked for twice, and here already.
            return Ok(());
        }
        if cursor == 0 {
            cx.store.forget(slot);
        }
        apply_all(cx, &batch.records)?;
        let Some(sum) = batch.done else {
            streaming.wanted = Some((slot, batch.next, now));
            self.send_want(cx);
            return Ok(());
        };
        streaming.wanted = None;
        cx.store.raise_floor(slot, sum.floor);
        if cx.store.sum(slot).digest == sum.digest {
            let missing = partner.missing(shape);
            missing.remove(shape.place_of(slot));
            let slots_left = missing.len();
            cx.tell(Event::RefillProgress { lane: number, slots_left });
        } else {
            cx.tell(Event::Diverged { lane: number });
        }
        Ok(())
    }

    /// Notes that the copy is complete, if it is.
    fn complete<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let number = self.number;
        let is_syncing = self.standing != Standing::Ready;
        let Some(partner) = self.partner() else { return };
        let State::Streaming(streaming) = &partner.state else { return };
        if is_syncing && partner.end >= streaming.until && partner.missing.as_ref().is_none_or(SlotSet::is_empty) {
            self.standing = Standing::Ready;
            cx.tell(Event::Ready(number));
        }
    }

    /// Tells the primary how far this worker is.
    pub(crate) fn acknowledge<S: Store>(&mut self, cx: &mut Context<'_, S>, gap: bool) {
        let (lane, term, ready) = (self.number, self.term, self.standing == Standing::Ready);
        let Some(partner) = self.partner() else { return };
        let State::Streaming(streaming) = &partner.state else { return };
        // Entries that wait are not applied, yet need not come again.
        let gap = gap && partner.held.is_empty();
        let (round, end, full) = (streaming.round, partner.end, partner.is_full);
        cx.send(Body::Ack { lane, term, round, end, gap, full, ready });
    }

    /// Asks for the next slot, if one is missing and none is asked for. False if there is nothing to ask for.
    pub(crate) fn fetch_next<S: Store>(&mut self, cx: &mut Context<'_, S>) -> bool {
        let (number, shape, now) = (self.number, cx.shape, cx.now);
        let Some(partner) = self.partner() else { return false };
        let State::Streaming(streaming) = &mut partner.state else { return false };
        if streaming.wanted.is_none() {
            let Some(place) = partner.missing.as_ref().and_then(SlotSet::first) else { return false };
            streaming.wanted = Some((shape.slot_at(number, place), 0, now));
            self.send_want(cx);
        }
        true
    }

    fn send_want<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let (lane, term) = (self.number, self.term);
        let Some(Partner { state: State::Streaming(streaming), .. }) = self.partner() else { return };
        let Some((slot, cursor, asked_at)) = &mut streaming.wanted else { return };
        *asked_at = cx.now;
        cx.send(Body::Want { lane, term, round: streaming.round, slot: *slot, cursor: *cursor });
    }

    /// The primary goes on without this copy.
    pub(crate) fn on_out_of_sync<S: Store>(&mut self, cx: &mut Context<'_, S>, notice: u32) {
        let (lane, term) = (self.number, self.term);
        let Some(partner) = self.partner() else { return };
        if let State::Streaming(streaming) = &mut partner.state {
            // Complete again once it has asked anew, and has come to where the primary is then.
            streaming.until = Sequence::MAX;
            streaming.moved_at = 0;
        }
        if self.standing == Standing::Ready {
            self.standing = Standing::Syncing;
        }
        cx.send(Body::OutOfSyncKnown { lane, term, notice });
    }

    /// Time has passed.
    pub(crate) fn tick_partner<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let (now, resend_ms) = (cx.now, cx.rules.timing.resend_ms);
        let is_due = |at: Millis| now >= at + resend_ms;
        let Some(partner) = self.partner() else { return };
        match &partner.state {
            State::Idle => {}
            State::Uploading { sent_at, .. } if is_due(*sent_at) => self.upload(cx),
            State::Asking { sent_at, .. } if is_due(*sent_at) => self.send_follow(cx),
            State::Streaming(Streaming { wanted: Some((_, _, asked_at)), .. }) if is_due(*asked_at) => {
                self.send_want(cx)
            }
            State::Uploading { .. } | State::Asking { .. } | State::Streaming(_) => {}
        }
    }
}

fn apply_all<S: Store>(cx: &mut Context<'_, S>, records: &[Record]) -> Result<(), Full> {
    records.iter().try_for_each(|record| {
        cx.clock.see(record.version);
        cx.store.apply(record)
    })
}
