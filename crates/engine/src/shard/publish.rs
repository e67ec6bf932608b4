//! Telling of changes: to the stream, and to those who watch a key.

use std::sync::Arc;

use super::{Effects, Shard, read};
use crate::events::{Change, ChangeKind, OldValue};
use crate::record::Record;
use crate::watch::WatchFlag;

impl Shard {
    /// Tells of a change about `record`, if somebody listens or watches. Before the record changes.
    #[inline(always)]
    pub(super) fn publish(&mut self, kind: ChangeKind, record: Record, version: u64, effects: &mut Effects) {
        if self.shared.ring.is_open() || !self.watches.is_empty() {
            self.publish_observed(kind, record, version, effects);
        }
    }

    #[cold]
    fn publish_observed(&mut self, kind: ChangeKind, record: Record, version: u64, effects: &mut Effects) {
        let by_itself = matches!(kind, ChangeKind::Expired | ChangeKind::Evicted);
        match &mut self.journal {
            // What a transaction changes of its own is told of at its end. What goes by itself stays gone.
            Some(journal) if !by_itself => {
                if self.watches.has(record.key()) {
                    journal.mark_later(record.key());
                }
            }
            _ => self.watches.mark(record.key()),
        }
        if self.shared.ring.is_open() {
            let leaves =
                matches!(kind, ChangeKind::Replaced | ChangeKind::Deleted | ChangeKind::Expired | ChangeKind::Evicted);
            let is_value = !record.kind().is_collection();
            let old = (leaves && is_value && self.shared.ring.with_values()).then(|| OldValue {
                kind: record.kind(),
                codec: record.codec(),
                bytes: read::owned_value(record),
            });
            self.push(Change::of(kind, record.key(), version, old), effects);
        }
    }

    /// Tells of a change that concerns no single key.
    pub(super) fn publish_bare(&mut self, kind: ChangeKind, effects: &mut Effects) {
        if self.shared.ring.is_open() {
            self.push(Change::bare(kind, self.version()), effects);
        }
    }

    fn push(&mut self, change: Change, effects: &mut Effects) {
        if let Some(journal) = &mut self.journal {
            journal.tell(change);
        } else {
            let lost = self.shared.ring.push(change);
            if !lost.is_empty() {
                effects.lost = lost;
            }
            effects.changed = true;
        }
    }

    /// Tells that `key`, which a transaction had changed, could not be put back.
    pub(super) fn publish_lost(&mut self, key: &[u8], effects: &mut Effects) {
        let version = self.next_version();
        self.counters.evictions += 1;
        self.watches.mark(key);
        if self.shared.ring.is_open() {
            self.push(Change::of(ChangeKind::Evicted, key, version, None), effects);
        }
    }

    /// Marks `flag` from now on when `key` changes.
    pub(crate) fn watch(&mut self, key: &[u8], flag: &Arc<WatchFlag>) {
        self.watches.add(key, flag);
    }

    /// Ends [`Shard::watch`].
    pub(crate) fn unwatch(&mut self, key: &[u8], flag: &Arc<WatchFlag>) {
        self.watches.remove(key, flag);
    }

    /// Everything is about to go: marks those who watch a key that is there.
    pub(super) fn mark_watched_entries(&mut self) {
        let there = |key: &[u8]| self.find(self.shared.hash(key), key).is_some();
        self.watches.mark_where(there);
    }
}
