//! What is to be said to askers once the shard lock is released.

use std::sync::Arc;

use super::request::Request;
use crate::error::Error;
use crate::value::{Kind, NewValue};

/// A value on its way to askers, independent of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedValue {
    /// Meaning of `bytes`.
    pub kind: Kind,
    /// Codec id for [`Kind::Coded`], else 0.
    pub codec: u8,
    /// The value, decompressed.
    pub bytes: Box<[u8]>,
}

impl From<NewValue<'_>> for CarriedValue {
    fn from(value: NewValue<'_>) -> Self {
        Self { kind: value.kind, codec: value.codec, bytes: value.bytes.into() }
    }
}

/// What becomes of a request. A request that was queued gets at most one `Granted` and exactly one of the others,
/// unless its owner ends it first (by finishing, cancelling, or going away).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its turn has come: it holds the key under this token.
    Granted {
        /// The fencing token.
        token: u64,
    },
    /// The value that was stored or loaded; `None`: one was stored, read it (and ask again on a miss).
    Value(Option<Arc<CarriedValue>>),
    /// The loader found that there is nothing.
    Absent,
    /// The loader failed; the bytes are its error in the words of its environment.
    Failed(Arc<[u8]>),
    /// It ended without a value, and its token is fenced: `Preempted`, `Timeout`, `Cancelled` or `Closed`.
    Ended(Error),
}

/// Takes outcomes to an asker's event loop. Called after unlocking, from any thread; must not wait.
pub trait Wake: Send + Sync {
    /// `ticket` is as in the request.
    fn wake(&self, ticket: u64, outcome: Outcome);
}

struct Post {
    wake: Arc<dyn Wake>,
    ticket: u64,
    outcome: Outcome,
}

/// Outcomes gathered under the shard lock, to be delivered outside it. Dropping it leaves askers unanswered.
#[must_use]
#[derive(Default)]
pub struct Effects {
    posts: Vec<Post>,
    pub(super) quiet: Vec<Arc<[u8]>>,
}

impl Effects {
    /// Whether there is nothing to deliver.
    pub fn is_empty(&self) -> bool {
        self.posts.is_empty() && self.quiet.is_empty()
    }

    /// Keys that only stable waiters are left for. Where such a key is there, [`super::Gates::answer_stable`] is due,
    /// still under the lock. (After a removal there is nothing to do: it is not there.)
    pub fn take_quiet(&mut self) -> Vec<Arc<[u8]>> {
        std::mem::take(&mut self.quiet)
    }

    /// Whether some asker is to get the value that this change stored or loaded.
    pub fn needs_value(&self) -> bool {
        self.posts.iter().any(|post| matches!(post.outcome, Outcome::Value(None)))
    }

    /// Wakes everybody. `value` is what the change stored or loaded; it is copied once, and only if somebody is to get
    /// it. With `None` those askers are told to read it themselves. Call it without a lock.
    pub fn deliver(self, value: Option<NewValue<'_>>) {
        // A hash or set is nothing to hand on: who reads it is told so.
        let value = value.filter(|value| !value.kind.is_collection());
        let carried = if self.needs_value() { value.map(|value| Arc::new(CarriedValue::from(value))) } else { None };
        for Post { wake, ticket, outcome } in self.posts {
            let outcome = if outcome == Outcome::Value(None) { Outcome::Value(carried.clone()) } else { outcome };
            wake.wake(ticket, outcome);
        }
    }

    pub(super) fn post(&mut self, request: &Request, outcome: Outcome) {
        self.posts.push(Post { wake: request.wake.clone(), ticket: request.ticket, outcome });
    }
}
