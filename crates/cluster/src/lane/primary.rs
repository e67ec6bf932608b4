//! A lane on its primary: orders the changes, streams them, and says when they are acknowledged.

use std::sync::Arc;

use tandem_wire::replication::{Batch, Body, Difference, Entry, Operation, Sequence, Slot, Standing, Term};

use super::merging::Merging;
use super::{Context, Lane, Role, plain};
use crate::output::{Event, Output};
use crate::planted::Defect;
use crate::rules::Millis;
use crate::slots::SlotSet;
use crate::store::Store;

/// Whose acknowledgement a change needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The partner is away: none but this worker's.
    Solo,
    /// The partner's; but its copy counts only once it has everything up to here.
    Joining {
        /// This entry.
        until: Sequence,
    },
    /// The partner's.
    Pair,
}

/// What the primary of a lane keeps.
#[derive(Debug)]
pub(super) struct Primary {
    mode: Mode,
    /// The partner, once it has said from where it goes on.
    follower: Option<Follower>,
    /// Changes wait: the lane is about to go to the partner.
    handing_over: bool,
    /// Something waits for the partner, and since then nothing was acknowledged.
    waiting_since: Option<Millis>,
    /// What tells a slow partner that it is out of sync.
    notice: Option<Notice>,
    notices: u32,
    pub(super) merging: Option<Merging>,
}

#[derive(Debug, Clone, Copy)]
struct Notice {
    number: u32,
    sent_at: Millis,
}

#[derive(Debug)]
struct Follower {
    round: u32,
    /// The answer to its wish to follow, until something says that it has come.
    begin: Option<Body>,
    /// Entries up to here are under way.
    sent: Sequence,
    /// Entries up to here have come.
    acknowledged: Sequence,
    /// When that last grew, or something was sent again.
    moved_at: Millis,
    /// Its copy is complete: what it has counts.
    is_ready: bool,
    /// Room was made for it up to this entry.
    room_made_at: Sequence,
    /// The last batch that it has asked for, and its entry.
    batch: Option<(Slot, u64, Sequence)>,
}

impl Primary {
    pub(super) fn new(mode: Mode, now: Millis) -> Self {
        let waiting_since = (mode != Mode::Solo).then_some(now);
        Self { mode, follower: None, handing_over: false, waiting_since, notice: None, notices: 0, merging: None }
    }
}

impl Lane {
    pub(super) fn primary(&mut self) -> Option<&mut Primary> {
        match &mut self.role {
            Role::Primary(primary) => Some(primary),
            Role::Partner(_) => None,
        }
    }

    /// How the lane's changes are acknowledged; `None`: by another worker.
    pub(crate) fn mode(&self) -> Option<Mode> {
        match &self.role {
            Role::Primary(primary) => Some(primary.mode),
            Role::Partner(_) => None,
        }
    }

    /// Which attempt of the partner to follow is served here; 0: none.
    pub(super) fn served_round(&self) -> u32 {
        match &self.role {
            Role::Primary(primary) => primary.follower.as_ref().map_or(0, |follower| follower.round),
            Role::Partner(_) => 0,
        }
    }

    pub(crate) fn is_handing_over(&self) -> bool {
        matches!(&self.role, Role::Primary(primary) if primary.handing_over)
    }

    /// Whether changes have waited for the partner too long, or too many of them do.
    pub(crate) fn is_slow(&self, now: Millis, slow_after: Millis, window: usize) -> bool {
        let Role::Primary(primary) = &self.role else { return false };
        primary.mode != Mode::Solo
            && (self.log.bytes() >= window || primary.waiting_since.is_some_and(|since| now >= since + slow_after))
    }

    /// Adds a change, which the store has already. What waits for its acknowledgement waits for the number it gets.
    pub(crate) fn commit<S: Store>(&mut self, cx: &mut Context<'_, S>, entry: Arc<Entry>) -> Sequence {
        debug_assert!(self.is_primary());
        let end = self.log.end() + 1;
        if let Some(request) = &entry.request {
            self.sessions.note(request, end);
        }
        self.log.push(entry);
        // It is sent before the log may forget it.
        self.pump(cx);
        self.advance(cx);
        end
    }

