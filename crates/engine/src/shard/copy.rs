//! A copy of an entry: what a transaction keeps to put it back, and what is stored under another key.

use std::sync::Arc;

use super::{Effects, Shard};
use crate::memory::LargeSpace;
use crate::record::{Draft, Record, field, flag};
use crate::value::LargeValue;

/// A copy of a record, and of its reference to a large value.
pub(crate) struct EntryCopy {
    bytes: Box<[u8]>,
    /// The large value itself, or the elements of a large collection as they were.
    pub(crate) large: Option<LargeValue>,
}

impl EntryCopy {
    pub(super) fn of(record: Record, space: &Arc<LargeSpace>) -> Self {
        // SAFETY: the record is live and has so many bytes.
        let bytes = unsafe { std::slice::from_raw_parts(record.0, record.bytes(1) as usize) };
        // A large collection changes where it is, so its elements are kept as they are now.
        let large = match record.table().map(|table| table.share()) {
            Some(table) => {
                let key: &[u8] = if record.has_flag(flag::LONG_KEY) { record.key() } else { &[] };
                Some(LargeValue(Arc::new(space.keep(key, table)), key.len()))
            }
            None => record.has_flag(flag::LARGE).then(|| record.clone_large()),
        };
        Self { bytes: bytes.into(), large }
    }

    /// The copy as a record: to be read only. `large` keeps alive what it points to.
    pub(crate) fn record(&self) -> Record {
        Record(self.bytes.as_ptr().cast_mut())
    }

    pub(super) fn key(&self) -> &[u8] {
        let record = self.record();
        // A long key lies in front of the large value: that of the copy is alive.
        match &self.large {
            Some(large) if record.has_flag(flag::LONG_KEY) => &large.0.as_slice()[..record.key_len()],
            _ => record.key(),
        }
    }

    /// The stored bytes of a value that is no large collection.
    pub(crate) fn stored_bytes(&self) -> &[u8] {
        self.large.as_deref().unwrap_or_else(|| self.record().inline_value())
    }

    /// Absolute expiry in milliseconds since the Unix epoch, apart from an idle ttl.
    pub(crate) fn expires_at(&self) -> Option<u64> {
        let record = self.record();
        record.has_field(field::EXPIRY).then(|| record.field(field::EXPIRY)).filter(|&at| at != u64::MAX)
    }

    pub(super) fn draft(&self, links: bool) -> Draft<'_> {
        let record = self.record();
        Draft {
            kind: record.kind(),
            codec: record.codec(),
            flags: record.flags(),
            key: self.key(),
            value: if self.large.is_some() { &[] } else { record.inline_value() },
            value_len: record.value_len() as u32,
            large: self.large.as_ref(),
            expires_at: record.has_field(field::EXPIRY).then(|| record.field(field::EXPIRY)),
            idle_ttl_ms: record.idle_ttl_ms(),
            cost: record.cost(),
            links,
        }
    }
}

impl Shard {
    /// A copy of the entry under `key`; no use.
    pub(crate) fn copy_of(&mut self, hash: u64, key: &[u8], effects: &mut Effects) -> Option<EntryCopy> {
        let address = self.lookup(hash, key, effects)?;
        Some(EntryCopy::of(self.log.record(address), &self.shared.large))
    }
}
