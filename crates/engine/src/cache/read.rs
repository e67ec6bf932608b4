//! Reads.

use super::optimistic::Attempt;
use super::{Cache, scratch};
use crate::codec;
use crate::index::{page_in_view, prefetch_bucket, probe};
use crate::memory::prefetch;
use crate::shard::{Effects, Stored, describe, stored};
use crate::value::{Found, LargeValue, ReadMode};

/// A key between the two steps of a prefetch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Prefetched {
    hash: u64,
}

impl Cache {
    /// Looks `key` up and calls `read` with what is there; `None` is a miss.
    ///
    /// `read` may run under the shard lock: it copies and does nothing else (no call into JavaScript, no lock, no
    /// engine call). One probe; no allocation for raw values below the inline limit.
    #[inline]
    pub fn read<T>(&self, key: &[u8], mode: ReadMode, read: impl FnOnce(&Found<'_>) -> T) -> Option<T> {
        let hash = self.shared.hash(key);
        if !self.optimistic {
            return self.read_locked(hash, key, mode, read);
        }
        match self.read_optimistically(hash, key, mode, read) {
            Attempt::Answered(answer) => answer,
            Attempt::Unsure(read) => self.read_locked(hash, key, mode, read),
        }
    }

    fn read_locked<T>(&self, hash: u64, key: &[u8], mode: ReadMode, read: impl FnOnce(&Found<'_>) -> T) -> Option<T> {
        let mut effects = Effects::default();
        let mut shard = self.lock(hash);
        let Some(record) = shard.read(hash, key, mode, &mut effects) else {
            drop(shard);
            self.settle(effects);
            self.count_read(mode, false);
            return None;
        };
        self.count_read(mode, true);
        let found = describe(record, || self.shared.now_ms());
        Some(match stored(record) {
            Stored::Inline(bytes) => {
                shard.lent = true;
                let answer = read(&Found { bytes, ..found });
                shard.lent = false;
                answer
            }
            Stored::Compressed(bytes) => scratch::with(|compressed| {
                compressed.extend_from_slice(bytes);
                drop(shard);
                decompressed(compressed, |bytes| read(&Found { bytes, ..found }))
            }),
            Stored::Large(large, compressed) => {
                drop(shard);
                read_large(&large, compressed, &found, read)
            }
        })
    }

    /// Fetches the line of the index that a read or write of `key` begins with. Worth it for a batch of keys: the first
    /// step for all of them, then [`Cache::prefetch_record`] for all, then the operations.
    #[inline]
    pub fn prefetch(&self, key: &[u8]) -> Prefetched {
        let hash = self.shared.hash(key);
        if let Some(page) = self.page_without_lock(hash) {
            prefetch_bucket(&self.shared.pages, page, hash);
        }
        Prefetched { hash }
    }

    /// The second step: fetches the first lines of the record that the key most likely has.
    #[inline]
    pub fn prefetch_record(&self, key: Prefetched) {
        let Some(page) = self.page_without_lock(key.hash) else { return };
        probe(&self.shared.pages, page, key.hash, |address| {
            let record = self.shared.segments.pointer(address);
            prefetch(record);
            prefetch(record.wrapping_add(64));
            true
        });
    }

    /// The page of the index that `hash` belongs to, as it was a moment ago.
    #[inline(always)]
    fn page_without_lock(&self, hash: u64) -> Option<u32> {
        let glimpse = self.shared.views[self.shard_number(hash)].glimpse()?;
        let skip_bits = self.shards.len().trailing_zeros();
        // SAFETY: the view belongs to an index of this cache.
        Some(unsafe { page_in_view(glimpse.directory, glimpse.depth, skip_bits, hash) })
    }

    /// Whether `key` is there. Not a use.
    pub fn contains(&self, key: &[u8]) -> bool {
        let hash = self.shared.hash(key);
        let mut effects = Effects::default();
        let found = self.lock(hash).lookup(hash, key, &mut effects).is_some();
        self.settle(effects);
        found
    }
}

pub(super) fn decompressed<T>(compressed: &[u8], read: impl FnOnce(&[u8]) -> T) -> T {
    scratch::with(|raw| {
        codec::decompress_own(compressed, raw);
        read(raw)
    })
}

/// Calls `read` with a large value, outside the lock.
pub(super) fn read_large<T>(
    large: &LargeValue,
    compressed: bool,
    found: &Found<'_>,
    read: impl FnOnce(&Found<'_>) -> T,
) -> T {
    if compressed {
        decompressed(large, |bytes| read(&Found { bytes, ..*found }))
    } else {
        read(&Found { bytes: large, shared: Some(large), ..*found })
    }
}
