//! Hashes and sets.

use super::{Cache, scratch};
use crate::collection::{Editor, Elements, Growth};
use crate::error::{Error, Result};
use crate::shard::{CollectionChange, Effects};
use crate::value::{Found, Kind, ReadMode};

/// What is known of an entry beside its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryInfo {
    /// Meaning of the value.
    pub kind: Kind,
    /// Uses the default policy remembers, from 0 to 3.
    pub uses: u32,
    /// Bytes of the record, of what lies outside the log, and of its share of the index.
    pub bytes: u64,
    /// Milliseconds since the last use, which only entries with an idle ttl remember.
    pub idle_ms: Option<u64>,
}

impl Cache {
    /// Calls `read` with the elements of the hash or set under `key`; `None` if it is absent.
    ///
    /// `read` may run under a lock: it looks elements up and copies them. Costs a look at one record, or at one leaf per
    /// element of a large collection. To look at all elements see [`Cache::read_whole`].
    ///
    /// # Errors
    /// [`Error::WrongKind`] where something else is stored.
    pub fn read_collection<T>(
        &self,
        key: &[u8],
        kind: Kind,
        mode: ReadMode,
        read: impl FnOnce(&Elements<'_>) -> T,
    ) -> Result<Option<T>> {
        self.read(key, mode, |found| with_elements(found, kind, false, read)).transpose()
    }

    /// Like [`Cache::read_collection`], for a `read` that looks at all elements: it sees a large collection as it was at one
    /// moment, and no writer waits for it. That costs some bytes for each 16 KiB of elements, charged to the cache.
    ///
    /// # Errors
    /// [`Error::WrongKind`] where something else is stored.
    pub fn read_whole<T>(
        &self,
        key: &[u8],
        kind: Kind,
        mode: ReadMode,
        read: impl FnOnce(&Elements<'_>) -> T,
    ) -> Result<Option<T>> {
        self.read(key, mode, |found| with_elements(found, kind, true, read)).transpose()
    }

    /// Runs `change` on the elements of the hash or set under `key` and stores what comes of it, in one step: nobody sees a
    /// part of it. An absent key is made if `create` is set; else the answer is `None`. Without elements the key goes. Keeps
    /// expiry, idle ttl and cost. Pre-empts, if anything changed.
    ///
    /// `change` runs under the shard lock and may run again, from the same state: it does nothing but change elements.
    /// When it fails it must not have changed any. It may add as much as `growth` says, which is made room for.
    /// Costs the copy of a record of up to 4 KiB, or of one leaf per element of a large collection.
    ///
    /// # Errors
    /// [`Error::WrongKind`] where something else is stored, what `change` returns, and those of [`Cache::set`].
    pub fn change_collection<T>(
        &self,
        key: &[u8],
        kind: Kind,
        create: bool,
        growth: Growth,
        mut change: impl FnMut(&mut Editor<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        self.check_open()?;
        if key.len() > crate::MAX_KEY_BYTES {
            return Err(Error::KeyTooLong { bytes: key.len() });
        }
        let limit = self.shared.options.max_value_bytes;
        if growth.longest as u64 > limit {
            return Err(Error::TooLarge { what: "value bytes", size: growth.longest as u64, limit });
        }
        let most = (crate::MAX_VALUE_BYTES as usize) + crate::MAX_KEY_BYTES;
        if growth.longest_element > most {
            let size = growth.longest_element as u64;
            return Err(Error::TooLarge { what: "element bytes", size, limit: most as u64 });
        }
        let hash = self.shared.hash(key);
        let target = CollectionChange {
            hash,
            key,
            kind,
            create,
            growth,
            small_bytes: self.small_bytes(key),
            long_key: key.len() > self.inline_limit() / 2,
            limit: self.large_limit(),
        };
        scratch::with(|buffer| {
            self.attempt((hash, key), None, |shard, effects| {
                shard.change_collection(&target, buffer, &mut change, effects)
            })
        })
    }

    /// What is known of the entry under `key`; no use.
    pub fn describe_entry(&self, key: &[u8]) -> Option<EntryInfo> {
        let hash = self.shared.hash(key);
        let mut effects = Effects::default();
        let mut shard = self.lock(hash);
        let info = shard.lookup(hash, key, &mut effects).map(|address| {
            let record = shard.log.record(address);
            EntryInfo {
                kind: record.kind(),
                uses: record.uses(),
                bytes: shard.log.bytes_of_entry(record),
                idle_ms: record.idle_ms(|| self.shared.now_ms()),
            }
        });
        drop(shard);
        self.settle(effects);
        info
    }
}

/// Calls `read` with the elements of a value that was found, if it is of this kind.
fn with_elements<T>(found: &Found<'_>, kind: Kind, whole: bool, read: impl FnOnce(&Elements<'_>) -> T) -> Result<T> {
    if found.kind != kind {
        return Err(Error::WrongKind);
    }
    let Some(table) = found.shared.and_then(|large| large.0.table()) else {
        return Ok(read(&Elements::small(kind, found.bytes)));
    };
    if whole {
        let copy = table.share();
        drop(table);
        Ok(read(&Elements::table(kind, &copy)))
    } else {
        Ok(read(&Elements::table(kind, &table)))
    }
}
