//! A partner that has acknowledged alone gives the primary the slots that it has changed.

use tandem_wire::replication::{Body, Version};

use super::partner::State;
use super::{Context, Lane};
use crate::store::Store;

impl Lane {
    /// Sends the piece of a slot that the primary is to merge; asks to follow once there is none left.
    pub(super) fn upload<S: Store>(&mut self, cx: &mut Context<'_, S>) {
        let (lane, term, lineage) = (self.number, self.term, self.lineage);
        let alone_since = self.alone_since.unwrap_or(Version::MAX);
        let Some(partner) = self.partner() else { return };
        let State::Uploading(uploading) = &mut partner.state else { return };
        let Some(place) = uploading.left.first() else {
            let (common, all) = (uploading.common, uploading.all.clone());
            self.ask(cx, common, all);
            return;
        };
        let (slot, cursor) = (cx.shape.slot_at(lane, place), uploading.cursor);
        uploading.sent_at = cx.now;
        let (records, next) = cx.store.read(slot, cursor, cx.rules.volume.batch_bytes);
        let done = next.is_none().then(|| cx.store.sum(slot));
        let (round, piece) = (uploading.round, uploading.piece);
        cx.send(Body::Upload { lane, term, lineage, round, piece, slot, records, done, alone_since });
    }

    /// The primary has merged a piece.
    pub(crate) fn on_uploaded<S: Store>(&mut self, cx: &mut Context<'_, S>, round: u32, piece: u32) {
        let (batch_bytes, number) = (cx.rules.volume.batch_bytes, self.number);
        let Some(partner) = self.partner() else { return };
        let State::Uploading(uploading) = &mut partner.state else { return };
        let Some(place) = uploading.left.first() else { return };
        if (round, piece) != (uploading.round, uploading.piece) {
            return;
        }
        uploading.piece += 1;
        // Nothing changes here meanwhile, so the piece ends where it did.
        uploading.cursor = match cx.store.read(cx.shape.slot_at(number, place), uploading.cursor, batch_bytes).1 {
            Some(next) => next,
            None => {
                uploading.left.remove(place);
                0
            }
        };
        self.upload(cx);
    }
}
