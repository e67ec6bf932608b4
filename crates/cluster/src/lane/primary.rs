//! A lane on its primary: orders the changes, streams them, and says when they are acknowledged.

use std::sync::Arc;

use tandem_wire::replication::{Batch, Body, Difference, Entry, NodeId, Operation, Sequence, Slot, Standing, Term};

use super::merging::Merging;
use super::{Context, Lane, Role, plain};
use crate::output::{Event, Output};
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
    /// Since when the oldest change waits for the partner.
    waiting_since: Option<Millis>,
    /// The notice that tells a slow partner that it is out of sync: its number, and when it was last sent.
    notice: Option<(u32, Millis)>,
    notices: u32,
    pub(super) merging: Option<Merging>,
}

#[derive(Debug)]
struct Follower {
    round: u32,
    /// Entries up to here are under way.
    sent: Sequence,
    /// Entries up to here have come.
    acknowledged: Sequence,
    /// When that last grew, or something was sent again.
    moved_at: Millis,
    is_full: bool,
    /// Its copy is complete: what it has counts.
    is_ready: bool,
}

impl Primary {
    pub(super) fn new(mode: Mode, now: Millis) -> Self {
        let waiting_since = (mode != Mode::Solo).then_some(now);
        Self { mode, follower: None, handing_over: false, waiting_since, notice: None, notices: 0, merging: None }
    }

    pub(super) fn is_in_sync(&self) -> bool {
        self.mode == Mode::Pair
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
        self.log.push(entry);
        let end = self.log.end();
        if let Some(primary) = self.primary()
            && primary.mode != Mode::Solo
        {
            primary.waiting_since.get_or_insert(cx.now);
        }
        self.advance(cx);
        self.pump(cx);
        end
    }

