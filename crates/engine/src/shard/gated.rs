//! Where the shard and its gates meet: commits that overtake, commits by holders, and stable reads.

use std::sync::atomic::Ordering;

use super::read::{Stored, describe, stored};
use super::{Effects, Shard, Step, Write};
use crate::codec;
use crate::error::Result;
use crate::gates::{Effects as Posts, End, GateKind, Overtaking, Standing};
use crate::record::{Record, flag};
use crate::value::{Kind, LargeValue, NewValue, Written};

/// What the gates have to say once the lock is released. Boxed in [`Effects`]: most operations have none.
#[derive(Default)]
pub(crate) struct GateEffects {
    /// To be delivered with the value that the operation stores or loads.
    pub(crate) posts: Posts,
    /// To stable waiters, each with the committed value of its key.
    pub(crate) stables: Vec<(Posts, StoredCopy)>,
}

/// A value as it is stored, copied under the lock to be decompressed outside it.
pub(crate) struct StoredCopy {
    kind: Kind,
    codec: u8,
    compressed: bool,
    inline: Vec<u8>,
    large: Option<LargeValue>,
}

impl StoredCopy {
    fn of(record: Record) -> Self {
        let (inline, large) = match stored(record) {
            Stored::Inline(bytes) | Stored::Compressed(bytes) => (bytes.to_vec(), None),
            Stored::Large(large, _) => (Vec::new(), Some(large)),
        };
        let found = describe(record, || 0);
        Self { kind: found.kind, codec: found.codec, compressed: record.has_flag(flag::LZ4), inline, large }
    }

    /// Calls `f` with the decompressed value. Not under the lock.
    pub(crate) fn with<T>(&self, f: impl FnOnce(NewValue<'_>) -> T) -> T {
        let bytes: &[u8] = self.large.as_deref().unwrap_or(&self.inline);
        let mut raw = Vec::new();
        if self.compressed {
            codec::decompress_own(bytes, &mut raw);
        }
        f(NewValue { kind: self.kind, codec: self.codec, bytes: if self.compressed { &raw } else { bytes } })
    }
}

/// What came of a holder's commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Stored under this version.
    Stored {
        /// The new version.
        version: u64,
    },
    /// The condition did not hold: nothing changed.
    ConditionFailed,
    /// A load whose key was deleted meanwhile: the askers get the value, it is not stored.
    NotStored,
    /// The hold is over as asked.
    Ended,
    /// The token holds nothing any more; nothing happened.
    Fenced,
}

impl Shard {
    /// To be called for every immediate change of the value or existence of `key`, once it has committed.
    #[inline(always)]
    pub(crate) fn overtake(&mut self, key: &[u8], change: Overtaking, effects: &mut Effects) {
        if !self.gates.is_empty() {
            self.overtake_gate(key, change, effects);
        }
    }

    #[cold]
    pub(super) fn overtake_gate(&mut self, key: &[u8], change: Overtaking, effects: &mut Effects) {
        if self.gates.contains(key) && !self.filling {
            if let Some(journal) = &mut self.journal {
                return journal.postpone(key, change);
            }
            let now_ms = self.shared.monotonic_ms();
            self.gates.preempt(key, change, now_ms, &mut effects.gates().posts);
            self.settle_gates(effects);
        }
    }

    /// Everything was cleared.
    pub(crate) fn overtake_all(&mut self, effects: &mut Effects) {
        if !self.gates.is_empty() {
            let now_ms = self.shared.monotonic_ms();
            self.gates.preempt_all(now_ms, &mut effects.gates().posts);
            self.settle_gates(effects);
        }
    }

    /// Commits the value of the holder of `token` and ends its hold. On `Full` and on errors it still holds.
    pub(crate) fn fill(&mut self, write: &Write<'_>, token: u64, effects: &mut Effects) -> Result<Step<Filled>> {
        let (end, filled) = match self.gates.standing(write.key, token) {
            Standing::Fenced => return Ok(Step::Done(Filled::Fenced)),
            Standing::Detached => (End::Returned, Filled::NotStored),
            Standing::Holds(_) => {
                // The holder's own commit overtakes nobody.
                self.filling = true;
                let step = self.write(write, effects);
                self.filling = false;
                match step? {
                    Step::Full(bound) => return Ok(Step::Full(bound)),
                    Step::Settle => return Ok(Step::Settle),
                    Step::Done(Written::Stored { version, .. }) => (End::Stored, Filled::Stored { version }),
                    Step::Done(Written::ConditionFailed { .. }) => (End::Kept, Filled::ConditionFailed),
                }
            }
        };
        self.end_hold(write.key, token, end, effects);
        Ok(Step::Done(filled))
    }

    /// Ends a hold whose value was refused: the askers of a load get it all the same.
    pub(crate) fn end_refused(&mut self, key: &[u8], token: u64, effects: &mut Effects) {
        let end = match self.gates.standing(key, token) {
            Standing::Detached | Standing::Holds(GateKind::Load) => End::Returned,
            Standing::Holds(_) | Standing::Fenced => End::Kept,
        };
        self.end_hold(key, token, end, effects);
    }

    /// Ends a hold that stores nothing (or has stored). False if the token was fenced.
    pub(crate) fn end_hold(&mut self, key: &[u8], token: u64, end: End, effects: &mut Effects) -> bool {
        let now_ms = self.shared.monotonic_ms();
        let standing = self.gates.finish(key, token, end, now_ms, &mut effects.gates().posts);
        self.settle_gates(effects);
        standing != Standing::Fenced
    }

    /// To be called after any change of the gates: answers stable waiters whose key is there and at rest, and keeps
    /// the charge for the gates' memory right.
    pub(crate) fn settle_gates(&mut self, effects: &mut Effects) {
        for key in effects.gates().posts.take_quiet() {
            let hash = self.shared.hash(&key);
            if let Some(record) = self.committed(hash, &key, effects) {
                let copy = StoredCopy::of(record);
                let mut posts = Posts::default();
                self.gates.answer_stable(&key, &mut posts);
                effects.gates().stables.push((posts, copy));
            }
        }
        let bytes = self.gates.bytes() as u64;
        if bytes > self.gates_charged {
            self.shared.budget.charge(bytes - self.gates_charged);
        } else {
            self.shared.budget.release(self.gates_charged - bytes);
        }
        self.shared.gate_bytes.fetch_add(bytes.wrapping_sub(self.gates_charged), Ordering::Relaxed);
        self.gates_charged = bytes;
        let gates = self.gates.len() as u64;
        self.shared.gates.fetch_add(gates.wrapping_sub(self.gates_counted), Ordering::Relaxed);
        self.gates_counted = gates;
    }

    /// The value of `key` if it is there and no change of it is in flight or queued. Not a use.
    pub(crate) fn stable(&mut self, hash: u64, key: &[u8], effects: &mut Effects) -> Option<StoredCopy> {
        if !self.gates.is_quiet(key) {
            return None;
        }
        self.committed(hash, key, effects).map(StoredCopy::of)
    }

    /// The live record under `key`. Not a use.
    pub(crate) fn committed(&mut self, hash: u64, key: &[u8], effects: &mut Effects) -> Option<Record> {
        self.lookup(hash, key, effects).map(|address| self.log.record(address))
    }
}
