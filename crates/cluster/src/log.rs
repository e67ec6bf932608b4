//! The latest entries of a lane, for a partner that has yet to get them; beyond a bound, the slots that they changed.

use std::collections::VecDeque;
use std::sync::Arc;

use tandem_wire::replication::{Entry, Operation, Sequence, Version};

use crate::slots::{Shape, SlotSet};

/// The end of a lane's stream.
#[derive(Debug, Clone)]
pub struct Log {
    shape: Shape,
    /// The entry before the first that is kept.
    base: Sequence,
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// Slots that entries up to `base` have changed, and the entry behind which that is complete.
    dirty: Option<(Sequence, SlotSet)>,
}

impl Log {
    /// Nothing, behind `base`.
    pub fn new(shape: Shape, base: Sequence) -> Self {
        Self { shape, base, entries: VecDeque::new(), bytes: 0, dirty: None }
    }

    /// The last entry.
    pub fn end(&self) -> Sequence {
        self.base + self.entries.len() as Sequence
    }

    /// The entry before the first that is kept.
    pub fn base(&self) -> Sequence {
        self.base
    }

    /// Memory that the entries take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: Arc<Entry>) {
        self.bytes += cost(&entry);
        self.entries.push_back(entry);
    }

    /// Entries behind `after` of up to `bytes`, at least one if there is any; `None` if they are not kept any more.
    pub fn behind(&self, after: Sequence, bytes: usize) -> Option<Vec<Arc<Entry>>> {
        let skip = usize::try_from(after.checked_sub(self.base)?).ok()?;
        let mut room = bytes;
        let mut taken = Vec::new();
        for entry in self.entries.iter().skip(skip) {
            if !taken.is_empty() && cost(entry) > room {
                break;
            }
            room = room.saturating_sub(cost(entry));
            taken.push(Arc::clone(entry));
        }
        Some(taken)
    }

    /// Drops the entries up to `to`. Their slots are kept only if those before are.
    pub fn trim(&mut self, to: Sequence) {
        while self.base < to
            && let Some(entry) = self.entries.pop_front()
        {
            self.base += 1;
            self.bytes -= cost(&entry);
            if let Some((_, slots)) = &mut self.dirty {
                mark(self.shape, &entry, slots);
            }
        }
    }

    /// Keeps no more than `bytes` of entries; remembers the slots of those that go.
    pub fn spill(&mut self, bytes: usize) {
        if self.bytes > bytes {
            self.dirty.get_or_insert_with(|| (self.base, SlotSet::none(self.shape)));
            while self.bytes > bytes {
                self.trim(self.base + 1);
            }
        }
    }

    /// Slots that the entries behind `after` have changed; `None` if that is not known any more.
    pub fn changed_since(&self, after: Sequence) -> Option<SlotSet> {
        let mut changed = match &self.dirty {
            Some((since, slots)) if *since <= after && after < self.base => slots.clone(),
            _ if self.base <= after => SlotSet::none(self.shape),
            _ => return None,
        };
        let skip = after.saturating_sub(self.base) as usize;
        self.entries.iter().skip(skip).for_each(|entry| mark(self.shape, entry, &mut changed));
        Some(changed)
    }

    /// The lowest version of the changes behind `after`; `None` if there are none.
    pub fn version_behind(&self, after: Sequence) -> Option<Version> {
        let skip = after.saturating_sub(self.base) as usize;
        let versions = self.entries.iter().skip(skip).filter_map(|entry| match &entry.operation {
            Operation::Write(records) => records.first().map(|record| record.version),
            Operation::Flush(version) => Some(*version),
            Operation::Batch(_) | Operation::Answers(_) | Operation::Check { .. } => None,
        });
        versions.min()
    }

    /// The partner holds all of it.
    pub fn settle(&mut self) {
        self.dirty = None;
    }
}

/// Adds the slots that an entry changes.
fn mark(shape: Shape, entry: &Entry, slots: &mut SlotSet) {
    match &entry.operation {
        Operation::Write(records) => records.iter().for_each(|record| slots.insert(shape.place_of(record.slot))),
        Operation::Flush(_) => slots.extend(&SlotSet::all(shape)),
        // They change nothing at their source.
        Operation::Batch(_) | Operation::Answers(_) | Operation::Check { .. } => {}
    }
}

/// Memory of an entry, about.
pub(crate) fn cost(entry: &Entry) -> usize {
    let records = match &entry.operation {
        Operation::Write(records) => records.as_slice(),
        Operation::Batch(batch) => &batch.records,
        Operation::Flush(_) | Operation::Answers(_) | Operation::Check { .. } => &[],
    };
    let answers = match &entry.operation {
        Operation::Answers(answers) => answers.as_slice(),
        _ => entry.request.as_slice(),
    };
    let bytes: usize =
        records.iter().map(|one| 48 + one.key.len() + one.value.as_ref().map_or(0, |value| value.len())).sum();
    64 + bytes + answers.iter().map(|one| 48 + one.reply.len()).sum::<usize>()
}
