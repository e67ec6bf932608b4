//! What live records count in their segments and queues.

use super::Log;
use crate::record::{Record, flag};

/// What a record counts in its segment and its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Bytes in the log.
    bytes: u32,
    is_large: bool,
    /// What its large value charges.
    large_bytes: u64,
    cost: u64,
}

impl Log {
    /// What a live record counts.
    #[inline(always)]
    pub(crate) fn weigh(&self, record: Record) -> Weight {
        Weight {
            bytes: self.bytes_of(record),
            is_large: record.has_flag(flag::LARGE),
            large_bytes: record.large_charge(),
            cost: record.cost(),
        }
    }

    /// Counts a record that was written at `address` as live.
    #[inline(always)]
    pub(crate) fn enter(&mut self, address: u32, weight: Weight) {
        let entry = self.segment_mut(self.segments.segment_of(address));
        entry.live += weight.bytes;
        entry.large += u32::from(weight.is_large);
        let queue = entry.queue as usize;
        let queue = &mut self.queues[queue];
        queue.bytes += u64::from(weight.bytes);
        queue.large_bytes += weight.large_bytes;
        queue.entries += 1;
        queue.cost += u128::from(weight.cost);
    }

    /// Takes a live record out of the counts, leaving its bytes as they are.
    #[inline(always)]
    pub(crate) fn leave(&mut self, address: u32, weight: Weight) {
        let entry = self.segment_mut(self.segments.segment_of(address));
        entry.live -= weight.bytes;
        entry.large -= u32::from(weight.is_large);
        let queue = entry.queue as usize;
        let queue = &mut self.queues[queue];
        queue.bytes -= u64::from(weight.bytes);
        queue.large_bytes -= weight.large_bytes;
        queue.entries -= 1;
        queue.cost -= u128::from(weight.cost);
    }

    /// Makes the record at `address` count `after` instead of `before`. Touches nothing where that is the same: most
    /// overwrites change no count.
    #[inline(always)]
    pub(crate) fn reweigh(&mut self, address: u32, before: Weight, after: Weight) {
        if before != after {
            self.leave(address, before);
            self.enter(address, after);
        }
    }
}
