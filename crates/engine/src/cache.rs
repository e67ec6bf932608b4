//! The concurrent face of the engine. `&self` everywhere; share it in an `Arc`.

use crate::*;

/// One entry of a scan step; owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanEntry {
    /// The key.
    pub key: Vec<u8>,
    /// Meaning of the value.
    pub kind: Kind,
    /// Version of the entry.
    pub version: u64,
    /// Absolute expiry, ms since the Unix epoch.
    pub expires_at: Option<u64>,
}

/// A byte-bounded cache shared by threads.
pub struct Cache {}

impl Cache {
    /// Creates a cache. Address space is reserved, memory is touched only when used.
    ///
    /// # Errors
    /// [`Error::BadOption`], [`Error::OutOfMemory`].
    pub fn new(_options: Options) -> Result<Self> {
        todo!()
    }

    /// The options the cache was created with.
    pub fn options(&self) -> &Options {
        todo!()
    }

    /// Looks `key` up and calls `read` with what is there; `None` is a miss.
    /// `read` may run under the shard lock: it copies and does nothing else (no call into JavaScript,
    /// no lock, no engine call). One probe, no allocation for values up to 64 KiB that are stored raw.
    pub fn read<T>(&self, _key: &[u8], _mode: ReadMode, _read: impl FnOnce(&Found<'_>) -> T) -> Option<T> {
        todo!()
    }

    /// Whether `key` is there. Not a use.
    pub fn contains(&self, _key: &[u8]) -> bool {
        todo!()
    }

    /// Stores a value. Pre-empts an upsert in flight on the key.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], [`Error::TooLarge`], [`Error::BadCost`], [`Error::Overloaded`], [`Error::Closed`].
    pub fn set(&self, _key: &[u8], _value: NewValue<'_>, _options: &WriteOptions) -> Result<Written> {
        todo!()
    }

    /// Deletes `key` if `condition` holds; says whether an entry went. Pre-empts.
    pub fn delete(&self, _key: &[u8], _condition: Condition) -> Result<bool> {
        todo!()
    }

    /// Deletes `key` and hands its value to `read`. Pre-empts.
    pub fn take<T>(&self, _key: &[u8], _read: impl FnOnce(&Found<'_>) -> T) -> Result<Option<T>> {
        todo!()
    }

    /// Adds `delta` to the integer under `key` (absent counts as 0) and keeps its expiry.
    /// Text, bytes and wire values that are canonical decimal integers count as integers.
    ///
    /// # Errors
    /// [`Error::NotInteger`], [`Error::Overflow`], and those of [`Cache::set`].
    pub fn incr(&self, _key: &[u8], _delta: i64) -> Result<i64> {
        todo!()
    }

    /// Reads, lets `f` decide outside any lock, and commits if the entry is still the same; else again.
    /// `f` may run several times. Counts as a use if it stores.
    ///
    /// # Errors
    /// Those of [`Cache::set`].
    pub fn transform<T>(&self, _key: &[u8], _f: impl FnMut(Option<&Found<'_>>) -> Result<Transform<T>>) -> Result<T> {
        todo!()
    }

    /// Changes the expiry of an entry ([`Expiry::Default`] and [`Expiry::Keep`] are no change); says whether the key
    /// is there. An expiry in the past deletes. Bumps the version; not a use, does not pre-empt.
    pub fn set_expiry(&self, _key: &[u8], _expiry: Expiry) -> Result<bool> {
        todo!()
    }

    /// Copies one index page at `cursor` (0 starts) and returns its entries and the next cursor (0: finished).
    /// A key that exists throughout a scan appears exactly once. Cursors fit 53 bits. Not a use.
    pub fn scan(&self, _cursor: u64, _entries: &mut Vec<ScanEntry>) -> u64 {
        todo!()
    }

    /// Up to `limit` keys in order of use, for `lru`: newest first from `after` on (exclusive), or oldest first.
    /// With several shards: shard after shard. Empty for other policies.
    pub fn keys_by_recency(&self, _after: Option<&[u8]>, _limit: usize, _newest_first: bool) -> Vec<Vec<u8>> {
        todo!()
    }

    /// Empties the cache in constant time per shard; memory returns in small steps ([`Cache::maintain`] and writes). Pre-empts.
    pub fn clear(&self) {
        todo!()
    }

    /// Number of live entries.
    pub fn len(&self) -> u64 {
        todo!()
    }

    /// Whether there is no live entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counters in sum.
    pub fn stats(&self) -> Stats {
        todo!()
    }

    /// Counters of each shard.
    pub fn shard_stats(&self) -> Vec<Stats> {
        todo!()
    }

    /// Sets a new bound. Returns true when it holds already; else call [`Cache::maintain`] until it does.
    ///
    /// # Errors
    /// [`Error::BadOption`] if out of range or beyond the reserved address space.
    pub fn resize(&self, _max_bytes: u64) -> Result<bool> {
        todo!()
    }

    /// One small step (<= 200 us) of background work: expiry, freeing after `clear`, shrinking, gate deadlines.
    /// Returns true while there is more to do at once. A caretaker thread calls it every 50 ms or so.
    pub fn maintain(&self) -> bool {
        todo!()
    }

    /// Opens the change stream with a ring of `capacity` changes; `with_values` copies the values that go, too.
    /// At most one stream a cache; a second open ends the first.
    pub fn changes(&self, _capacity: usize, _with_values: bool) -> ChangeStream {
        todo!()
    }

    /// Closes the cache: later calls answer [`Error::Closed`] or a miss; every waiter is answered.
    pub fn close(&self) {
        todo!()
    }
}
