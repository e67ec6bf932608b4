//! A lane on its primary: orders the changes, streams them, and says when they are acknowledged.

use std::sync::Arc;

use tandem_wire::replication::{Body, Entry, Sequence, Standing, Term};

use super::merging::Merging;
use super::serving::Follower;
use super::{Context, Lane, Role};
use crate::output::{Event, Output};
use crate::planted::Defect;
use crate::rules::Millis;
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
    pub(super) mode: Mode,
    /// The partner, once it has said from where it goes on.
    pub(super) follower: Option<Follower>,
    /// Changes wait: the lane is about to go to the partner.
    pub(super) handing_over: bool,
    /// Something waits for the partner, and since then nothing was acknowledged.
    pub(super) waiting_since: Option<Millis>,
    /// What tells a slow partner that it is out of sync.
    pub(super) notice: Option<Notice>,
    notices: u32,
    pub(super) merging: Option<Merging>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Notice {
    number: u32,
    sent_at: Millis,
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

    pub(super) fn hand_over_if_drained<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let (end, committed) = (self.log.end(), self.committed);
        let Role::Primary(primary) = &self.role else { return };
        let holds_all = primary.follower.as_ref().is_some_and(|one| one.acknowledged == end && one.is_ready);
        if primary.handing_over && primary.mode == Mode::Pair && holds_all && committed == end && cx.is_awake {
            self.step_down(cx, Term { counter: self.term.counter + 1, node: cx.peer });
            self.standing = Standing::Ready;
        }
    }
}
