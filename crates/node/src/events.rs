//! Fans the one change stream of a cache out to its subscribers in all threads.
//!
//! Subscribers poll. A thread-safe function per subscriber would have to be released while its worker thread ends,
//! which some Node versions answer with a crash; an unreferenced timer in TypeScript has no such moment.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tandem_engine::{Cache, Change, ChangeKind, ChangeLimits, ChangeStream};

/// Changes kept for a subscriber, and by the engine for the hub, until they are taken; one more makes a gap.
const QUEUE_CHANGES: usize = 64 << 10;
/// And their bytes. With values it is as much as the cache holds: a single write may evict all of it.
const QUEUE_BYTES: usize = 16 << 20;

struct Queue {
    changes: VecDeque<Change>,
    /// Sum of [`Change::bytes`] of them.
    bytes: usize,
    /// Bit `1 << ChangeKind` for each kind that is wanted.
    kinds: u32,
    /// Whether its subscriber wants the values that go.
    with_values: bool,
    limits: ChangeLimits,
}

/// What may wait for one subscriber.
fn waiting_limits(cache: &Cache, with_values: bool) -> ChangeLimits {
    let held = if with_values { cache.stats().max_bytes as usize } else { 0 };
    ChangeLimits { changes: QUEUE_CHANGES, bytes: QUEUE_BYTES.max(held) }
}

impl Queue {
    fn push(&mut self, change: &Change) {
        let always = matches!(change.kind, ChangeKind::Gap | ChangeKind::Reset);
        if !always && self.kinds & (1 << change.kind as u32) == 0 {
            return;
        }
        let &Change { kind, version, origin, .. } = change;
        let old = change.old.as_ref().filter(|_| self.with_values).cloned();
        let change = Change { kind, key: change.key.clone(), version, old, origin };
        let ends_with_gap = self.changes.back().is_some_and(|last| last.kind == ChangeKind::Gap);
        if self.has_room(&change) {
            self.add(change);
        } else if !ends_with_gap {
            self.add(Change::bare(ChangeKind::Gap, version));
        }
    }

    fn has_room(&self, change: &Change) -> bool {
        self.changes.len() < self.limits.changes && self.bytes + change.bytes() <= self.limits.bytes
    }

    fn add(&mut self, change: Change) {
        self.bytes += change.bytes();
        self.changes.push_back(change);
    }

    fn take(&mut self, max: usize) -> Vec<Change> {
        let count = max.min(self.changes.len());
        let taken: Vec<_> = self.changes.drain(..count).collect();
        self.bytes -= taken.iter().map(Change::bytes).sum::<usize>();
        taken
    }
}

/// One listener's claim on the changes; dropping it ends the subscription.
pub struct Subscription {
    queue: Arc<Mutex<Queue>>,
}

struct Source {
    stream: ChangeStream,
    with_values: bool,
    queues: Vec<Weak<Mutex<Queue>>>,
}

/// The subscribers of one cache. The engine's stream is open only while there is one.
#[derive(Default)]
pub struct Hub(Mutex<Option<Source>>);

impl Hub {
    /// Subscribes to the kinds in `kinds` (bit `1 << ChangeKind`); gaps and resets always come.
    /// With `with_values`, changes carry the value that went; it then does so for all subscribers of the cache.
    pub fn subscribe(&self, cache: &Cache, kinds: u32, with_values: bool) -> Subscription {
        let mut source = self.lock();
        self.pump(&mut source);
        let limits = waiting_limits(cache, with_values);
        let queue = Queue { changes: VecDeque::new(), bytes: 0, kinds, with_values, limits };
        let queue = Arc::new(Mutex::new(queue));
        let mut queues = Vec::new();
        let mut values = with_values;
        if let Some(open) = source.take() {
            queues = open.queues;
            values |= open.with_values;
            if values == open.with_values {
                queues.push(Arc::downgrade(&queue));
                *source = Some(Source { stream: open.stream, with_values: values, queues });
                return Subscription { queue };
            }
        }
        queues.push(Arc::downgrade(&queue));
        *source =
            Some(Source { stream: cache.changes(waiting_limits(cache, values), values), with_values: values, queues });
        Subscription { queue }
    }

    /// Takes up to `max` changes of a subscription.
    pub fn take(&self, subscription: &Subscription, max: usize) -> Vec<Change> {
        self.pump(&mut self.lock());
        let mut queue = subscription.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.take(max)
    }

    /// Ends a subscription, and the engine's stream with the last one.
    pub fn unsubscribe(&self, subscription: Subscription) {
        drop(subscription);
        self.pump(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Option<Source>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves what the engine has into the queues and forgets subscribers that are gone.
    fn pump(&self, source: &mut Option<Source>) {
        let Some(open) = source else { return };
        open.queues.retain(|queue| queue.strong_count() > 0);
        if open.queues.is_empty() {
            *source = None;
            return;
        }
        loop {
            let changes = open.stream.drain(QUEUE_CHANGES);
            for queue in open.queues.iter().filter_map(Weak::upgrade) {
                let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                for change in &changes {
                    queue.push(change);
                }
            }
            // Bounded by the ring: a writer that keeps up with this loop makes gaps rather than keep it here.
            if changes.len() < QUEUE_CHANGES {
                return;
            }
        }
    }
}
