//! All clients of a server, as others see them: what `CLIENT LIST` shows and `CLIENT KILL` chooses from.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU16, AtomicU32, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::command;
use crate::connection::{Client, Parked, Special};
use crate::mailbox::Address;

/// What others see of one client. Its connection writes it, at the end of a turn; a turn that goes on is not seen.
pub(crate) struct Card {
    pub address: Address,
    /// Where the client is.
    pub peer: SocketAddr,
    /// Where it has connected to.
    pub local: SocketAddr,
    /// When it connected, in seconds since the start of the server.
    connected: u32,
    /// The same for its last request.
    active: AtomicU32,
    db: AtomicU8,
    protocol: AtomicU8,
    special: AtomicU16,
    /// Number of its last command in the table.
    command: AtomicU16,
    channels: AtomicU32,
    patterns: AtomicU32,
    /// Requests that wait for `EXEC`; -1 outside a transaction.
    queued: AtomicI32,
    /// Memory held by requests and replies.
    held: AtomicUsize,
    /// Replies not yet taken, in bytes.
    unsent: AtomicUsize,
    /// What it has said about itself.
    name: Mutex<Box<[u8]>>,
}

/// The type of a client, as filters name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientType {
    Normal,
    PubSub,
    /// A kind of peer that never connects here.
    Other,
}

impl ClientType {
    pub fn parse(name: &[u8]) -> Option<Self> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Some(Self::Normal),
            b"pubsub" => Some(Self::PubSub),
            b"master" | b"replica" | b"slave" => Some(Self::Other),
            _ => None,
        }
    }
}

impl Card {
    pub fn new(address: Address, peer: SocketAddr, local: SocketAddr, now_s: u32) -> Self {
        Self {
            address,
            peer,
            local,
            connected: now_s,
            active: AtomicU32::new(now_s),
            db: AtomicU8::new(0),
            protocol: AtomicU8::new(2),
            special: AtomicU16::new(0),
            command: AtomicU16::new(u16::MAX),
            channels: AtomicU32::new(0),
            patterns: AtomicU32::new(0),
            queued: AtomicI32::new(-1),
            held: AtomicUsize::new(0),
            unsent: AtomicUsize::new(0),
            name: Mutex::default(),
        }
    }

    /// Notes how a client stands at the end of a turn; before it gets the replies, so that whoever has got them is shown
    /// right.
    #[inline]
    pub fn note(&self, client: &Client, now_s: u32) {
        self.active.store(now_s, Relaxed);
        self.db.store(client.db, Relaxed);
        self.protocol.store(client.protocol.version() as u8, Relaxed);
        let mut special = client.special;
        if matches!(client.parked, Some(Parked::Request(_))) {
            special.insert(Special::BLOCKED);
        }
        let queued = client.queued();
        if queued.is_some() {
            // `EXEC` has taken it off already.
            special.insert(Special::MULTI);
        }
        self.special.store(special.bits(), Relaxed);
        self.command.store(client.last_command, Relaxed);
        let session = client.session.as_deref();
        let names = |patterns| session.map_or(0, |session| session.subscriptions.names(patterns).len() as u32);
        self.channels.store(names(false), Relaxed);
        self.patterns.store(names(true), Relaxed);
        self.queued.store(queued.map_or(-1, |count| count as i32), Relaxed);
    }

    /// Notes what the client's buffers hold, and how much of it are replies that it has not taken.
    #[inline]
    pub fn note_buffers(&self, held: usize, unsent: usize) {
        self.held.store(held, Relaxed);
        self.unsent.store(unsent, Relaxed);
    }

    /// Notes the name that the client has given itself.
    pub fn rename(&self, name: &[u8]) {
        *self.name.lock() = name.into();
    }

    /// Whether a request of the client waits for a key, and holds the others up.
    pub fn is_blocked(&self) -> bool {
        Special::from_bits(self.special.load(Relaxed)).contains(Special::BLOCKED)
    }

    /// Takes the right to end that wait; false where there is none, or somebody else ends it.
    pub fn unblock(&self) -> bool {
        let blocked = Special::BLOCKED.bits();
        self.special.fetch_and(!blocked, Relaxed) & blocked != 0
    }

    pub fn client_type(&self) -> ClientType {
        let listens = Special::from_bits(self.special.load(Relaxed)).contains(Special::SUBSCRIBED);
        if listens { ClientType::PubSub } else { ClientType::Normal }
    }

    /// One line of `CLIENT LIST`, with its line break. What has no counterpart here is 0.
    pub fn describe(&self, now_s: u32, out: &mut Vec<u8>) {
        let special = Special::from_bits(self.special.load(Relaxed));
        let mut line = String::new();
        let mut flags = String::new();
        for (state, letter) in Special::LETTERS {
            if special.contains(state) {
                flags.push(letter);
            }
        }
        let (held, unsent) = (self.held.load(Relaxed), self.unsent.load(Relaxed));
        write!(line, "id={} addr={} laddr={} fd=0 name=", self.address.client_id, self.peer, self.local)
            .expect("writing to a String does not fail");
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(&self.name.lock());
        line.clear();
        writeln!(
            line,
            " age={} idle={} flags={} db={} sub={} psub={} ssub=0 multi={} qbuf={} qbuf-free=0 argv-mem=0 multi-mem=0 \
             rbs=0 rbp=0 obl={unsent} oll=0 omem={unsent} tot-mem={held} events=r cmd={} user=default redir=-1 resp={}",
            now_s.saturating_sub(self.connected),
            now_s.saturating_sub(self.active.load(Relaxed)),
            if flags.is_empty() { "N" } else { &flags },
            self.db.load(Relaxed),
            self.channels.load(Relaxed),
            self.patterns.load(Relaxed),
            self.queued.load(Relaxed),
            held.saturating_sub(unsent),
            command::full_name(self.command.load(Relaxed)).unwrap_or("NULL"),
            self.protocol.load(Relaxed),
        )
        .expect("writing to a String does not fail");
        out.extend_from_slice(line.as_bytes());
    }
}

/// Every client, by its id.
#[derive(Default)]
pub(crate) struct Clients(Mutex<BTreeMap<u64, Arc<Card>>>);

impl Clients {
    pub fn add(&self, card: Arc<Card>) {
        self.0.lock().insert(card.address.client_id, card);
    }

    pub fn remove(&self, id: u64) {
        self.0.lock().remove(&id);
    }

    pub fn get(&self, id: u64) -> Option<Arc<Card>> {
        self.0.lock().get(&id).cloned()
    }

    /// How many `filter` holds for.
    pub fn count(&self, filter: impl Fn(&Card) -> bool) -> usize {
        self.0.lock().values().filter(|card| filter(card)).count()
    }

    /// Those that `filter` holds for, the oldest first.
    pub fn matching(&self, filter: impl Fn(&Card) -> bool) -> Vec<Arc<Card>> {
        self.0.lock().values().filter(|card| filter(card)).cloned().collect()
    }
}
