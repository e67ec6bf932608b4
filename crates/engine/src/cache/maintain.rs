//! Background work in small steps, and resizing.

use std::sync::atomic::Ordering;

use super::Cache;
use crate::error::{Error, Result};
use crate::log::Bound;
use crate::shard::Effects;

/// Free segments given back to the system in one step, at about 10 microseconds each.
const SHED_A_STEP: usize = 8;
/// Evictions (or moves of compaction) in one step of shrinking.
const SHRINK_STEPS: u32 = 128;

impl Cache {
    /// One small step (tens of microseconds) of background work: expiry, freeing after [`Cache::clear`], closing the
    /// gaps that many deleted entries left, shrinking, giving back to the system what many entries left free or was kept
    /// for more large values, deadlines of key gates.
    /// Returns true while there is more to do at once; a caretaker calls it every 50 ms or so.
    pub fn maintain(&self) -> bool {
        if self.tick_gates() {
            return true;
        }
        if self.shared.large.blocks().cool_down() {
            return true;
        }
        if self.shared.large.has_graves() && !self.shared.large.exhume().is_empty() {
            return true;
        }
        for _ in 0..self.shards.len() {
            let number = self.next_shard.load(Ordering::Relaxed) % self.shards.len();
            let mut effects = Effects::default();
            let mut shard = self.lock_number(number);
            let more = shard.bury_some(&mut effects) || shard.sweep(&mut effects) || shard.tidy(&mut effects);
            drop(shard);
            self.settle(effects);
            if more {
                return true;
            }
            self.next_shard.store(number + 1, Ordering::Relaxed);
        }
        self.shrink_some() || self.shared.segments.shed_surplus(SHED_A_STEP)
    }

    /// Sets a new bound. Returns true when it holds already; else call [`Cache::maintain`] until it does.
    ///
    /// # Errors
    /// [`Error::BadOption`] if out of range or beyond the address space that was reserved: four times the bound the
    /// cache was created with, but for a cache of at most 16 GiB no more than these, and less where there was not that much.
    pub fn resize(&self, max_bytes: u64) -> Result<bool> {
        self.check_open()?;
        let most = self.shared.segments.region_bytes().max(self.shared.options.max_bytes);
        let least =
            crate::MIN_CACHE_BYTES.max(8 * u64::from(self.shared.segments.segment_bytes()) * self.shards.len() as u64);
        if max_bytes < least || max_bytes > most {
            return Err(Error::BadOption {
                option: "maxBytes",
                reason: format!("{max_bytes} is outside {least} to {most}, the range of this cache"),
            });
        }
        self.shared.budget.set_max(max_bytes);
        Ok(self.is_within_bound())
    }

    /// Whether no more memory is in use than the bound allows; false for a while after a resize to less.
    pub fn is_within_bound(&self) -> bool {
        self.shared.segments.used_fits()
    }

    /// Gives memory up while the bound is exceeded. True while it still is.
    pub(super) fn shrink_some(&self) -> bool {
        if self.shared.segments.used_fits() {
            return false;
        }
        if self.shared.segments.shed_some(SHED_A_STEP) || self.shared.large.blocks().cool(0) {
            return true;
        }
        self.relieve(Bound::Bytes, None, SHRINK_STEPS)
    }
}
