//! Fans the one change stream of a cache out to its subscribers in all threads.
//!
//! Subscribers poll. A thread-safe function per subscriber would have to be released while its worker thread ends,
//! which some Node versions answer with a crash; an unreferenced timer in TypeScript has no such moment.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tandem_engine::{Cache, Change, ChangeKind, ChangeStream};

/// Changes kept for a subscriber, and by the engine for the hub, until they are taken; one more makes a gap.
const QUEUE_CHANGES: usize = 64 << 10;

struct Queue {
    changes: VecDeque<Change>,
    /// Bit `1 << ChangeKind` for each kind that is wanted.
    kinds: u32,
    capacity: usize,
}

impl Queue {
    fn push(&mut self, change: &Change) {
        let always = matches!(change.kind, ChangeKind::Gap | ChangeKind::Reset);
        if !always && self.kinds & (1 << change.kind as u32) == 0 {
            return;
        }
        if self.changes.len() < self.capacity {
            self.changes.push_back(change.clone());
        } else if self.changes.back().is_some_and(|last| last.kind != ChangeKind::Gap) {
            let version = change.version;
            self.changes.push_back(Change { kind: ChangeKind::Gap, key: Vec::new(), version, old: None });
        }
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
        let capacity = QUEUE_CHANGES;
        let queue = Arc::new(Mutex::new(Queue { changes: VecDeque::new(), kinds, capacity }));
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
        *source = Some(Source { stream: cache.changes(QUEUE_CHANGES, values), with_values: values, queues });
        Subscription { queue }
    }

    /// Takes up to `max` changes of a subscription.
    pub fn take(&self, subscription: &Subscription, max: usize) -> Vec<Change> {
        self.pump(&mut self.lock());
        let mut queue = subscription.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let count = max.min(queue.changes.len());
        queue.changes.drain(..count).collect()
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
