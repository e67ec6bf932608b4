//! What a transaction has changed in a shard, and how it is undone.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use rapidhash::fast::RandomState;

use super::copy::EntryCopy;
use super::{Counters, Effects, Removal, Shard, Step};
use crate::events::{Change, ChangeKind, next_place};
use crate::gates::Overtaking;
use crate::memory::NONE;
use crate::record::{Record, field};

/// Old values that all transactions together may keep take one part in so many of the cache's bound. Those beyond are
/// not kept: undoing such a change leaves the key absent, as if it had been evicted.
const JOURNALS_PART: u64 = 8;
/// Changes for the stream that a transaction may gather in a shard; beyond, they are lost, and the stream says so.
const MAX_CHANGES: usize = 65_536;
/// How often room is looked for when a record is put back.
const RESTORE_ATTEMPTS: u32 = 64;

/// The journal of one shard in one transaction.
#[derive(Default)]
pub(crate) struct Journal {
    /// Every key that was changed, as it was before.
    before: HashMap<Box<[u8]>, Before, RandomState>,
    /// What the streams are to be told, in order.
    changes: Vec<Told>,
    /// What overtakes the gates of a key, once it is sure.
    overtakings: HashMap<Box<[u8]>, Overtaking, RandomState>,
    /// Changed keys that somebody watches.
    watched: Vec<Box<[u8]>>,
    /// The shard's counters when the transaction began.
    counters: Counters,
    sets: u64,
    /// Set while the changes are being undone, which is nothing to tell of.
    undoing: bool,
    /// What is counted in `journal_bytes`.
    bytes: u64,
}

/// A change that the streams are to be told of at the end.
pub(crate) struct Told {
    pub(crate) change: Change,
    /// Its place among those of all shards.
    pub(crate) place: u64,
    /// Whether it is so even if the transaction is undone.
    by_itself: bool,
}

impl Told {
    fn new(change: Change, by_itself: bool) -> Self {
        Self { change, place: next_place(), by_itself }
    }
}

enum Before {
    Absent,
    Present(EntryCopy),
    /// It was there, and is not kept.
    Lost,
}

impl Journal {
    /// A change for the stream.
    pub(super) fn tell(&mut self, change: Change) {
        let by_itself = match change.kind {
            // A key that the transaction has changed comes back if that is undone.
            ChangeKind::Evicted | ChangeKind::Expired => !self.before.contains_key(change.key.as_slice()),
            ChangeKind::Cleared | ChangeKind::Gap | ChangeKind::Reset => true,
            ChangeKind::Added | ChangeKind::Replaced | ChangeKind::Deleted | ChangeKind::ExpiryChanged => {
                if self.undoing {
                    return;
                }
                false
            }
        };
        if self.changes.len() >= MAX_CHANGES {
            self.changes.clear();
            self.changes.push(Told::new(Change::bare(ChangeKind::Gap, change.version), true));
        }
        self.changes.push(Told::new(change, by_itself));
    }

    /// Leaves the flags of those who watch `key` for the commit.
    pub(super) fn mark_later(&mut self, key: &[u8]) {
        if !self.undoing {
            self.watched.push(key.into());
        }
    }

    /// Leaves the overtaking of a gate for the commit.
    pub(super) fn postpone(&mut self, key: &[u8], change: Overtaking) {
        self.overtakings.insert(key.into(), change);
    }

    /// The shard was emptied: there is nothing to put back.
    pub(super) fn forget(&mut self) {
        self.before.clear();
        self.changes.clear();
        self.overtakings.clear();
        self.watched.clear();
    }
}

impl Shard {
    /// Begins a transaction.
    pub(crate) fn begin_journal(&mut self) {
        self.journal = Some(Box::new(Journal { counters: self.counters, sets: self.sets(), ..Journal::default() }));
    }

    /// To be called before `key`, whose record is `record`, changes by the will of a caller.
    #[inline(always)]
    pub(super) fn note_before(&mut self, key: &[u8], record: Option<Record>) {
        if self.journal.is_some() {
            self.keep_before(key, record);
        }
    }

