//! What a server knows of a client.

use std::time::Instant;

use tandem_wire::Protocol;

use crate::mailbox::Address;
use crate::pubsub::Subscriptions;
use crate::shared::Shared;
use crate::transaction::{Queue, Watched};
use crate::waiting::Waiting;

/// States that take the requests of a client off the fast path; all of them are tested at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Special(u16);

impl Special {
    /// `CLIENT REPLY OFF`: nothing is answered.
    pub const REPLY_OFF: Self = Self(1);
    /// `CLIENT REPLY SKIP`: the next request is not answered.
    pub const SKIP_NEXT: Self = Self(1 << 1);
    /// The present request is not answered.
    pub const SKIP: Self = Self(1 << 2);
    /// The client has not said the password.
    pub const NEEDS_AUTH: Self = Self(1 << 3);
    /// The client listens to channels or patterns.
    pub const SUBSCRIBED: Self = Self(1 << 4);
    /// `CLIENT NO-EVICT ON`. Only shown: here nobody is cut for what others hold alone.
    pub const NO_EVICT: Self = Self(1 << 5);
    /// There was a pause when the turn began.
    pub const PAUSED: Self = Self(1 << 6);
    /// Requests wait for `EXEC`.
    pub const MULTI: Self = Self(1 << 7);
    /// A part of the present transaction was stopped: all of it is undone.
    pub const UNDONE: Self = Self(1 << 8);
    /// The client is told of changed keys.
    pub const TRACKING: Self = Self(1 << 9);
    /// Of all, not only of those that it has read.
    pub const BROADCAST: Self = Self(1 << 10);
    /// It has said `CLIENT CACHING` about what comes next.
    pub const CACHING: Self = Self(1 << 11);
    /// When the turn began somebody wanted to know of changes: they have to say who caused them.
    pub const OBSERVED: Self = Self(1 << 12);

    /// What the present request, an `EXEC`, has answered is wanted: that was decided for each of its requests.
    pub const CHOSEN: Self = Self(1 << 13);

    /// A request waits for a key, and holds the others up. Only shown.
    pub const BLOCKED: Self = Self(1 << 15);

    /// Letters by which `CLIENT LIST` shows some of them.
    pub const LETTERS: [(Self, char); 6] = [
        (Self::SUBSCRIBED, 'P'),
        (Self::MULTI, 'x'),
        (Self::BLOCKED, 'b'),
        (Self::TRACKING, 't'),
        (Self::BROADCAST, 'B'),
        (Self::NO_EVICT, 'e'),
    ];

    pub fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    pub fn bits(self) -> u16 {
        self.0
    }

    /// Whether the client is an ordinary one.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, state: Self) -> bool {
        self.0 & state.0 != 0
    }

    pub fn insert(&mut self, state: Self) {
        self.0 |= state.0;
    }

    /// Ends a state; whether it was there.
    pub fn take(&mut self, state: Self) -> bool {
        let there = self.contains(state);
        self.0 &= !state.0;
        there
    }
}

/// What a request waits for that holds up its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parked {
    /// The end of a pause. It has not been run.
    Pause,
    /// The outcome of the request of this id.
    Request(u64),
}

/// A client, as its commands see it.
#[derive(Debug)]
pub(crate) struct Client {
    /// Number of the connection; never used twice.
    pub id: u64,
    /// The loop it belongs to, and its place there.
    pub event_loop: u16,
    slot: u32,
    /// Selected database.
    pub db: u8,
    /// Protocol of replies.
    pub protocol: Protocol,
    /// Set by the client: the answer to the present request is the last one.
    pub closing: bool,
    /// What the present request waits for; nothing else is run until then.
    pub parked: Option<Parked>,
    /// The reply to the present request is more than a connection may have unsent: it ends without one.
    pub cut: bool,
    /// Number of the last command in the table; none has the highest.
    pub last_command: u16,
    /// Rare states.
    pub special: Special,
    /// What only some clients have; absent as long as there is nothing.
    pub session: Option<Box<Session>>,
}

/// What only some clients have.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Name given by `CLIENT SETNAME`; empty without one.
    pub name: Box<[u8]>,
    /// What it listens to.
    pub subscriptions: Subscriptions,
    /// What it has to do with key gates.
    pub waiting: Option<Waiting>,
    /// Since when it has had many pushes to take.
    pub untaken_since: Option<Instant>,
    /// Requests that wait for `EXEC`.
    pub queue: Option<Box<Queue>>,
    /// Number of its requests, while `EXEC` runs them.
    pub executing: Option<usize>,
    /// Keys that it watches.
    pub watched: Watched,
}

impl Session {
    /// Memory held for the client beside its buffers, in bytes.
    pub fn memory(&self) -> usize {
        self.subscriptions.memory()
            + self.waiting.as_ref().map_or(0, Waiting::memory)
            + self.queue.as_ref().map_or(0, |queue| queue.memory())
            + self.watched.memory()
    }
}

impl Client {
    /// A client that has just connected; `knocks`: it must say the password first.
    pub fn new(address: Address, knocks: bool) -> Self {
        let mut special = Special::default();
        if knocks {
            special.insert(Special::NEEDS_AUTH);
        }
        Self {
            id: address.client_id,
            event_loop: address.event_loop,
            slot: address.slot,
            db: 0,
            protocol: Protocol::Resp2,
            closing: false,
            parked: None,
            cut: false,
            last_command: u16::MAX,
            special,
            session: None,
        }
    }

    /// Makes the client what it was when it connected. It must have left before.
    pub fn reset(&mut self, knocks: bool) {
        let special = self.special;
        *self = Self {
            closing: self.closing,
            cut: self.cut,
            last_command: self.last_command,
            ..Self::new(self.address(), knocks)
        };
        // That the present request is not to be answered was said about this one.
        for kept in [Special::NO_EVICT, Special::SKIP] {
            if special.contains(kept) {
                self.special.insert(kept);
            }
        }
    }

    /// Ends `CLIENT TRACKING`.
    pub fn stop_tracking(&mut self, shared: &Shared) {
        self.special.take(Special::BROADCAST);
        self.special.take(Special::CACHING);
        if self.special.take(Special::TRACKING) {
            shared.observer.tracking.end(self.id);
            shared.observer.refresh(shared);
        }
    }

    /// Ends what others would go on doing for the client.
    pub fn leave(&mut self, shared: &Shared) {
        self.stop_tracking(shared);
        if let Some(session) = &mut self.session {
            shared.pubsub.leave(&mut session.subscriptions, self.id);
            if let Some(waiting) = session.waiting.take() {
                shared.cache.owner_gone(waiting.owner);
            }
            session.watched.leave(shared);
        }
    }

    /// Requests that wait for `EXEC`, or are run by it; `None` outside a transaction.
    pub fn queued(&self) -> Option<usize> {
        let session = self.session.as_ref()?;
        session.executing.or_else(|| Some(session.queue.as_ref()?.len()))
    }

    /// Whether the client can do nothing but listen: in RESP2, where a message looks like a reply.
    pub fn listens_only(&self) -> bool {
        self.special.contains(Special::SUBSCRIBED) && self.protocol == Protocol::Resp2
    }

    /// Where messages reach the connection.
    pub fn address(&self) -> Address {
        Address { event_loop: self.event_loop, slot: self.slot, client_id: self.id }
    }

    /// The session, made where there was none.
    pub fn session(&mut self) -> &mut Session {
        self.session.get_or_insert_default()
    }

    /// Name given by `CLIENT SETNAME`; empty without one.
    pub fn name(&self) -> &[u8] {
        self.session.as_ref().map_or(&[], |session| &session.name)
    }
}
