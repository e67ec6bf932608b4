//! A cache with an inbox for what is posted to its waiters.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tandem_engine::gates::{Acquired, GateKind, Outcome, Request, Wake};
use tandem_engine::{
    Cache, Condition, Error, Fill, Filled, Kind, Lease, LeaseMode, NewValue, Options, ReadMode, Stable, WriteOptions,
};

/// The outcomes of one owner's tickets.
#[derive(Default)]
pub struct Inbox {
    posts: Mutex<Vec<(u64, Outcome)>>,
    posted: Condvar,
}

impl Wake for Inbox {
    fn wake(&self, ticket: u64, outcome: Outcome) {
        self.posts.lock().unwrap().push((ticket, outcome));
        self.posted.notify_all();
    }
}

impl Inbox {
    /// What was posted to `ticket`, waiting for it.
    pub fn next(&self, ticket: u64) -> Outcome {
        let mut posts = self.posts.lock().unwrap();
        loop {
            if let Some(index) = posts.iter().position(|(to, _)| *to == ticket) {
                return posts.remove(index).1;
            }
            let (guard, waited) = self.posted.wait_timeout(posts, Duration::from_secs(20)).unwrap();
            assert!(!waited.timed_out(), "nothing was posted to ticket {ticket}");
            posts = guard;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.posts.lock().unwrap().is_empty()
    }
}

pub struct Bench {
    pub cache: Cache,
    pub inbox: Arc<Inbox>,
}

pub const KEY: &[u8] = b"key";

impl Bench {
    pub fn new() -> Self {
        let options = Options { max_bytes: 4 << 20, shards: Some(1), ..Options::default() };
        Self { cache: Cache::new(options).unwrap(), inbox: Arc::default() }
    }

    pub fn request(&self, kind: GateKind, ticket: u64) -> Request {
        Request { kind, owner: ticket, ticket, hold_ms: None, wake: self.inbox.clone() }
    }

    pub fn lease(&self, ticket: u64) -> Lease {
        self.cache.lease(KEY, self.request(GateKind::Load, ticket), LeaseMode::IfMissing).unwrap()
    }

    pub fn won(&self, ticket: u64) -> u64 {
        match self.lease(ticket) {
            Lease::Won { token } => token,
            other => panic!("ticket {ticket}: {other:?}"),
        }
    }

    pub fn gate(&self, kind: GateKind, ticket: u64) -> Acquired {
        self.cache.gate(KEY, self.request(kind, ticket)).unwrap()
    }

    pub fn held(&self, kind: GateKind, ticket: u64) -> u64 {
        match self.gate(kind, ticket) {
            Acquired::Granted { token } => token,
            Acquired::Queued => panic!("ticket {ticket} was queued"),
        }
    }

    pub fn stable(&self, ticket: u64) -> Stable {
        self.cache.stable(KEY, self.request(GateKind::Stable, ticket)).unwrap()
    }

    pub fn granted(&self, ticket: u64) -> u64 {
        match self.inbox.next(ticket) {
            Outcome::Granted { token } => token,
            other => panic!("ticket {ticket}: {other:?}"),
        }
    }

    pub fn text_of(&self, ticket: u64) -> String {
        match self.inbox.next(ticket) {
            Outcome::Value(Some(value)) => String::from_utf8(value.bytes.to_vec()).unwrap(),
            other => panic!("ticket {ticket}: {other:?}"),
        }
    }

    pub fn store(&self, token: u64, text: &str) -> Result<Filled, Error> {
        self.store_if(token, text, Condition::Always)
    }

    pub fn store_if(&self, token: u64, text: &str, condition: Condition) -> Result<Filled, Error> {
        let options = WriteOptions { condition, ..WriteOptions::default() };
        self.cache.fill(KEY, token, Fill::Store { value: text_value(text), options: &options })
    }

    pub fn set(&self, text: &str) {
        self.cache.set(KEY, text_value(text), &WriteOptions::default()).unwrap();
    }

    pub fn get(&self) -> Option<String> {
        self.cache.read(KEY, ReadMode::Peek, |found| String::from_utf8(found.bytes.to_vec()).unwrap())
    }

    pub fn at_rest(&self) -> bool {
        self.cache.stats().gates == 0 && self.inbox.is_empty()
    }
}

pub fn text_value(text: &str) -> NewValue<'_> {
    NewValue { kind: Kind::Text, codec: 0, bytes: text.as_bytes() }
}
