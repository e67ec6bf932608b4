//! Changes of hashes and sets.

use std::sync::Arc;

use super::{Effects, Shard, Sizes, Step, Write};
use crate::collection::{Allowance, Editor, Growth, Outcome, Start, Table, charge_to_outgrow};
use crate::error::{Error, Result};
use crate::events::ChangeKind;
use crate::eviction::Eviction;
use crate::gates::Overtaking;
use crate::log::Bound;
use crate::record::{Record, field, flag};
use crate::value::{Condition, Expiry, Kind, LargeValue, WriteOptions};

/// A change of a collection, as far as it is known beforehand.
pub(crate) struct CollectionChange<'a> {
    pub(crate) hash: u64,
    pub(crate) key: &'a [u8],
    pub(crate) kind: Kind,
    /// Whether a key that is absent is made.
    pub(crate) create: bool,
    pub(crate) growth: Growth,
    /// Most bytes of a small form under this key.
    pub(crate) small_bytes: usize,
    /// Whether the key is too long for a record with a table.
    pub(crate) long_key: bool,
    /// Most that one collection may charge.
    pub(crate) limit: u64,
}

impl Shard {
    /// Runs `change` on the elements under the key and stores what comes of it: `None` where the key is absent and stays
    /// so. Without elements the key goes. When this is an error, `Settle` or `Full`, nothing has changed.
    pub(crate) fn change_collection<T>(
        &mut self,
        target: &CollectionChange<'_>,
        buffer: &mut Vec<u8>,
        change: &mut impl FnMut(&mut Editor<'_>) -> Result<T>,
        effects: &mut Effects,
    ) -> Result<Step<Option<T>>> {
        let current = self.lookup(target.hash, target.key, effects).map(|address| (address, self.log.record(address)));
        match current {
            Some((_, record)) if record.kind() != target.kind => return Err(Error::WrongKind),
            None if !target.create => return Ok(Step::Done(None)),
            Some(_) | None => {}
        }
        self.begin_write();
        buffer.clear();
        // A table changes where it is, before it is known whether anything comes of it.
        if let Some((_, record)) = current.filter(|(_, record)| record.has_flag(flag::LARGE)) {
            self.note_before(target.key, Some(record));
        }
        let table = current.and_then(|(_, record)| record.table());
        if let Some((_, record)) = current
            && table.is_none()
        {
            buffer.extend_from_slice(record.inline_value());
        }
        let Some(allowance) = self.allow(target, table.as_deref(), buffer, effects)? else {
            return Ok(if effects.returning > 0 { Step::Settle } else { Step::Full(Bound::Bytes) });
        };
        let shared = Arc::clone(&self.shared);
        let mut editor = Editor::new(Start {
            kind: target.kind,
            table,
            bytes: std::mem::take(buffer),
            small_bytes: target.small_bytes,
            allowance,
            secrets: &shared.secrets,
        });
        // Until the answer is stored the shard is whole, whatever becomes of the change.
        self.lent = true;
        let answer = change(&mut editor);
        self.lent = false;
        let answer = answer?;
        let record = current.map(|(_, record)| record);
        let (outcome, freed) = editor.finish(buffer);
        let stored = match outcome {
            Outcome::Unchanged => {
                current.inspect(|&(address, record)| self.use_collection(address, record));
                Step::Done(())
            }
            Outcome::Empty => {
                freed.into_iter().for_each(|block| effects.drop_block(block));
                self.delete(target.hash, target.key, Condition::Always, effects, |_| {});
                Step::Done(())
            }
            Outcome::Small => self.store_collection(target, record, buffer, None, buffer.len(), effects)?,
            Outcome::New(table) => {
                // At once, although under the lock: storing the table may have to wait until what is freed has returned, and
                // would then begin anew, freeing as much again.
                drop(freed);
                let key: &[u8] = if target.long_key { target.key } else { &[] };
                let bytes = table.element_bytes();
                let large = LargeValue(Arc::new(shared.large.keep(key, *table)), key.len());
                self.store_collection(target, record, &[], Some(large), bytes, effects)?
            }
            Outcome::Table { charge, bytes } => {
                freed.into_iter().for_each(|block| effects.drop_block(block));
                current.inspect(|&(address, record)| {
                    self.commit_table(target.key, (address, record), (charge, bytes), effects);
                });
                Step::Done(())
            }
        };
        Ok(match stored {
            Step::Done(()) => Step::Done(Some(answer)),
            Step::Settle => Step::Settle,
            Step::Full(bound) => Step::Full(bound),
        })
    }

    /// Sets memory aside for a change that may need some outside the log; `None` where another entry has to go first.
    fn allow(
        &self,
        target: &CollectionChange<'_>,
        table: Option<&Table>,
        small: &[u8],
        effects: &mut Effects,
    ) -> Result<Option<Allowance>> {
        let (present, wanted) = match table {
            _ if target.growth.elements == 0 => (0, 0),
            Some(table) => (table.charged(), table.charge_for(&target.growth)),
            None => (0, charge_to_outgrow(small, &target.growth, target.small_bytes)),
        };
        let blocks = Arc::clone(self.shared.large.blocks());
        if wanted == 0 {
            return Ok(Some(Allowance::new(blocks, 0)));
        }
        if present + wanted > target.limit {
            return Err(Error::TooLarge { what: "entry bytes", size: present + wanted, limit: target.limit });
        }
        let segments = &self.shared.segments;
        let spare = segments.reserve_bytes().saturating_sub(segments.free_bytes());
        let allowed = self.shed(wanted, true, effects) && self.shared.budget.try_charge(wanted, spare);
        Ok(allowed.then(|| Allowance::new(blocks, wanted)))
    }

    /// Writes the record of a small form, or of a table; expiry, idle ttl and cost stay.
    fn store_collection(
        &mut self,
        target: &CollectionChange<'_>,
        old: Option<Record>,
        value: &[u8],
        large: Option<LargeValue>,
        bytes: usize,
        effects: &mut Effects,
    ) -> Result<Step<()>> {
        let long_key = if target.long_key { flag::LONG_KEY } else { 0 };
        let options = WriteOptions {
            expiry: Expiry::Keep,
            idle_ttl_ms: old.and_then(Record::idle_ttl_ms),
            cost: old.map(Record::cost),
            condition: Condition::Always,
        };
        let write = Write {
            hash: target.hash,
            key: target.key,
            kind: target.kind,
            codec: 0,
            flags: if large.is_some() { flag::LARGE | long_key } else { 0 },
            value,
            value_len: bytes.min(crate::MAX_VALUE_BYTES as usize) as u32,
            large,
            options: &options,
        };
        Ok(match self.write(&write, effects)? {
            Step::Done(_) => Step::Done(()),
            Step::Settle => Step::Settle,
            Step::Full(bound) => Step::Full(bound),
        })
    }

    /// Makes a change of a table count: it charges `charge` now, and its elements have `bytes`.
    fn commit_table(
        &mut self,
        key: &[u8],
        (address, record): (u32, Record),
        (charge, bytes): (u64, usize),
        effects: &mut Effects,
    ) {
        let version = self.next_version();
        self.publish(ChangeKind::Replaced, record, version, effects);
        let before = (self.log.weigh(record), Sizes::of(record));
        record.recharge(charge);
        record.set_value_len(bytes.min(crate::MAX_VALUE_BYTES as usize) as u32);
        self.log.reweigh(address, before.0, self.log.weigh(record));
        self.counters.resize(before.1, Sizes::of(record));
        record.set_version(version);
        self.use_collection(address, record);
        self.count_set();
        self.overtake(key, Overtaking::Stored, effects);
    }

    fn use_collection(&mut self, address: u32, record: Record) {
        self.policy.used(&mut self.log, address);
        if record.has_field(field::IDLE) {
            record.restart_idle(self.shared.now_ms());
        }
    }
}
