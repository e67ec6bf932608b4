//! Tests of the gates: the rules one by one, and random programs against what an observer can conclude.

mod model;
mod rules;

use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::value::{Kind, NewValue};

/// Takes down what is posted.
#[derive(Default)]
struct Recorder(Mutex<Vec<(u64, Outcome)>>);

impl Wake for Recorder {
    fn wake(&self, ticket: u64, outcome: Outcome) {
        self.0.lock().push((ticket, outcome));
    }
}

/// Gates of one key space with a recorder behind all requests.
struct Bench {
    gates: Gates,
    posts: Arc<Recorder>,
    now_ms: u64,
}

const KEY: &[u8] = b"key";

impl Bench {
    fn new() -> Self {
        Self::with_limit(DEFAULT_PER_KEY)
    }

    fn with_limit(per_key: usize) -> Self {
        Self { gates: Gates::new(1, 1, per_key), posts: Arc::default(), now_ms: 1_000 }
    }

    fn request(&self, kind: GateKind, owner: u64, ticket: u64, hold_ms: Option<u64>) -> Request {
        Request { kind, owner, ticket, hold_ms, wake: self.posts.clone() }
    }

    /// Asks for [`KEY`] as the owner of the same number, without a deadline.
    fn ask(&mut self, kind: GateKind, ticket: u64) -> Acquired {
        let request = self.request(kind, ticket, ticket, None);
        self.gates.acquire(KEY, request, self.now_ms).expect("within the limit")
    }

    /// Asks for [`KEY`] and must get it at once.
    fn hold(&mut self, kind: GateKind, ticket: u64) -> u64 {
        match self.ask(kind, ticket) {
            Acquired::Granted { token } => token,
            Acquired::Queued => panic!("ticket {ticket} was queued"),
        }
    }

    fn finish(&mut self, token: u64, end: End) -> Standing {
        let mut effects = Effects::default();
        let standing = self.gates.finish(KEY, token, end, self.now_ms, &mut effects);
        effects.deliver(Some(value(b"loaded")));
        standing
    }

    fn preempt(&mut self, change: Overtaking) {
        let mut effects = Effects::default();
        self.gates.preempt(KEY, change, self.now_ms, &mut effects);
        effects.deliver(Some(value(b"set")));
    }

    fn cancel(&mut self, ticket: u64) -> Cancelled {
        let mut effects = Effects::default();
        let cancelled = self.gates.cancel(KEY, ticket, ticket, self.now_ms, &mut effects);
        effects.deliver(None);
        cancelled
    }

    fn owner_gone(&mut self, owner: u64) {
        let mut effects = Effects::default();
        self.gates.owner_gone(owner, self.now_ms, &mut effects);
        effects.deliver(None);
    }

    fn tick(&mut self, now_ms: u64) -> bool {
        let mut effects = Effects::default();
        let more = self.gates.tick(now_ms, &mut effects);
        effects.deliver(None);
        more
    }

    /// What was posted since the last call.
    fn posted(&self) -> Vec<(u64, Outcome)> {
        std::mem::take(&mut self.posts.0.lock())
    }
}

fn value(bytes: &[u8]) -> NewValue<'_> {
    NewValue { kind: Kind::Text, codec: 0, bytes }
}

fn carried(bytes: &[u8]) -> Outcome {
    Outcome::Value(Some(Arc::new(CarriedValue::from(value(bytes)))))
}

/// The token of the only post, which must be a grant to `ticket`.
fn granted_to(posts: &[(u64, Outcome)], ticket: u64) -> u64 {
    match posts {
        [(to, Outcome::Granted { token })] if *to == ticket => *token,
        other => panic!("expected one grant to {ticket}, got {other:?}"),
    }
}
