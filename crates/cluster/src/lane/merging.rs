//! Two halves meet that have both acknowledged alone: the primary takes in what its partner has, by version.

use std::collections::HashSet;
use std::sync::Arc;

use tandem_wire::replication::{Body, Lineage, Operation, Record, Slot, SlotSum, Version};

use super::{Context, Lane, plain};
use crate::output::Event;
use crate::planted::Defect;
use crate::store::{Known, Store};

/// What the partner is giving.
#[derive(Debug)]
pub(super) struct Merging {
    /// Which of its attempts.
    round: u32,
    /// Number of the piece that comes next.
    next: u32,
    /// Keys that it has told of, of the slot that it is at.
    told: HashSet<Arc<[u8]>>,
}

/// A piece of a slot of the partner.
pub(crate) struct Piece {
    pub lineage: Lineage,
    pub round: u32,
    pub number: u32,
    pub slot: Slot,
    pub records: Vec<Record>,
    pub done: Option<SlotSum>,
    pub alone_since: Version,
}

impl Lane {
    /// Takes in a piece. What comes twice changes nothing the second time.
    pub(crate) fn on_upload<S: Store>(&mut self, cx: &mut Context<'_, S>, piece: Piece) {
        // What came from another data set has no past in common with what is here, and all of it counts.
        let is_foreign = piece.lineage != self.lineage;
        let alone_since = if is_foreign { 0 } else { piece.alone_since };
        // What was forgotten here may never have been here.
        let was_shared = !is_foreign && !self.is_stale;
        let (lane, term) = (self.number, self.term);
        let own_alone_since = self.alone_since;
        let Some(primary) = self.primary() else { return };
        let is_newer = primary.merging.as_ref().is_none_or(|merging| merging.round < piece.round);
        if is_newer && piece.number == 0 {
            primary.merging = Some(Merging { round: piece.round, next: 0, told: HashSet::new() });
        }
        let Some(merging) = primary.merging.as_mut().filter(|merging| merging.round == piece.round) else { return };
        let uploaded = Body::Uploaded { lane, term, round: piece.round, piece: piece.number };
        if piece.number != merging.next {
            if piece.number < merging.next {
                cx.send(uploaded);
            }
            return;
        }
        merging.next += 1;
        merging.told.extend(piece.records.iter().map(|record| Arc::clone(&record.key)));
        let told = piece.done.is_some().then(|| std::mem::take(&mut merging.told));
        let floor = cx.store.sum(piece.slot).floor;
        if let Some(sum) = piece.done {
            // What is written here from now on has not been removed there.
            cx.clock.see(sum.floor);
        }
        let mut dropped = 0;
        let mut taken = Vec::new();
        for record in piece.records {
            let known = cx.store.known(record.slot, &record.key);
            let wins = match known {
                Some(known) => record.version > known.version(),
                None => record.version > floor,
            } || cx.rules.has(Defect::MergeByArrival);
            if wins {
                // What it replaces may have been acknowledged here, alone.
                if let (Some(Known::Live(version)), Some(since)) = (known, own_alone_since)
                    && version >= since
                {
                    dropped += 1;
                }
                taken.push(record);
            } else if known.map(Known::version) != Some(record.version) {
                let was_acknowledged = record.version >= alone_since || (known.is_none() && !was_shared);
                dropped += usize::from(record.value.is_some() && was_acknowledged);
            }
        }
        if let (Some(told), Some(sum)) = (told, piece.done) {
            dropped += self.refuse_absent(cx, piece.slot, &told, sum.floor, own_alone_since, &mut taken);
        }
        dropped += self.take_in(cx, taken);
        if dropped > 0 {
            self.dropped += dropped as u64;
            cx.tell(Event::ConflictDropped { lane, keys: dropped });
        }
        cx.send(uploaded);
    }

    /// Removes what the partner does not have although it may have removed it; counts what was acknowledged here.
    fn refuse_absent<S: Store>(
        &mut self,
        cx: &mut Context<'_, S>,
        slot: Slot,
        told: &HashSet<Arc<[u8]>>,
        floor: Version,
        alone_since: Option<Version>,
        taken: &mut Vec<Record>,
    ) -> usize {
        let mut dropped = 0;
        let mut cursor = Some(0);
        while let Some(from) = cursor {
            let (records, next) = cx.store.read(slot, from, cx.rules.volume.batch_bytes);
            for mut record in records {
                if record.value.is_some() && record.version <= floor && !told.contains(&record.key) {
                    dropped += usize::from(alone_since.is_some_and(|since| record.version >= since));
                    record.version = Self::next_version(cx, &record);
                    record.value = None;
                    taken.push(record);
                }
            }
            cursor = next;
        }
        dropped
    }

    /// Changes that were not made here become changes of the stream, with the versions that they have. Returns how many
    /// values there was no room for.
    fn take_in<S: Store>(&mut self, cx: &mut Context<'_, S>, records: Vec<Record>) -> usize {
        let mut dropped = 0;
        let mut applied = Vec::with_capacity(records.len());
        for record in records {
            cx.clock.see(record.version);
            // Without room the record is absent, as if it had been evicted; its version keeps older ones out.
            if cx.store.apply(&record).is_ok() {
                applied.push(record);
            } else {
                dropped += 1;
                cx.store.raise_floor(record.slot, record.version);
            }
        }
        if !applied.is_empty() {
            self.commit(cx, plain(Operation::Write(applied)));
        }
        dropped
    }
}