    /// Acknowledges what may be.
    pub(super) fn advance<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let (before, end) = (self.committed, self.log.end());
        let Role::Primary(primary) = &mut self.role else { return };
        let held = primary.follower.as_ref().filter(|one| one.is_ready).map_or(0, |one| one.acknowledged);
        let acknowledges_alone = (primary.mode == Mode::Solo && cx.is_awake) || cx.rules.has(Defect::AcknowledgeEarly);
        // What the partner has acknowledged is, whoever is primary by now.
        self.committed = before.max(if acknowledges_alone { end } else { held });
        if primary.mode == Mode::Solo {
            primary.waiting_since = None;
        } else if self.committed < end || primary.mode != Mode::Pair {
            let is_fresh = self.committed > before || primary.waiting_since.is_none();
            primary.waiting_since = if is_fresh { Some(cx.now) } else { primary.waiting_since };
        } else {
            primary.waiting_since = None;
        }
        if self.committed == before {
            return;
        }
        let copies = if held >= self.committed { 2 } else { 1 };
        cx.out.push(Output::Committed { lane: self.number, sequence: self.committed, copies });
        if acknowledges_alone {
            let since = self.log.version_behind(before.max(held));
            self.alone_since = self.alone_since.or(since);
            self.log.spill(cx.rules.volume.window_bytes);
        }
    }

    /// Sends what the follower has not been sent yet.
    pub(super) fn pump<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let (number, term, lineage) = (self.number, self.term, self.lineage);
        let Role::Primary(primary) = &mut self.role else { return };
        let Some(follower) = &mut primary.follower else { return };
        while follower.sent < self.log.end() {
            let Some(entries) = self.log.behind(follower.sent, cx.rules.volume.frame_bytes) else {
                // It is too far behind, and hears that it is not served any more.
                primary.follower = None;
                return;
            };
            let after = follower.sent;
            follower.sent += entries.len() as Sequence;
            cx.send(Body::Stream { lane: number, term, lineage, after, round: follower.round, entries });
        }
    }

    /// The partner wants to follow.
    pub(crate) fn on_follow<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        round: u32,
        common: Option<Sequence>,
        changed: &[u64],
    ) {
        let (number, term) = (self.number, self.term);
        let Some(primary) = self.primary() else { return };
        if let Some(follower) = &primary.follower
            && follower.round >= round
        {
            // The answer may have been lost, but there is only one: it says where the stream goes on.
            if follower.round == round
                && let Some(begin) = follower.begin.clone()
            {
                cx.send(begin);
            }
            return;
        }
        let (at, difference) = self.difference(cx, common, changed);
        if common != Some(at) {
            // Who does not get the entries gets the answers that they hold.
            for answers in self.sessions.pieces(cx.rules.volume.frame_bytes) {
                self.log.push(plain(Operation::Answers(answers)));
            }
        }
        let (lineage, history, until) = (self.lineage, self.history.clone(), self.log.end());
        let begin = Body::Begin { lane: number, term, lineage, round, at, history, until, difference };
        let Some(primary) = self.primary() else { return };
        // In a pair, what is not acknowledged yet goes to the same partner again.
        if primary.mode == Mode::Pair {
            primary.mode = Mode::Joining { until };
            primary.handing_over = false;
        }
        // Whoever asks anew does not count itself complete; a late answer to the notice would say no more than that.
        if primary.notice.take().is_some() {
            primary.waiting_since = Some(cx.now);
        }
        primary.follower = Some(Follower {
            round,
            begin: Some(begin.clone()),
            sent: at,
            acknowledged: at,
            moved_at: cx.now,
            is_ready: false,
            room_made_at: 0,
            batch: None,
        });
        cx.send(begin);
        self.pump(cx);
        self.advance(cx);
    }

    /// From where the stream can go on for a partner that shares everything up to `common`, and what it has to fetch.
    fn difference<S: Store>(
        &self,
        cx: &Context<'_, S>,
        common: Option<Sequence>,
        changed: &[u64],
    ) -> (Sequence, Difference) {
        let (end, shape) = (self.log.end(), cx.shape);
        let common = common.filter(|&common| common <= end);
        let theirs = SlotSet::from_words(shape, changed);
        let tail = common.filter(|&common| theirs.is_empty() && common >= self.log.base());
        if let Some(common) = tail {
            return (common, Difference::Slots(SlotSet::none(shape).to_words()));
        }
        if let Some(mut slots) = common.and_then(|common| self.log.changed_since(common)) {
            if cx.rules.has(Defect::WrongDirtyBit)
                && let Some(place) = slots.first()
            {
                slots.remove(place);
            }
            slots.extend(&theirs);
            return (end, Difference::Slots(slots.to_words()));
        }
        let slots = (0..shape.slots_per_lane()).map(|place| shape.slot_at(self.number, place));
        (end, Difference::Digests(slots.map(|slot| cx.store.sum(slot).digest).collect()))
    }

    /// The partner has what was sent.
    pub(crate) fn on_ack<S: Store>(&mut self, cx: &mut Context<'_, S>, round: u32, end: Sequence, state: AckState) {
        let log_end = self.log.end();
        let number = self.number;
        let Role::Primary(primary) = &mut self.role else { return };
        let Some(follower) = &mut primary.follower else { return };
        // One that was overtaken says what was, and its copy may not be complete any more.
        if follower.round != round || end > log_end || end < follower.acknowledged {
            return;
        }
        follower.begin = None;
        if end > follower.acknowledged {
            follower.acknowledged = end;
            follower.moved_at = cx.now;
        }
        follower.sent = if state.gap { end } else { follower.sent.max(end) };
        follower.is_ready = state.ready;
        if state.full && end >= follower.room_made_at {
            // What makes room is behind this; whether it was enough is not known before the partner has it.
            follower.room_made_at = log_end + 1;
            cx.out.push(Output::MakeRoom(number));
        }
        if state.ready && primary.mode == Mode::Solo && cx.is_linked {
            primary.mode = Mode::Joining { until: log_end };
        }
        if let Mode::Joining { until } = primary.mode
            && state.ready
            && end >= until
        {
            primary.mode = Mode::Pair;
            primary.notice = None;
            self.alone_since = None;
            self.is_stale = false;
            self.log.settle();
        }
        self.advance(cx);
        self.log.trim(end.min(self.committed));
        self.pump(cx);
        self.hand_over_if_drained(cx);
    }

    /// The partner wants a batch of a slot. It goes into the stream, where it is ordered among the changes.
    pub(crate) fn on_want<S: Store>(&mut self, cx: &mut Context<'_, S>, round: u32, slot: Slot, cursor: u64) {
        let (bytes, next_entry) = (self.log.bytes(), self.log.end() + 1);
        let Some(primary) = self.primary() else { return };
        let is_crowded = primary.mode != Mode::Solo && bytes >= cx.rules.volume.window_bytes;
        let Some(follower) = primary.follower.as_mut().filter(|follower| follower.round == round) else { return };
        // It asks again, and by then there is room in the window, or what it has asked for has come.
        let is_under_way = matches!(follower.batch, Some((of, from, entry))
            if (of, from) == (slot, cursor) && entry > follower.acknowledged);
        if is_crowded || is_under_way {
            return;
        }
        follower.batch = Some((slot, cursor, next_entry));
        let (records, next) = cx.store.read(slot, cursor, cx.rules.volume.batch_bytes);
        let done = next.is_none().then(|| cx.store.sum(slot));
        let batch = Batch { slot, cursor, records, next: next.unwrap_or(0), done };
        self.commit(cx, plain(Operation::Batch(batch)));
    }

    /// Puts the digest of a slot into the stream, for the partner to compare. False if there is nobody to.
    pub(crate) fn check<S: Store>(&mut self, cx: &mut Context<'_, S>, slot: Slot) -> bool {
        if self.mode() != Some(Mode::Pair) || self.is_handing_over() {
            return false;
        }
        let digest = cx.store.sum(slot).digest;
        self.commit(cx, plain(Operation::Check { slot, digest }));
        true
    }

    /// The partner is gone, silent, or knows that it does not count: acknowledges alone from here on.
    pub(crate) fn go_solo<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let Some(primary) = self.primary() else { return };
        if primary.mode == Mode::Solo {
            return;
        }
        primary.mode = Mode::Solo;
        primary.notice = None;
        primary.handing_over = false;
        cx.tell(Event::Solo(self.number));
        self.advance(cx);
    }

    /// The partner's process is gone: what it had been sent is, too.
    pub(crate) fn lose_follower(&mut self) {
        if let Some(primary) = self.primary() {
            primary.follower = None;
            primary.merging = None;
        }
    }

    /// The partner knows that its copy does not count, and will ask anew.
    pub(crate) fn on_out_of_sync_known<S: Store>(&mut self, cx: &mut Context<'_, S>, notice: u32) {
        if let Some(primary) = self.primary()
            && primary.notice.is_some_and(|one| one.number == notice)
            && cx.is_awake
        {
            primary.follower = None;
            self.go_solo(cx);
        }
    }

    /// Time has passed.
    pub(crate) fn tick_primary<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        self.advance(cx);
        let timing = &cx.rules.timing;
        let (number, term) = (self.number, self.term);
        let end = self.log.end();
        let Role::Primary(primary) = &mut self.role else { return };
        if let Some(follower) = &mut primary.follower
            && follower.acknowledged < end
            && cx.now >= follower.moved_at + timing.resend_ms
        {
            follower.sent = follower.acknowledged;
            follower.moved_at = cx.now;
        }
        // A slow partner is told before anything is acknowledged without it.
        let is_slow = primary.waiting_since.is_some_and(|since| cx.now >= since + timing.out_of_sync_after_ms);
        if is_slow && cx.rules.has(Defect::SoloUnconfirmed) {
            self.go_solo(cx);
        } else if is_slow && cx.is_linked {
            if primary.notice.is_none() {
                primary.notices += 1;
            }
            if primary.notice.is_none_or(|one| cx.now >= one.sent_at + timing.resend_ms) {
                let notice = primary.notices;
                primary.notice = Some(Notice { number: notice, sent_at: cx.now });
                cx.send(Body::OutOfSync { lane: number, term, notice });
            }
        }
        self.pump(cx);
    }

    /// Stops taking changes, to make the partner primary.
    pub(crate) fn hand_over<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        if let Some(primary) = self.primary()
            && primary.mode == Mode::Pair
        {
            primary.handing_over = true;
            self.hand_over_if_drained(cx);
        }
    }

    fn hand_over_if_drained<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let (end, committed) = (self.log.end(), self.committed);
        let Role::Primary(primary) = &self.role else { return };
        let holds_all = primary.follower.as_ref().is_some_and(|one| one.acknowledged == end && one.is_ready);
        if primary.handing_over && primary.mode == Mode::Pair && holds_all && committed == end && cx.is_awake {
            self.step_down(cx, Term { counter: self.term.counter + 1, node: cx.peer });
            self.standing = Standing::Ready;
        }
    }
}

/// What the partner adds to an acknowledgement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AckState {
    pub gap: bool,
    pub full: bool,
    pub ready: bool,
}
