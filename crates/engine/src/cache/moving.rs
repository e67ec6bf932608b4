//! Storing an entry under another key.

use super::write::Encoded;
use super::{Cache, read};
use crate::collection::{Elements, Growth, SMALL_BYTES};
use crate::error::{Error, Result};
use crate::record::{HEADER_BYTES, field, flag};
use crate::shard::{Effects, EntryCopy, Write};
use crate::value::{Condition, Expiry, LargeValue, NewValue, WriteOptions};
use crate::{Kind, Scope};

/// What came of moving or copying an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It is there now.
    Done,
    /// There is no entry to take.
    Missing,
    /// Something is where it should go, and was not to be replaced.
    Occupied,
}

/// The key to write, as all ways of writing it need it.
struct Target<'k> {
    key: &'k [u8],
    hash: u64,
    options: WriteOptions,
}

impl Cache {
    /// Stores the entry under `from` under `to` instead, with its expiry, idle ttl and cost; a transaction of its own, or a
    /// part of the one that this thread is in. Where something is under `to` it is replaced if `replace` is set. `from` and
    /// `to` must differ. Pre-empts on both keys.
    ///
    /// Constant time: a large value, or large collection, changes its key and is not copied, unless a key has more than
    /// some thousand bytes.
    ///
    /// # Errors
    /// Those of [`Cache::set`] and [`Cache::transaction`]; nothing has changed then.
    pub fn rename(&self, from: &[u8], to: &[u8], replace: bool) -> Result<Moved> {
        self.transfer(from, to, replace, true)
    }

    /// Stores the entry under `from` under `to` as well, as [`Cache::rename`] does, in time linear in its size.
    ///
    /// # Errors
    /// Those of [`Cache::set`] and [`Cache::transaction`]; nothing has changed then.
    pub fn copy(&self, from: &[u8], to: &[u8], replace: bool) -> Result<Moved> {
        self.transfer(from, to, replace, false)
    }

    fn transfer(&self, from: &[u8], to: &[u8], replace: bool, moves: bool) -> Result<Moved> {
        if to.len() > crate::MAX_KEY_BYTES {
            return Err(Error::KeyTooLong { bytes: to.len() });
        }
        // Dropped behind the transaction: its memory is not given back under a lock.
        let mut kept = None;
        self.transaction(Scope::Keys(&[from, to]), |_| {
            let hash = self.shared.hash(from);
            let mut effects = Effects::default();
            let copy = self.lock(hash).copy_of(hash, from, &mut effects);
            self.settle(effects);
            let Some(copy) = copy else { return Ok(Moved::Missing) };
            let copy = kept.insert(copy);
            if !replace && self.contains(to) {
                return Ok(Moved::Occupied);
            }
            self.place(to, copy, moves)?;
            if moves {
                self.delete(from, Condition::Always)?;
            }
            Ok(Moved::Done)
        })
    }

    /// Stores `copy` under `key`. If it `moves`, its large value is shared with where it was, for as long as it is there.
    fn place(&self, key: &[u8], copy: &EntryCopy, moves: bool) -> Result<()> {
        let record = copy.record();
        let options = WriteOptions {
            expiry: copy.expires_at().map_or(Expiry::Never, Expiry::At),
            idle_ttl_ms: record.idle_ttl_ms(),
            cost: Some(record.cost()),
            condition: Condition::Always,
        };
        let target = Target { key, hash: self.shared.hash(key), options };
        let is_long = |len: usize| len > self.inline_limit() / 2;
        let shared = copy.large.as_ref().filter(|_| moves && !record.has_flag(flag::LONG_KEY) && !is_long(key.len()));
        let compressed = record.has_flag(flag::LZ4);
        let (kind, codec) = (record.kind(), record.codec());
        if kind.is_collection() {
            let table = copy.large.as_ref().and_then(|large| large.0.table());
            return match (table, shared) {
                (Some(table), None) => self.rebuild(&target, kind, &Elements::table(kind, &table)),
                (Some(table), Some(large)) => {
                    drop(table);
                    self.write_copy(&target, copy, Some(large), None)
                }
                (None, _) if copy.stored_bytes().len() <= self.small_bytes(key) => {
                    self.write_copy(&target, copy, None, None)
                }
                (None, _) => self.rebuild(&target, kind, &Elements::small(kind, copy.stored_bytes())),
            };
        }
        if compressed {
            return read::decompressed(copy.stored_bytes(), |bytes| {
                self.set(key, NewValue { kind, codec, bytes }, &target.options).map(drop)
            });
        }
        let value = NewValue { kind, codec, bytes: copy.stored_bytes() };
        match shared {
            Some(large) => self.write_copy(&target, copy, Some(large), Some(value)),
            None => {
                let flags = record.flags() & flag::ASCII;
                let encoded = Encoded { flags, bytes: value.bytes, draft: None };
                self.prepared(key, &value, encoded, &target.options, |shard, write, effects| {
                    shard.write(write, effects)
                })
                .map(drop)
            }
        }
    }

    /// Most bytes of the small form of a collection under `key`.
    pub(super) fn small_bytes(&self, key: &[u8]) -> usize {
        let beside = (HEADER_BYTES + 6 * field::BYTES) as usize + key.len();
        SMALL_BYTES.min(self.inline_limit().saturating_sub(beside))
    }

    /// Writes a record like that of `copy`; `value` is for those who wait for one.
    fn write_copy(
        &self,
        target: &Target<'_>,
        copy: &EntryCopy,
        large: Option<&LargeValue>,
        value: Option<NewValue<'_>>,
    ) -> Result<()> {
        let record = copy.record();
        let write = Write {
            hash: target.hash,
            key: target.key,
            kind: record.kind(),
            codec: record.codec(),
            flags: record.flags(),
            value: if large.is_some() { &[] } else { copy.stored_bytes() },
            value_len: record.value_len() as u32,
            large: large.cloned(),
            options: &target.options,
        };
        let step = |shard: &mut crate::shard::Shard, effects: &mut Effects| shard.write(&write, effects);
        self.attempt((target.hash, target.key), value, step).map(drop)
    }

    /// Builds a collection anew, element by element.
    fn rebuild(&self, target: &Target<'_>, kind: Kind, elements: &Elements<'_>) -> Result<()> {
        let mut growth = Growth::default();
        elements.for_each(|element| growth.add(&element));
        self.delete(target.key, Condition::Always)?;
        self.change_collection(target.key, kind, true, growth, |editor| {
            elements.for_each(|element| {
                editor.put(element);
            });
            if elements.is_hashtable() {
                editor.remember_hashtable();
            }
            Ok(())
        })?;
        self.set_expiry(target.key, target.options.expiry)?;
        Ok(())
    }
}
