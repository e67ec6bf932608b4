//! Order of eviction: one policy, one file.

mod ghosts;
mod lru;
mod s3fifo;

use crate::log::{Bound, Log};
use crate::options::PolicyKind;

pub(crate) use ghosts::GhostTable;
pub(crate) use lru::Lru;
pub(crate) use s3fifo::S3Fifo;

/// What to do with the next candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This record goes.
    Evict(u32),
    /// This record is worth keeping: copy it to the newest end of a queue, remembering so many uses.
    Move { address: u32, queue: usize, uses: u32 },
    /// There is no candidate but the protected record.
    Nothing,
}

/// A policy. The caller holds the shard lock, tells of every change, and carries verdicts out at once;
/// the policy only decides. Addresses are live records of `log`.
pub(crate) trait Eviction {
    /// Whether records carry [`crate::record::field::LINKS`].
    fn wants_links(&self) -> bool;
    /// Whether the order of records in a queue matters, so that compaction has to keep it.
    fn order_is_log_order(&self) -> bool;
    /// Queue for a key that is not there. Asked once per insert.
    fn queue_for(&mut self, hash: u64, log: &Log) -> usize;
    /// Fetches what the policy will look at when the key of this hash comes or goes.
    fn prefetch(&self, hash: u64);
    /// A record was appended for a key that was not there.
    fn inserted(&mut self, log: &mut Log, address: u32);
    /// A record was used: read, or overwritten in place.
    fn used(&mut self, log: &mut Log, address: u32);
    /// A record was rewritten by its owner at another address, which is a use. The old record is still readable.
    fn rewritten(&mut self, log: &mut Log, from: u32, to: u32);
    /// A record was moved as it is, which is no use. The old one may already be overwritten.
    fn moved(&mut self, log: &mut Log, from: u32, to: u32);
    /// A record is about to go. `evicted`: by this policy's own verdict.
    fn removing(&mut self, log: &mut Log, address: u32, hash: u64, evicted: bool);
    /// The next candidate when `bound` is to be met. Never evicts `protect`.
    fn victim(&mut self, log: &mut Log, bound: Bound, protect: u32) -> Verdict;
    /// Everything went. Hands over the tables it needs no more, for the caller to free in steps of his own.
    fn cleared(&mut self) -> Vec<GhostTable>;
    /// Bytes charged for the policy's own tables.
    fn bytes(&self) -> u64;
}

/// The policies, dispatched without a virtual call.
pub(crate) enum Policy {
    Lru(Lru),
    S3Fifo(S3Fifo),
}

impl Policy {
    pub(crate) fn new(kind: PolicyKind) -> Self {
        match kind {
            PolicyKind::Lru => Self::Lru(Lru::new()),
            PolicyKind::Default => Self::S3Fifo(S3Fifo::new()),
        }
    }
}

macro_rules! each {
    ($self:ident, $policy:ident => $call:expr) => {
        match $self {
            Policy::Lru($policy) => $call,
            Policy::S3Fifo($policy) => $call,
        }
    };
}

impl Eviction for Policy {
    #[inline(always)]
    fn wants_links(&self) -> bool {
        each!(self, policy => policy.wants_links())
    }
    #[inline(always)]
    fn order_is_log_order(&self) -> bool {
        each!(self, policy => policy.order_is_log_order())
    }
    #[inline(always)]
    fn prefetch(&self, hash: u64) {
        each!(self, policy => policy.prefetch(hash));
    }
    #[inline(always)]
    fn queue_for(&mut self, hash: u64, log: &Log) -> usize {
        each!(self, policy => policy.queue_for(hash, log))
    }
    #[inline(always)]
    fn inserted(&mut self, log: &mut Log, address: u32) {
        each!(self, policy => policy.inserted(log, address));
    }
    #[inline(always)]
    fn used(&mut self, log: &mut Log, address: u32) {
        each!(self, policy => policy.used(log, address));
    }
    #[inline(always)]
    fn rewritten(&mut self, log: &mut Log, from: u32, to: u32) {
        each!(self, policy => policy.rewritten(log, from, to));
    }
    #[inline(always)]
    fn moved(&mut self, log: &mut Log, from: u32, to: u32) {
        each!(self, policy => policy.moved(log, from, to));
    }
    #[inline(always)]
    fn removing(&mut self, log: &mut Log, address: u32, hash: u64, evicted: bool) {
        each!(self, policy => policy.removing(log, address, hash, evicted));
    }
    #[inline(always)]
    fn victim(&mut self, log: &mut Log, bound: Bound, protect: u32) -> Verdict {
        each!(self, policy => policy.victim(log, bound, protect))
    }
    fn cleared(&mut self) -> Vec<GhostTable> {
        each!(self, policy => policy.cleared())
    }
    fn bytes(&self) -> u64 {
        each!(self, policy => policy.bytes())
    }
}
