//! The primary's stream as it comes to the partner, who applies it in order and says how far it is.

use std::sync::Arc;

use tandem_wire::replication::{Body, Entry, Group, LaneNumber, Operation, Record, Sequence, Slot, Standing};

use super::{Context, Lane, Role};
use crate::output::Event;
use crate::store::Store;

impl Lane {
    /// Entries of the stream have come. They are applied by [`Lane::apply_plain`] and [`Lane::apply_head`].
    pub(crate) fn on_stream<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        round: u32,
        after: Sequence,
        entries: Vec<Arc<Entry>>,
    ) {
        let Some(partner) = self.partner() else { return };
        let received = partner.end + partner.held.len() as Sequence;
        let Some(streaming) = partner.streaming().filter(|streaming| streaming.round == round) else { return };
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
                self.standing != Standing::Ready || partner.end >= sequence || self.is_next(sequence)
            }
        }
    }

    /// Whether entry `sequence` is here, and the next to be applied.
    pub(crate) fn is_next(&self, sequence: Sequence) -> bool {
        matches!(&self.role, Role::Partner(partner) if partner.end + 1 == sequence && !partner.held.is_empty())
    }

    /// Applies what waits for nothing.
    pub(crate) fn apply_plain<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        while let Role::Partner(partner) = &self.role
            && partner.held.front().is_some_and(|entry| entry.group.is_none())
        {
            self.apply_head(cx);
        }
    }

    /// Applies the next entry.
    pub(crate) fn apply_head<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let Some(entry) = self.partner().and_then(|partner| partner.held.pop_front()) else { return };
        let next = self.end() + 1;
        if let Some(request) = &entry.request {
            self.sessions.note(request, next);
        }
        match &entry.operation {
            Operation::Write(records) => records.iter().for_each(|record| self.apply(cx, record)),
            Operation::Flush(version) => {
                cx.clock.see(*version);
                cx.store.flush(self.number, *version);
            }
            Operation::Batch(batch) => self.apply_batch(cx, batch),
            Operation::Answers(answers) => answers.iter().for_each(|one| self.sessions.note(one, next)),
            Operation::Check { slot, digest } if cx.store.sum(*slot).digest != *digest => {
                if self.miss(cx, *slot) {
                    cx.tell(Event::Diverged { lane: self.number });
                }
            }
            Operation::Check { .. } => {}
        }
        let Some(partner) = self.partner() else { return };
        partner.end += 1;
        self.committed = self.committed.max(self.end());
        self.complete(cx);
    }

    /// Applies one record. What there is no room for is fetched when there is.
    fn apply<S: Store>(&mut self, cx: &mut Context<'_, S>, record: &Record) {
        cx.clock.see(record.version);
        let is_full = cx.store.apply(record).is_err();
        if is_full {
            self.miss(cx, record.slot);
        }
        let Some(partner) = self.partner() else { return };
        if is_full {
            partner.full_since = Some(cx.now);
        } else if record.value.is_none() {
            partner.full_since = None;
        }
    }

    /// Notes that a slot is not complete. False if that was known.
    fn miss<S: Store>(&mut self, cx: &mut Context<'_, S>, slot: Slot) -> bool {
        let place = cx.shape.place_of(slot);
        self.standing = Standing::Syncing;
        let Some(partner) = self.partner() else { return false };
        let is_new = !partner.missing.contains(place);
        partner.missing.insert(place);
        is_new
    }

    /// Notes that the copy is complete, if it is.
    pub(super) fn complete<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let number: LaneNumber = self.number;
        let is_syncing = self.standing != Standing::Ready;
        let Some(partner) = self.partner() else { return };
        let (end, is_whole) = (partner.end, partner.missing.is_empty());
        let Some(streaming) = partner.streaming() else { return };
        if is_syncing && is_whole && end >= streaming.until {
            self.standing = Standing::Ready;
            cx.tell(Event::Ready(number));
        }
    }

    /// Tells the primary how far this worker is.
    pub(crate) fn acknowledge<S: Store>(&mut self, cx: &mut Context<'_, S>, gap: bool) {
        let (lane, term, ready) = (self.number, self.term, self.standing == Standing::Ready);
        let Some(partner) = self.partner() else { return };
        // Entries that wait are not applied, yet need not come again.
        let (end, full, gap) = (partner.end, partner.full_since.is_some(), gap && partner.held.is_empty());
        let Some(streaming) = partner.streaming() else { return };
        cx.send(Body::Ack { lane, term, round: streaming.round, end, gap, full, ready });
    }
}
