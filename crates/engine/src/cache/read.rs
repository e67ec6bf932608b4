//! Reads.

use super::{Cache, scratch};
use crate::codec;
use crate::shard::{Effects, Stored, describe, stored};
use crate::value::{Found, LargeValue, ReadMode};

impl Cache {
    /// Looks `key` up and calls `read` with what is there; `None` is a miss.
    ///
    /// `read` may run under the shard lock: it copies and does nothing else (no call into JavaScript, no lock, no
    /// engine call). One probe; no allocation for raw values below the inline limit.
    #[inline]
    pub fn read<T>(&self, key: &[u8], mode: ReadMode, read: impl FnOnce(&Found<'_>) -> T) -> Option<T> {
        let hash = self.shared.hash(key);
        let mut effects = Effects::default();
        let mut shard = self.lock(hash);
        let Some(record) = shard.read(hash, key, mode, &mut effects) else {
            drop(shard);
            self.settle(effects);
            return None;
        };
        let found = describe(record, || self.shared.now_ms());
        Some(match stored(record) {
            Stored::Inline(bytes) => read(&Found { bytes, ..found }),
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

    /// Fetches the cache line a read or write of `key` begins with. Worth it for a batch of keys.
    #[inline]
    pub fn prefetch(&self, key: &[u8]) {
        let hash = self.shared.hash(key);
        self.lock(hash).index.prefetch(hash);
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
        codec::decompress(compressed, raw);
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