    /// Acknowledges what may be.
    pub(super) fn advance<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let end = self.log.end();
        let Role::Primary(primary) = &mut self.role else { return };
        let held = primary.follower.as_ref().filter(|one| one.is_ready).map_or(0, |one| one.acknowledged);
        let (to, copies) = match primary.mode {
            Mode::Solo if cx.awake => (end, if held >= end { 2 } else { 1 }),
            // What was acknowledged by the partner is, whoever is primary by now.
            _ => (held, 2),
        };
        if to <= self.committed {
            return;
        }
        if primary.mode == Mode::Solo && self.alone_since.is_none() {
            self.alone_since = Some(self.log.version_behind(self.committed));
        }
        self.committed = to;
        cx.out.push(Output::Committed { lane: self.number, sequence: to, copies });
        if primary.mode == Mode::Solo {
            self.log.spill(cx.rules.volume.window_bytes);
        }
    }

    /// Sends what the follower has not been sent yet, as far as the window allows.
    pub(super) fn pump<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let (number, term, lineage) = (self.number, self.term, self.lineage);
        let Role::Primary(primary) = &mut self.role else { return };
        let Some(follower) = &mut primary.follower else { return };
        while follower.sent < self.log.end() {
            let Some(entries) = self.log.behind(follower.sent, cx.rules.volume.frame_bytes) else {
                // It is too far behind; it will ask again from where it is.
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
        let (end, shape) = (self.log.end(), cx.shape);
        let common = common.filter(|&common| common <= end);
        let theirs = SlotSet::from_words(shape, changed);
        let ours = common.and_then(|common| self.log.changed_since(common));
        let tail = common.filter(|&common| theirs.is_empty() && common >= self.log.base());
        let (at, difference) = match (tail, ours) {
            (Some(common), _) => (common, Difference::Slots(SlotSet::none(shape).to_words())),
            (None, Some(mut slots)) => {
                slots.extend(&theirs);
                (end, Difference::Slots(slots.to_words()))
            }
            (None, None) => {
                let slots = (0..shape.slots_per_lane()).map(|place| shape.slot_at(self.number, place));
                (end, Difference::Digests(slots.map(|slot| cx.store.sum(slot).digest).collect()))
            }
        };
        let (number, term, lineage, history) = (self.number, self.term, self.lineage, self.history.clone());
        let Some(primary) = self.primary() else { return };
        if matches!(&primary.follower, Some(follower) if follower.round > round) {
            return;
        }
        // In a pair, what is not acknowledged yet goes to the same partner again.
        if primary.mode == Mode::Pair {
            primary.mode = Mode::Joining { until: end };
        }
        primary.follower =
            Some(Follower { round, sent: at, acknowledged: at, moved_at: cx.now, is_full: false, is_ready: false });
        cx.send(Body::Begin { lane: number, term, lineage, round, at, history, until: end, difference });
        self.pump(cx);
    }

    /// The partner has what was sent.
    pub(crate) fn on_ack<S: Store>(&mut self, cx: &mut Context<'_, S>, round: u32, end: Sequence, state: AckState) {
        let log_end = self.log.end();
        let number = self.number;
        let Role::Primary(primary) = &mut self.role else { return };
        let Some(follower) = &mut primary.follower else { return };
        if follower.round != round || end > log_end {
            return;
        }
        if end > follower.acknowledged {
            follower.acknowledged = end;
            follower.moved_at = cx.now;
            primary.waiting_since = (end < log_end).then_some(cx.now);
        }
        follower.sent = follower.sent.max(end);
        if state.gap && end >= follower.acknowledged {
            follower.sent = end;
        }
        if state.full && !follower.is_full {
            cx.out.push(Output::MakeRoom(number));
        }
        follower.is_full = state.full;
        follower.is_ready = state.ready;
        let acknowledged = follower.acknowledged;
        let mode = primary.mode;
        if state.ready {
            match mode {
                Mode::Solo => primary.mode = Mode::Joining { until: log_end },
                Mode::Joining { until } if acknowledged >= until => {
                    primary.mode = Mode::Pair;
                    primary.notice = None;
                    self.alone_since = None;
                    self.log.settle();
                }
                Mode::Joining { .. } | Mode::Pair => {}
            }
            if mode == Mode::Solo && acknowledged >= log_end {
                self.on_ack(cx, round, end, state);
                return;
            }
        }
        self.advance(cx);
        self.log.trim(acknowledged.min(self.committed));
        self.pump(cx);
        self.hand_over_if_drained(cx);
    }

    /// The partner wants a batch of a slot. It goes into the stream, where it is ordered among the changes.
    pub(crate) fn on_want<S: Store>(&mut self, cx: &mut Context<'_, S>, round: u32, slot: Slot, cursor: u64) {
        let Some(primary) = self.primary() else { return };
        if !matches!(&primary.follower, Some(follower) if follower.round == round) {
            return;
        }
        let (records, next) = cx.store.read(slot, cursor, cx.rules.volume.batch_bytes);
        let done = next.is_none().then(|| cx.store.sum(slot));
        let batch = Batch { slot, cursor, records, next: next.unwrap_or(0), done };
        self.commit(cx, plain(Operation::Batch(batch)));
    }

    /// The partner is gone, silent, or knows that it does not count: acknowledges alone from here on.
    pub(crate) fn go_solo<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let Some(primary) = self.primary() else { return };
        if primary.mode == Mode::Solo {
            return;
        }
        primary.mode = Mode::Solo;
        primary.waiting_since = None;
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

    /// The partner knows that its copy does not count.
    pub(crate) fn on_out_of_sync_known<S: Store>(&mut self, cx: &mut Context<'_, S>, notice: u32) {
        if let Some(primary) = self.primary()
            && primary.notice.is_some_and(|(number, _)| number == notice)
            && cx.awake
        {
            self.go_solo(cx);
        }
    }

    /// Time has passed. `linked`: the partner answers.
    pub(crate) fn tick_primary<S: Store>(&mut self, cx: &mut Context<'_, S>, linked: bool) {
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
        if linked
            && primary.mode != Mode::Solo
            && primary.waiting_since.is_some_and(|since| cx.now >= since + timing.out_of_sync_after_ms)
        {
            let due = primary.notice.is_none_or(|(_, sent)| cx.now >= sent + timing.resend_ms);
            if due {
                let notice = primary.notice.map_or(primary.notices + 1, |(notice, _)| notice);
                primary.notices = notice;
                primary.notice = Some((notice, cx.now));
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
        let holds_all = primary.follower.as_ref().is_some_and(|follower| follower.acknowledged == end);
        if primary.handing_over && primary.mode == Mode::Pair && holds_all && committed == end && cx.awake {
            let to: NodeId = cx.peer;
            self.step_down(cx, Term { counter: self.term.counter + 1, node: to });
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
