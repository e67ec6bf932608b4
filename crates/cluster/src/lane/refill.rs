//! A partner fetches the slots that it lacks: it asks for one batch at a time, which comes by the stream.

use tandem_wire::replication::{Batch, Body, Slot};

use super::partner::{Partner, State, Streaming};
use super::{Context, Lane, Role};
use crate::output::Event;
use crate::planted::Defect;
use crate::store::Store;

impl Lane {
    /// Whether a batch is on its way.
    pub(crate) fn is_refilling(&self) -> bool {
        matches!(&self.role, Role::Partner(Partner { state: State::Streaming(Streaming { wanted: Some(_), .. }), .. }))
    }

    /// Asks for the next slot, if one is missing, none is asked for and there may be room. False if it does not.
    pub(crate) fn fetch_next<S: Store>(&mut self, cx: &mut Context<'_, S>) -> bool {
        let (number, shape, now) = (self.number, cx.shape, cx.now);
        let retry_ms = cx.rules.timing.resend_ms;
        let Some(partner) = self.partner() else { return false };
        if partner.full_since.is_some_and(|since| now < since + retry_ms) {
            return false;
        }
        let first = partner.missing.first();
        let (Some(streaming), Some(place)) = (partner.streaming(), first) else { return false };
        if streaming.wanted.is_some() {
            return false;
        }
        streaming.wanted = Some((shape.slot_at(number, place), 0, now));
        self.send_want(cx);
        true
    }

    /// The batch has not come.
    pub(super) fn want_again<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        if !cx.rules.has(Defect::LostCredit) {
            self.send_want(cx);
        }
    }

    fn send_want<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let (lane, term) = (self.number, self.term);
        let Some(streaming) = self.partner().and_then(Partner::streaming) else { return };
        let Some((slot, cursor, asked_at)) = &mut streaming.wanted else { return };
        *asked_at = cx.now;
        cx.send(Body::Want { lane, term, round: streaming.round, slot: *slot, cursor: *cursor });
    }

    /// A batch has come. The first of a slot takes the place of everything that was there.
    pub(super) fn apply_batch<S: Store>(&mut self, cx: &mut Context<'_, S>, batch: &Batch) {
        let now = cx.now;
        let Some(streaming) = self.partner().and_then(Partner::streaming) else { return };
        // It may have been asked for twice, and be here already.
        if !matches!(streaming.wanted, Some((slot, cursor, _)) if (slot, cursor) == (batch.slot, batch.cursor)) {
            return;
        }
        streaming.wanted = batch.done.is_none().then_some((batch.slot, batch.next, now));
        if batch.cursor == 0 {
            cx.store.forget(batch.slot);
        }
        let is_full = batch.records.iter().any(|record| {
            cx.clock.see(record.version);
            cx.store.apply(record).is_err()
        });
        let Some(partner) = self.partner() else { return };
        partner.full_since = is_full.then_some(now);
        if is_full {
            // From its beginning, when there is room.
            if let Some(streaming) = partner.streaming() {
                streaming.wanted = None;
            }
        } else if let Some(sum) = batch.done {
            cx.store.raise_floor(batch.slot, sum.floor);
            self.finish_slot(cx, batch.slot, sum.digest);
        } else {
            self.send_want(cx);
        }
    }

    /// All of a slot has come.
    fn finish_slot<S: Store>(&mut self, cx: &mut Context<'_, S>, slot: Slot, digest: u64) {
        let (lane, place) = (self.number, cx.shape.place_of(slot));
        let is_same = cx.store.sum(slot).digest == digest;
        let Some(partner) = self.partner() else { return };
        if is_same {
            partner.missing.remove(place);
            let slots_left = partner.missing.len();
            cx.tell(Event::RefillProgress { lane, slots_left });
        } else {
            cx.tell(Event::Diverged { lane });
        }
    }
}
