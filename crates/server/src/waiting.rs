//! What a connection has asked of key gates and waits for.
//!
//! ```text
//!  TANDEM.LEASE ... ─▶ engine: decided at once ─▶ reply
//!                        └▶ queued: RESP3 replies QUEUED id, RESP2 parks the connection
//!  any thread ─▶ Postbox ─▶ mailbox of the loop ─▶ Connection::on_outcome ─▶ push with that id, or the reply
//! ```

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Instant;

use tandem_engine::WriteOptions;
use tandem_engine::gates::{GateKind, Outcome, Request, Wake};

use crate::mailbox::{Address, Message};
use crate::shared::Shared;

/// Requests of one connection that wait at the same time.
const MAX_PENDING: usize = 1024;

/// Owners of gates are numbered per process. Those of JavaScript environments count from 0, connections from here.
static NEXT_OWNER: AtomicU64 = AtomicU64::new(1 << 63);

/// What is wanted once the turn comes.
#[derive(Debug)]
pub(crate) enum Ask {
    /// The value, or the right to load it.
    Lease,
    /// The right to change the key.
    Gate,
    /// The value while nobody changes it.
    Stable,
    /// To store this under the condition in the options.
    Write { value: Box<[u8]>, options: WriteOptions },
}

/// Why a request that waits is answered without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// Its time is over, or it is to look so.
    Late,
    /// The server stops.
    Stopping,
    /// Somebody else has ended its wait.
    Unblocked,
}

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Pending {
    /// Its name to the client: its first ticket, or 0 as long as it has not had to wait.
    pub id: u64,
    /// The stored key.
    pub key: Box<[u8]>,
    pub ask: Ask,
    /// How long the key may be held, in milliseconds.
    pub hold_ms: u64,
    /// When waiting has taken too long.
    pub until: Instant,
}

impl Pending {
    fn bytes(&self) -> usize {
        let value = if let Ask::Write { value, .. } = &self.ask { value.len() } else { 0 };
        size_of::<Self>() + self.key.len() + value
    }
}

/// What one connection has to do with gates. It holds and waits under a number of its own, and all of it ends with it.
pub(crate) struct Waiting {
    pub owner: u64,
    postbox: Arc<Postbox>,
    last_ticket: u64,
    pending: HashMap<u64, Pending>,
    /// Memory of what waits.
    bytes: usize,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("owner", &self.owner).field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl Waiting {
    pub fn new(shared: &Shared, address: Address) -> Self {
        Self {
            owner: NEXT_OWNER.fetch_add(1, Relaxed),
            postbox: Arc::new(Postbox { shared: shared.own.clone(), address }),
            last_ticket: 0,
            pending: HashMap::new(),
            bytes: 0,
        }
    }

    /// Whether one more request may wait.
    pub fn has_room(&self) -> bool {
        self.pending.len() < MAX_PENDING
    }

    /// Memory of the requests that wait, in bytes.
    pub fn memory(&self) -> usize {
        self.bytes
    }

    /// A request to the engine under a new ticket.
    pub fn request(&mut self, kind: GateKind, hold_ms: u64) -> Request {
        self.last_ticket += 1;
        let wake: Arc<dyn Wake> = Arc::clone(&self.postbox) as _;
        Request { kind, owner: self.owner, ticket: self.last_ticket, hold_ms: Some(hold_ms), wake }
    }

    /// Notes that a request waits.
    pub fn wait(&mut self, ticket: u64, pending: Pending) {
        self.bytes += pending.bytes();
        self.pending.insert(ticket, pending);
    }

    /// Takes a request that has its answer.
    pub fn take(&mut self, ticket: u64) -> Option<Pending> {
        let pending = self.pending.remove(&ticket)?;
        self.bytes -= pending.bytes();
        Some(pending)
    }

    /// Takes one that has waited too long.
    pub fn take_late(&mut self, now: Instant) -> Option<(u64, Pending)> {
        let ticket = *self.pending.iter().find(|(_, pending)| pending.until <= now)?.0;
        Some((ticket, self.take(ticket)?))
    }

    /// Takes the one of this id.
    pub fn take_id(&mut self, id: u64) -> Option<(u64, Pending)> {
        let ticket = *self.pending.iter().find(|(_, pending)| pending.id == id)?.0;
        Some((ticket, self.take(ticket)?))
    }

    /// When the first of those that wait will have waited too long.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.pending.values().map(|pending| pending.until).min()
    }
}

/// Takes outcomes to the loop of a connection.
struct Postbox {
    shared: Weak<Shared>,
    address: Address,
}

impl Wake for Postbox {
    fn wake(&self, ticket: u64, outcome: Outcome) {
        if let Some(shared) = self.shared.upgrade() {
            let message = Message::Outcome { to: self.address, ticket, outcome };
            shared.post(Shared::NO_LOOP, self.address.event_loop, message);
        }
    }
}
