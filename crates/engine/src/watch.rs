//! Watched keys: a flag that the first committed change of a key sets.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rapidhash::fast::RandomState;

/// Says whether one of the keys it was set on has changed since. Once set it stays so.
#[derive(Debug, Default)]
pub struct WatchFlag(AtomicBool);

impl WatchFlag {
    /// Whether a watched key has changed.
    pub fn is_dirty(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Sets the flag.
    pub fn mark(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The watched keys of a shard.
#[derive(Default)]
pub(crate) struct Watches(HashMap<Box<[u8]>, Vec<Arc<WatchFlag>>, RandomState>);

impl Watches {
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether somebody watches `key`.
    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.0.contains_key(key)
    }

    /// Sets the flags of those who watch `key`.
    pub(crate) fn mark(&self, key: &[u8]) {
        self.0.get(key).into_iter().flatten().for_each(|flag| flag.mark());
    }

    /// Sets the flags of those who watch a key for which `changes` says yes.
    pub(crate) fn mark_where(&self, changes: impl Fn(&[u8]) -> bool) {
        self.0.iter().filter(|(key, _)| changes(key)).flat_map(|(_, flags)| flags).for_each(|flag| flag.mark());
    }

    /// Sets every flag.
    pub(crate) fn mark_all(&self) {
        self.mark_where(|_| true);
    }

    pub(crate) fn add(&mut self, key: &[u8], flag: &Arc<WatchFlag>) {
        let flags = self.0.entry(key.into()).or_default();
        if !flags.iter().any(|one| Arc::ptr_eq(one, flag)) {
            flags.push(Arc::clone(flag));
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8], flag: &Arc<WatchFlag>) {
        let Some(flags) = self.0.get_mut(key) else { return };
        flags.retain(|one| !Arc::ptr_eq(one, flag));
        if flags.is_empty() {
            self.0.remove(key);
            if self.0.is_empty() {
                self.0.shrink_to(0);
            }
        }
    }
}
