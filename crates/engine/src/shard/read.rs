//! Lookups.

use super::{Effects, Shard};
use crate::codec;
use crate::eviction::Eviction;
use crate::memory::NONE;
use crate::record::{Record, field, flag};
use crate::value::{Found, Kind, LargeValue, ReadMode};

/// A record's value, as far as it can be had under the lock.
pub(crate) enum Stored<'a> {
    /// Raw bytes in the log: copy them before the lock is released.
    Inline(&'a [u8]),
    /// LZ4 bytes in the log: copy them, release the lock, decompress.
    Compressed(&'a [u8]),
    /// A shared reference; decompress it if told so.
    Large(LargeValue, bool),
}

/// The value of a record.
pub(crate) fn stored<'a>(record: Record) -> Stored<'a> {
    let compressed = record.has_flag(flag::LZ4);
    if record.has_flag(flag::LARGE) {
        Stored::Large(record.clone_large(), compressed)
    } else if compressed {
        Stored::Compressed(record.inline_value())
    } else {
        Stored::Inline(record.inline_value())
    }
}

/// Length of a record's value before compression.
pub(super) fn raw_value_len(record: Record) -> u64 {
    match stored(record) {
        Stored::Compressed(bytes) => codec::raw_len(bytes) as u64,
        Stored::Large(large, true) => codec::raw_len(&large) as u64,
        _ => record.value_len() as u64,
    }
}

/// A decompressed copy of a record's value.
pub(super) fn owned_value(record: Record) -> Vec<u8> {
    let mut out = Vec::new();
    match stored(record) {
        Stored::Inline(bytes) => out.extend_from_slice(bytes),
        Stored::Compressed(bytes) => codec::decompress_own(bytes, &mut out),
        Stored::Large(large, true) => codec::decompress_own(&large, &mut out),
        Stored::Large(large, false) => out.extend_from_slice(&large),
    }
    out
}

/// What a record says about its value, with the bytes still to come.
#[inline(always)]
pub(crate) fn describe<'a>(record: Record, now_ms: impl FnOnce() -> u64) -> Found<'a> {
    let fields = record.fields();
    let (expires_at, idle_ttl_ms) = if fields & (field::EXPIRY | field::IDLE) != 0 {
        (record.deadline(now_ms()), record.idle_ttl_ms())
    } else {
        (None, None)
    };
    Found {
        kind: record.kind(),
        codec: if record.kind() == Kind::Coded { record.codec() } else { 0 },
        ascii: record.has_flag(flag::ASCII),
        version: record.version(),
        expires_at,
        idle_ttl_ms,
        cost: record.cost(),
        bytes: &[],
        shared: None,
    }
}

impl Shard {
    /// The live record under `key`, with the marks of a use left on it if `mode` says so.
    #[inline(always)]
    pub(crate) fn read(&mut self, hash: u64, key: &[u8], mode: ReadMode, effects: &mut Effects) -> Option<Record> {
        let address = self.lookup(hash, key, effects)?;
        let record = self.log.record(address);
        if mode == ReadMode::Use {
            self.policy.used(&mut self.log, address);
            if record.has_field(field::IDLE) {
                record.restart_idle(self.shared.now_ms());
            }
        }
        Some(record)
    }

    /// Leaves the mark of a use on the record under `key`, if it is there.
    pub(crate) fn touch(&mut self, hash: u64, key: &[u8]) {
        if let Some((address, _)) = self.find(hash, key) {
            self.policy.used(&mut self.log, address);
        }
    }

    /// Keys in order of use, for `lru`: up to `limit` of them behind `after`.
    pub(crate) fn keys_by_recency(
        &self,
        after: Option<(u64, &[u8])>,
        limit: usize,
        newest_first: bool,
        keys: &mut Vec<Vec<u8>>,
    ) {
        let crate::eviction::Policy::Lru(lru) = &self.policy else { return };
        let step = |address: u32| {
            let (newer, older) = crate::eviction::Lru::neighbours(&self.log, address);
            if newest_first { older } else { newer }
        };
        let mut at = match after {
            None if newest_first => lru.newest(),
            None => lru.oldest(),
            Some((hash, key)) => self.find(hash, key).map_or(NONE, |(address, _)| step(address)),
        };
        while at != NONE && keys.len() < limit {
            let record = self.log.record(at);
            if !(record.can_expire() && self.has_expired(record)) {
                keys.push(record.key().to_vec());
            }
            at = step(at);
        }
    }
}