    #[cold]
    fn keep_before(&mut self, key: &[u8], record: Option<Record>) {
        let Some(journal) = &mut self.journal else { return };
        if journal.undoing || journal.before.contains_key(key) {
            return;
        }
        let before = match record {
            None => Before::Absent,
            Some(record) => {
                let bytes = u64::from(record.bytes(1));
                let all = self.shared.journal_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
                journal.bytes += bytes;
                if all > self.shared.budget.max() / JOURNALS_PART {
                    Before::Lost
                } else {
                    Before::Present(EntryCopy::of(record, &self.shared.large))
                }
            }
        };
        journal.before.insert(key.into(), before);
    }

    /// The first half of a commit: marks those who watch what was changed, and moves what the stream is to be told to
    /// `changes`.
    pub(crate) fn commit(&mut self, changes: &mut Vec<Told>) {
        let Some(journal) = &mut self.journal else { return };
        journal.watched.iter().for_each(|key| self.watches.mark(key));
        changes.append(&mut journal.changes);
    }

    /// The first half of undoing: takes out everything that the transaction has written, so that there is room for
    /// what was there before.
    pub(crate) fn withdraw(&mut self, effects: &mut Effects) {
        let Some(journal) = &mut self.journal else { return };
        journal.undoing = true;
        let before = std::mem::take(&mut journal.before);
        for key in before.keys() {
            let hash = self.shared.hash(key);
            if let Some((address, position)) = self.find(hash, key) {
                self.remove(address, position, hash, Removal::Deleted, effects);
            }
        }
        if let Some(journal) = &mut self.journal {
            journal.before = before;
        }
    }

    /// The second half of undoing: puts back what was there, and moves what happened all the same to `changes`.
    pub(crate) fn restore(&mut self, changes: &mut Vec<Told>, effects: &mut Effects) {
        let Some(journal) = &mut self.journal else { return };
        journal.overtakings.clear();
        journal.changes.retain(|told| told.by_itself);
        let (counters, sets) = (journal.counters, journal.sets);
        let before = std::mem::take(&mut journal.before);
        self.insist = true;
        for (key, old) in &before {
            let is_back = match old {
                Before::Absent => true,
                Before::Present(old) => self.put_back(old, effects),
                Before::Lost => false,
            };
            if !is_back {
                self.publish_lost(key, effects);
            }
        }
        self.insist = false;
        self.recall_sets(sets);
        self.counters.deletes = counters.deletes;
        self.counters.compressed = counters.compressed;
        if let Some(journal) = &mut self.journal {
            journal.before = before;
            changes.append(&mut journal.changes);
        }
    }

    /// Stores a record as it was, its version included; false where no room can be made for it.
    fn put_back(&mut self, old: &EntryCopy, effects: &mut Effects) -> bool {
        let draft = old.draft(crate::eviction::Eviction::wants_links(&self.policy));
        let hash = self.shared.hash(draft.key);
        self.begin_write();
        for _ in 0..RESTORE_ATTEMPTS {
            self.protect = NONE;
            match self.make_room(&draft, hash, effects) {
                Ok(Step::Done(())) => {
                    let now = self.shared.now_ms();
                    let address = self.insert(&draft, hash, old.record().version(), now, effects);
                    let record = self.log.record(address);
                    record.set_uses(old.record().uses());
                    if record.has_field(field::IDLE) {
                        record.set_field(field::IDLE, old.record().field(field::IDLE));
                        self.note_deadline(address, now);
                    }
                    return true;
                }
                // What has to return to the budget first returns here: nobody can let go of the lock.
                Ok(Step::Settle) => {
                    self.release_reserved();
                    effects.drop_now();
                }
                Ok(Step::Full(_)) | Err(_) => {
                    self.release_reserved();
                    return false;
                }
            }
        }
        false
    }

    /// Ends the transaction, once it was committed or undone. The journal is to be dropped outside the lock.
    pub(crate) fn end_journal(&mut self, effects: &mut Effects) -> Option<Box<Journal>> {
        let mut journal = self.journal.take()?;
        self.shared.journal_bytes.fetch_sub(std::mem::take(&mut journal.bytes), Ordering::Relaxed);
        for (key, change) in journal.overtakings.drain() {
            self.overtake_gate(&key, change, effects);
        }
        Some(journal)
    }
}
