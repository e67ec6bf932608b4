//! The default policy: S3-FIFO over a log of segments.
//!
//! New records enter the small queue. At its end, one that was used at least twice moves to the main queue, any
//! other goes and leaves a ghost. A key with a ghost enters the main queue at once. At the end of main, a record
//! that was used goes round again with one use less. A hit only counts up to three, then writes nothing.
//!
//! Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.

use super::ghosts::Ghosts;
use super::{Eviction, Verdict};
use crate::log::{Bound, Log};
use crate::record::MAX_USES;

/// Queue of new records.
pub(crate) const SMALL: usize = 0;
/// Queue of records that proved their worth.
pub(crate) const MAIN: usize = 1;
/// The small queue's share is one part in so many.
const SMALL_PART: u64 = 10;
/// Uses that earn a place in main.
const PROMOTE_AT: u32 = 2;

/// The queues are the log's; only the ghosts are kept here.
pub(crate) struct S3Fifo {
    ghosts: Ghosts,
}

impl S3Fifo {
    pub(crate) fn new() -> Self {
        Self { ghosts: Ghosts::new() }
    }
}

impl Eviction for S3Fifo {
    fn wants_links(&self) -> bool {
        false
    }

    fn order_is_log_order(&self) -> bool {
        true
    }

    fn queue_for(&mut self, hash: u64, _log: &Log) -> usize {
        if self.ghosts.take(hash) { MAIN } else { SMALL }
    }

    fn inserted(&mut self, _log: &mut Log, _address: u32) {}

    #[inline(always)]
    fn used(&mut self, log: &mut Log, address: u32) {
        let record = log.record(address);
        let uses = record.uses();
        if uses < MAX_USES {
            record.set_uses(uses + 1);
        }
    }

    fn rewritten(&mut self, log: &mut Log, from: u32, to: u32) {
        let uses = log.record(from).uses();
        log.record(to).set_uses(MAX_USES.min(uses + 1));
    }

    fn moved(&mut self, _log: &mut Log, _from: u32, _to: u32) {}

    fn removing(&mut self, log: &mut Log, address: u32, hash: u64, evicted: bool) {
        if evicted && log.queue_of(address) == SMALL {
            let entries = log.queues[SMALL].entries + log.queues[MAIN].entries;
            self.ghosts.insert(hash, entries - entries / SMALL_PART);
        }
    }

    fn victim(&mut self, log: &mut Log, bound: Bound, protect: u32) -> Verdict {
        let small = log.queues[SMALL].amount(bound);
        let total = small + log.queues[MAIN].amount(bound);
        let first = if small * SMALL_PART >= total { SMALL } else { MAIN };
        for queue in [first, SMALL + MAIN - first] {
            let Some(address) = log.oldest(queue) else { continue };
            let uses = log.record(address).uses();
            if address == protect {
                if log.queues[queue].entries == 1 {
                    // Nothing else is in this queue: moving the record would not bring up another candidate.
                    continue;
                }
                return Verdict::Move { address, queue, uses };
            }
            return if queue == MAIN && uses > 0 {
                Verdict::Move { address, queue: MAIN, uses: uses - 1 }
            } else if queue == SMALL && uses >= PROMOTE_AT {
                Verdict::Move { address, queue: MAIN, uses: 0 }
            } else {
                Verdict::Evict(address)
            };
        }
        Verdict::Nothing
    }

    fn cleared(&mut self) {
        self.ghosts.clear();
    }

    fn bytes(&self) -> u64 {
        self.ghosts.bytes()
    }
}
