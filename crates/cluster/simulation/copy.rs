//! A copy of the data, as simple as it can be.

use std::collections::BTreeMap;
use std::sync::Arc;

use tandem_cluster::{Full, Known, Shape, Store};
use tandem_wire::replication::{LaneNumber, Record, Slot, SlotSum, Version};

use super::random::mix;

/// Removals that a slot remembers.
const REMOVALS: usize = 3;

/// A copy: the keys of each slot in the order of their numbers, which is that of a scan.
pub struct Copy {
    shape: Shape,
    slots: Vec<Contents>,
    /// Records that there is room for.
    pub room: usize,
    live: usize,
    /// An eviction leaves the floor as it is.
    #[cfg(feature = "planted")]
    pub forgets_floors: bool,
}

#[derive(Default)]
struct Contents {
    keys: BTreeMap<u64, Record>,
    floor: Version,
    digest: u64,
}

impl Copy {
    pub fn new(shape: Shape, room: usize) -> Self {
        Self {
            shape,
            slots: (0..shape.slots()).map(|_| Contents::default()).collect(),
            room,
            live: 0,
            #[cfg(feature = "planted")]
            forgets_floors: false,
        }
    }

    /// Live records.
    pub fn len(&self) -> usize {
        self.live
    }

    /// The live record of a key.
    pub fn get(&self, slot: Slot, key: &[u8]) -> Option<&Record> {
        self.slots[usize::from(slot)].keys.get(&number_of(key)).filter(|record| record.value.is_some())
    }

    /// All live records of a lane.
    pub fn live_of(&self, lane: LaneNumber) -> impl Iterator<Item = &Record> {
        let slots = (0..self.shape.slots_per_lane()).map(move |place| self.shape.slot_at(lane, place));
        slots.flat_map(|slot| self.slots[usize::from(slot)].keys.values().filter(|record| record.value.is_some()))
    }

    /// Loses a record, without a trace.
    pub fn rot(&mut self, lane: LaneNumber) {
        let Some(record) = self.live_of(lane).next().cloned() else { return };
        let contents = &mut self.slots[usize::from(record.slot)];
        contents.keys.remove(&number_of(&record.key));
        contents.digest ^= digest_of(&record);
        self.live -= 1;
    }

    /// Removes a record to make room. That is not remembered but by the floor.
    pub fn evict(&mut self, slot: Slot, key: &[u8]) {
        let contents = &mut self.slots[usize::from(slot)];
        let Some(record) = contents.keys.remove(&number_of(key)) else { return };
        contents.digest ^= digest_of(&record);
        self.live -= usize::from(record.value.is_some());
        #[cfg(feature = "planted")]
        if self.forgets_floors {
            return;
        }
        contents.floor = contents.floor.max(record.version);
    }
}

impl Store for Copy {
    fn known(&self, slot: Slot, key: &[u8]) -> Option<Known> {
        let record = self.slots[usize::from(slot)].keys.get(&number_of(key))?;
        Some(if record.value.is_some() { Known::Live(record.version) } else { Known::Removed(record.version) })
    }

    fn apply(&mut self, record: &Record) -> Result<(), Full> {
        let contents = &mut self.slots[usize::from(record.slot)];
        let number = number_of(&record.key);
        let was_live = contents.keys.get(&number).is_some_and(|old| old.value.is_some());
        if record.value.is_some() && !was_live && self.live >= self.room {
            return Err(Full);
        }
        contents.digest ^= digest_of(record);
        self.live += usize::from(record.value.is_some());
        if let Some(old) = contents.keys.insert(number, record.clone()) {
            contents.digest ^= digest_of(&old);
            self.live -= usize::from(old.value.is_some());
        }
        let removals = || contents.keys.iter().filter(|(_, record)| record.value.is_none());
        if removals().count() > REMOVALS
            && let Some((&oldest, record)) = removals().min_by_key(|(_, record)| record.version)
        {
            contents.floor = contents.floor.max(record.version);
            contents.keys.remove(&oldest);
        }
        Ok(())
    }

    fn flush(&mut self, lane: LaneNumber, version: Version) {
        for place in 0..self.shape.slots_per_lane() {
            let slot = self.shape.slot_at(lane, place);
            self.forget(slot);
            self.raise_floor(slot, version);
        }
    }

    fn forget(&mut self, slot: Slot) {
        let contents = std::mem::take(&mut self.slots[usize::from(slot)]);
        self.live -= contents.keys.values().filter(|record| record.value.is_some()).count();
    }

    fn read(&self, slot: Slot, cursor: u64, bytes: usize) -> (Vec<Record>, Option<u64>) {
        let mut room = bytes;
        let mut records = Vec::new();
        for (&number, record) in self.slots[usize::from(slot)].keys.range(cursor..) {
            let cost = 16 + record.key.len();
            if !records.is_empty() && cost > room {
                return (records, Some(number));
            }
            room = room.saturating_sub(cost);
            records.push(record.clone());
        }
        (records, None)
    }

    fn sum(&self, slot: Slot) -> SlotSum {
        let contents = &self.slots[usize::from(slot)];
        SlotSum { digest: contents.digest, floor: contents.floor }
    }

    fn raise_floor(&mut self, slot: Slot, floor: Version) {
        let contents = &mut self.slots[usize::from(slot)];
        contents.floor = contents.floor.max(floor);
    }
}

/// Number of a key, above zero. Keys are short.
fn number_of(key: &[u8]) -> u64 {
    key.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// What a live record adds to the digest of its slot.
fn digest_of(record: &Record) -> u64 {
    record.value.as_ref().map_or(0, |value| {
        mix(number_of(&record.key)) ^ mix(record.version).rotate_left(17) ^ mix(value_of(value)).rotate_left(31)
    })
}

/// The number that a value holds.
pub fn value_of(value: &Arc<[u8]>) -> u64 {
    value.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
