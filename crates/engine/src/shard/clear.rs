//! Emptying a shard: in constant time for the caller, in small steps for the memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Effects, Shard};
use crate::error::{Error, Result};
use crate::events::ChangeKind;
use crate::eviction::Eviction;
use crate::index::{Directory, Index};
use crate::memory::NONE;

/// Cleared indexes a shard keeps for the background work to take apart.
const MAX_OLD_INDEXES: usize = 2;
/// Segments that a clear gives back of those which earlier ones laid aside: more than few entries fill anew.
const GRAVES_A_CLEAR: usize = 8;

impl Shard {
    /// Forgets every entry in constant time; [`Shard::bury_some`] gives the memory back.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where there is no address space for another index; nothing has changed.
    pub(crate) fn clear(&mut self, kind: ChangeKind, effects: &mut Effects) -> Result<()> {
        // Whoever clears faster than the background work buries does some of that work; else pages would run out.
        while self.old_indexes.len() >= MAX_OLD_INDEXES {
            self.bury_some(effects);
        }
        // Else they would fill the cache, and entries would be evicted for them.
        for _ in 0..GRAVES_A_CLEAR {
            self.log.bury_one(effects);
        }
        self.mark_watched_entries();
        self.renew_index()?;
        if self.shared.options.max_cost.is_some() {
            self.shared.totals.cost.fetch_sub(self.cost(), Ordering::Relaxed);
        }
        if self.shared.options.max_entries.is_some() {
            let entries = self.log.queues.iter().map(|queue| queue.entries).sum();
            self.shared.totals.entries.fetch_sub(entries, Ordering::Relaxed);
        }
        self.log.clear();
        self.old_tables.extend(self.policy.cleared());
        self.protect = NONE;
        self.next_deadline = u64::MAX;
        let counters = &mut self.counters;
        (counters.key_bytes, counters.value_bytes, counters.raw_value_bytes) = (0, 0, 0);
        self.next_version();
        self.publish_bare(kind, effects);
        self.charge_tables();
        // The empty index took a page before anything was given back.
        while !self.shed(0, false, effects) && effects.returning == 0 && self.has_buried() {
            self.bury_some(effects);
        }
        Ok(())
    }

    /// Puts an empty index in the place of the one there is.
    pub(super) fn renew_index(&mut self) -> Result<()> {
        let skip_bits = self.shared.views.len().trailing_zeros();
        let small = &self.shared.small_directories;
        let spare = self.shared.directories.lock().pop().map_or_else(|| Directory::reserve(small), Ok)?;
        let empty = Index::new(Arc::clone(&self.shared.pages), spare, skip_bits)
            .ok_or(Error::OutOfMemory { reason: "no page for an empty index".into() })?;
        self.begin_write();
        self.old_indexes.push(std::mem::replace(&mut self.index, empty).retire());
        Ok(())
    }

    /// Gives some of what was cleared back; true while there is more.
    pub(crate) fn bury_some(&mut self, effects: &mut Effects) -> bool {
        if let Some(table) = self.old_tables.last_mut() {
            if table.free_some() {
                self.old_tables.pop();
            }
            self.charge_tables();
            return true;
        }
        if let Some(index) = self.old_indexes.last_mut() {
            if let Some(directory) = index.free_some(16, |page| effects.drop_page(page)) {
                self.shared.directories.lock().push(directory);
                self.old_indexes.pop();
            }
            return true;
        }
        for _ in 0..8 {
            if !self.log.has_graves() {
                return false;
            }
            self.log.bury_one(effects);
        }
        self.log.has_graves()
    }

    /// Whether something that was cleared has not been given back yet.
    pub(super) fn has_buried(&self) -> bool {
        !self.old_tables.is_empty() || !self.old_indexes.is_empty() || self.log.has_graves()
    }

    /// Empties the shard after a panic in a critical section, whatever state it is in. To its gates that is a clear.
    pub(crate) fn reset(&mut self) -> Effects {
        self.counters.resets += 1;
        let mut effects = Effects::default();
        self.keeps_evicted = false;
        self.release_reserved();
        if let Some(journal) = &mut self.journal {
            // None of it is there any more, and none of it comes back.
            journal.forget();
        }
        self.watches.mark_all();
        if !std::mem::take(&mut self.lent) {
            self.disown_large_values();
        }
        let _ = self.clear(ChangeKind::Reset, &mut effects);
        self.filling = false;
        self.overtake_all(&mut effects);
        self.shared.ring.wake();
        effects
    }

    /// Large values of a broken log are not walked again: they leak rather than risk a second panic.
    fn disown_large_values(&mut self) {
        for oldest in self.log.queues.map(|queue| queue.oldest) {
            let mut at = oldest;
            while at != NONE {
                let entry = self.log.segment_mut(at);
                entry.large = 0;
                at = entry.newer;
            }
        }
    }
}
