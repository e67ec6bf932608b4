//! A primary and its follower: where the stream goes on, what was sent, and what has come.

use tandem_wire::replication::{Batch, Body, Difference, Operation, Sequence, Slot};

use super::primary::Mode;
use super::{Context, Lane, Role, plain};
use crate::output::Output;
use crate::planted::Defect;
use crate::rules::Millis;
use crate::slots::SlotSet;
use crate::store::Store;

/// The partner as its primary knows it.
#[derive(Debug)]
pub(super) struct Follower {
    pub round: u32,
    /// The answer to its wish to follow, until something says that it has come.
    begin: Option<Body>,
    /// Entries up to here are under way.
    pub sent: Sequence,
    /// Entries up to here have come.
    pub acknowledged: Sequence,
    /// When that last grew, or something was sent again.
    pub moved_at: Millis,
    /// Its copy is complete: what it has counts.
    pub is_ready: bool,
    /// Room was made for it up to this entry.
    room_made_at: Sequence,
    /// The last batch that it has asked for, and its entry.
    batch: Option<(Slot, u64, Sequence)>,
}

/// What the partner adds to an acknowledgement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AckState {
    pub gap: bool,
    pub full: bool,
    pub ready: bool,
}

impl Lane {
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

    /// The partner's process is gone: what it had been sent is, too.
    pub(crate) fn lose_follower(&mut self) {
        if let Some(primary) = self.primary() {
            primary.follower = None;
            primary.merging = None;
        }
    }
}
