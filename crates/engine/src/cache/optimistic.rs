//! Reads that take no lock and write no line that another thread reads: what makes threads scale.

use std::mem::MaybeUninit;

use super::Cache;
use crate::index::{page_in_view, probe};
use crate::record::{MAX_USES, RacingRecord, field, flag};
use crate::shard::View;
use crate::sync::preemption_point;
use crate::value::{Found, ReadMode};

/// Values up to this go through a buffer on the stack; longer ones take the lock.
const STACK_BYTES: usize = 1024;

/// What a read without a lock came to.
pub(super) enum Attempt<T, F> {
    /// An answer, as good as one under the lock.
    Answered(Option<T>),
    /// The shard was being changed, or the record needs the lock: `read` was not called and comes back.
    Unsure(F),
}

/// A matching record, its value copied.
struct Copied<'a> {
    record: Found<'static>,
    bytes: &'a [u8],
    uses: u32,
}

impl Cache {
    /// Tries a read of `key` without the lock.
    #[inline]
    pub(super) fn read_optimistically<T, F: FnOnce(&Found<'_>) -> T>(
        &self,
        hash: u64,
        key: &[u8],
        mode: ReadMode,
        read: F,
    ) -> Attempt<T, F> {
        let view = &self.shared.views[self.shard_number(hash)];
        let mut stack = [MaybeUninit::<u8>::uninit(); STACK_BYTES];
        match self.copy_without_lock(view, hash, key, &mut stack) {
            Err(()) => Attempt::Unsure(read),
            Ok(None) => {
                self.count_read(mode, false);
                Attempt::Answered(None)
            }
            Ok(Some(copied)) => {
                self.count_read(mode, true);
                if mode == ReadMode::Use && copied.uses < MAX_USES {
                    self.touch(hash, key);
                }
                Attempt::Answered(Some(read(&Found { bytes: copied.bytes, ..copied.record })))
            }
        }
    }

    /// Looks up and copies; `Err` where only the lock can tell.
    #[inline(always)]
    fn copy_without_lock<'a>(
        &self,
        view: &View,
        hash: u64,
        key: &[u8],
        buffer: &'a mut [MaybeUninit<u8>; STACK_BYTES],
    ) -> Result<Option<Copied<'a>>, ()> {
        let segments = &*self.shared.segments;
        let skip_bits = self.shards.len().trailing_zeros();
        let glimpse = view.glimpse().ok_or(())?;
        // SAFETY: the view belongs to an index of this cache.
        let page = unsafe { page_in_view(glimpse.directory, glimpse.depth, skip_bits, hash) };
        preemption_point();
        let mut matching = None;
        probe(&self.shared.pages, page, hash, |address| {
            // SAFETY: addresses of records are multiples of the granule, and wherever one points by now, a header
            // lies inside the log, which stays mapped; so do the bytes that `is_inside` says yes to, and the log ends
            // at a multiple of the granule.
            let (record, matches) = unsafe {
                let record = RacingRecord::load(segments.pointer(address));
                // A long key lies outside the log: where one may match, only the lock can tell.
                let matches = record.key_len() == key.len()
                    && (record.has_flag(flag::LONG_KEY)
                        || (segments.is_inside(address, record.bytes_with_key()) && record.key_equals(key)));
                (record, matches)
            };
            if matches {
                matching = Some((address, record));
            }
            matches
        });
        let Some((address, record)) = matching else {
            return if view.is_unchanged(glimpse) { Ok(None) } else { Err(()) };
        };
        if record.has_flag(flag::LARGE | flag::LONG_KEY | flag::LZ4)
            || record.has_field(field::IDLE)
            || record.value_len() > STACK_BYTES
            || !segments.is_inside(address, record.bytes_with_value())
        {
            return Err(());
        }
        preemption_point();
        // SAFETY: as above.
        let bytes = unsafe { record.copy_value(buffer) };
        preemption_point();
        // SAFETY: as above.
        let described = unsafe { record.describe() };
        let has_expired = described.expires_at.is_some_and(|at| at <= self.shared.now_ms());
        if has_expired || !view.is_unchanged(glimpse) {
            return Err(());
        }
        Ok(Some(Copied { record: described, bytes, uses: record.uses() }))
    }

    /// Marks a use, unless somebody holds the lock: then this one is not counted.
    #[cold]
    fn touch(&self, hash: u64, key: &[u8]) {
        if let Some(mut shard) = self.try_lock(hash) {
            shard.touch(hash, key);
        }
    }
}
