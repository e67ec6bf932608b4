//! Exact least-recently-used: a doubly linked list through the records' links field.

use super::{Eviction, GhostTable, Verdict};
use crate::log::{Bound, Log};
use crate::memory::NONE;
use crate::record::field;

/// The list's ends.
pub(crate) struct Lru {
    newest: u32,
    oldest: u32,
}

fn links(log: &Log, address: u32) -> (u32, u32) {
    let packed = log.record(address).field(field::LINKS);
    (packed as u32, (packed >> 32) as u32)
}

fn set_links(log: &Log, address: u32, newer: u32, older: u32) {
    log.record(address).set_field(field::LINKS, u64::from(older) << 32 | u64::from(newer));
}

impl Lru {
    pub(crate) fn new() -> Self {
        Self { newest: NONE, oldest: NONE }
    }

    /// Most recently used record, or [`NONE`].
    pub(crate) fn newest(&self) -> u32 {
        self.newest
    }

    /// Least recently used record, or [`NONE`].
    pub(crate) fn oldest(&self) -> u32 {
        self.oldest
    }

    /// Neighbours of a record: newer and older.
    pub(crate) fn neighbours(log: &Log, address: u32) -> (u32, u32) {
        links(log, address)
    }

    fn unlink(&mut self, log: &Log, address: u32) {
        let (newer, older) = links(log, address);
        self.set_older(log, newer, older);
        self.set_newer(log, older, newer);
    }

    /// Makes `older` the older neighbour of `of`, or the newest record where there is none.
    fn set_older(&mut self, log: &Log, of: u32, older: u32) {
        if of == NONE {
            self.newest = older;
        } else {
            set_links(log, of, links(log, of).0, older);
        }
    }

    /// Makes `newer` the newer neighbour of `of`, or the oldest record where there is none.
    fn set_newer(&mut self, log: &Log, of: u32, newer: u32) {
        if of == NONE {
            self.oldest = newer;
        } else {
            set_links(log, of, newer, links(log, of).1);
        }
    }

    fn push_newest(&mut self, log: &Log, address: u32) {
        let older = self.newest;
        set_links(log, address, NONE, older);
        self.set_newer(log, older, address);
        self.newest = address;
    }
}

impl Eviction for Lru {
    fn wants_links(&self) -> bool {
        true
    }

    fn order_is_log_order(&self) -> bool {
        false
    }

    fn prefetch(&self, _hash: u64) {}

    fn queue_for(&mut self, _hash: u64, _log: &Log) -> usize {
        0
    }

    fn inserted(&mut self, log: &mut Log, address: u32) {
        self.push_newest(log, address);
    }

    fn used(&mut self, log: &mut Log, address: u32) {
        if self.newest != address {
            self.unlink(log, address);
            self.push_newest(log, address);
        }
    }

    fn rewritten(&mut self, log: &mut Log, from: u32, to: u32) {
        self.unlink(log, from);
        self.push_newest(log, to);
    }

    fn moved(&mut self, log: &mut Log, _from: u32, to: u32) {
        let (newer, older) = links(log, to);
        self.set_older(log, newer, to);
        self.set_newer(log, older, to);
    }

    fn removing(&mut self, log: &mut Log, address: u32, _hash: u64, _evicted: bool) {
        self.unlink(log, address);
    }

    fn victim(&mut self, log: &mut Log, _bound: Bound, protect: u32) -> Verdict {
        let mut candidate = self.oldest;
        if candidate != NONE && candidate == protect {
            candidate = links(log, candidate).0;
        }
        if candidate == NONE { Verdict::Nothing } else { Verdict::Evict(candidate) }
    }

    fn cleared(&mut self) -> Vec<GhostTable> {
        *self = Self::new();
        Vec::new()
    }

    fn bytes(&self) -> u64 {
        0
    }
}
