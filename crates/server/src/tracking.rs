//! `CLIENT TRACKING`: who keeps copies of which keys, and is to be told when they change.
//!
//! A key is noted before it is read, and looked up after it has changed: a reader either sees the new value or is told.
//! Keys are noted by their name, whatever their database. A message about a key makes it forgotten.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;
use tandem_wire::{Protocol, reply};

use crate::mailbox::{Address, Message};
use crate::shared::Shared;

/// Keys that are noted, of all clients; Redis' default.
const MAX_KEYS: usize = 1_000_000;
/// Their memory in bytes.
const MAX_BYTES: usize = 32 << 20;
/// What a key takes beside its name, and what each of its readers takes, roughly.
const KEY_OVERHEAD: usize = 128;
const READER_BYTES: usize = 8;
/// Prefixes of one client, and their bytes.
const MAX_PREFIXES: usize = 1_000;
const MAX_PREFIX_BYTES: usize = 64 << 10;

/// Which keys a client is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    /// Those that it reads.
    #[default]
    Read,
    /// Those that it reads right after `CLIENT CACHING YES`.
    OptIn,
    /// Those that it reads, but not right after `CLIENT CACHING NO`.
    OptOut,
    /// All that begin with one of its prefixes.
    Broadcast,
}

/// How one client tracks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub mode: Mode,
    /// Not told of its own changes.
    pub no_loop: bool,
    /// Another client gets the messages; 0: none.
    pub redirect: u64,
    pub prefixes: Vec<Arc<[u8]>>,
    /// The other client was not there when there was something to tell.
    pub is_broken: bool,
}

impl Options {
    /// Whether so many prefixes with so many bytes in all are allowed.
    pub fn has_room(count: usize, bytes: usize) -> bool {
        count <= MAX_PREFIXES && bytes <= MAX_PREFIX_BYTES
    }
}

/// A message to clients that track, or to those that they redirect to.
#[derive(Debug, Clone)]
pub(crate) enum Notice {
    /// Copies of these keys are old: the keys, encoded; `None`: of all.
    Invalidate(Option<Arc<[u8]>>),
    /// The client that messages were to go to is gone.
    RedirectBroken(u64),
}

impl Notice {
    fn of_key(key: &[u8]) -> Self {
        let mut keys = Vec::with_capacity(key.len() + 16);
        reply::array(&mut keys, 1);
        reply::bulk(&mut keys, key);
        Self::Invalidate(Some(keys.into()))
    }

    /// Bytes of the message, roughly.
    pub fn len(&self) -> usize {
        match self {
            Self::Invalidate(keys) => keys.as_ref().map_or(0, |keys| keys.len()) + 40,
            Self::RedirectBroken(_) => 60,
        }
    }

    /// Writes it for a client that speaks `protocol`: in RESP2, as a message of a channel.
    pub fn write_to(&self, out: &mut Vec<u8>, protocol: Protocol) {
        let keys = match self {
            Self::Invalidate(keys) => keys,
            Self::RedirectBroken(id) => {
                reply::push(out, 2);
                reply::bulk(out, b"tracking-redir-broken");
                return reply::integer(out, *id as i64);
            }
        };
        match protocol {
            Protocol::Resp3 => {
                reply::push(out, 2);
                reply::bulk(out, b"invalidate");
            }
            Protocol::Resp2 => {
                reply::array(out, 3);
                reply::bulk(out, b"message");
                reply::bulk(out, b"__redis__:invalidate");
            }
        }
        match keys {
            Some(keys) => out.extend_from_slice(keys),
            None => reply::null(out, protocol),
        }
    }
}

/// A client that tracks.
struct Tracker {
    address: Address,
    options: Options,
}

/// Who has read a key.
struct Readers {
    clients: Vec<u64>,
    /// Its place in [`State::names`].
    place: usize,
}

#[derive(Default)]
struct State {
    clients: HashMap<u64, Tracker>,
    keys: HashMap<Arc<[u8]>, Readers>,
    /// The names of all keys, to choose one of them at random.
    names: Vec<Arc<[u8]>>,
    /// Readers of all keys; one of several keys counts several times.
    readers: usize,
    bytes: usize,
    prefixes: BTreeMap<Arc<[u8]>, HashSet<u64>>,
    random: RandomState,
    chosen: u64,
}

/// How much is tracked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub clients: usize,
    pub keys: usize,
    /// Readers of all keys; one of several keys counts several times.
    pub readers: usize,
    pub prefixes: usize,
}

/// What clients track.
#[derive(Default)]
pub(crate) struct Tracking {
    /// Clients that do.
    count: AtomicUsize,
    state: Mutex<State>,
}

impl Tracking {
    /// Whether anybody tracks.
    pub fn is_on(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// How much is tracked now.
    pub fn totals(&self) -> Totals {
        let state = self.state.lock();
        Totals {
            clients: state.clients.len(),
            keys: state.names.len(),
            readers: state.readers,
            prefixes: state.prefixes.len(),
        }
    }

    /// Begins tracking, or goes on with other options.
    pub fn begin(&self, address: Address, options: Options) {
        let mut state = self.state.lock();
        let id = address.client_id;
        for prefix in &options.prefixes {
            state.prefixes.entry(Arc::clone(prefix)).or_default().insert(id);
        }
        state.clients.insert(id, Tracker { address, options });
        self.count.store(state.clients.len(), Relaxed);
    }

    /// Ends tracking. What the client has read is forgotten as it changes.
    pub fn end(&self, id: u64) {
        let mut state = self.state.lock();
        let Some(tracker) = state.clients.remove(&id) else { return };
        for prefix in &tracker.options.prefixes {
            if let Some(clients) = state.prefixes.get_mut(prefix) {
                clients.remove(&id);
                if clients.is_empty() {
                    state.prefixes.remove(prefix);
                }
            }
        }
        if state.clients.is_empty() {
            *state = State::default();
        }
        self.count.store(state.clients.len(), Relaxed);
    }

    /// How a client tracks.
    pub fn options(&self, id: u64) -> Option<Options> {
        self.state.lock().clients.get(&id).map(|tracker| tracker.options.clone())
    }

    /// Notes that a client reads `keys`; `said_so`: right after `CLIENT CACHING`.
    pub fn remember<'k>(&self, shared: &Shared, id: u64, said_so: bool, keys: impl Iterator<Item = &'k [u8]>) {
        let mut state = self.state.lock();
        match state.clients.get(&id).map(|tracker| tracker.options.mode) {
            Some(Mode::Read) => {}
            Some(Mode::OptIn) if said_so => {}
            Some(Mode::OptOut) if !said_so => {}
            _ => return,
        }
        for key in keys {
            state.remember(id, key);
        }
        while state.names.len() > MAX_KEYS || state.bytes > MAX_BYTES {
            state.chosen += 1;
            let place = state.random.hash_one(state.chosen) as usize % state.names.len();
            let name = Arc::clone(&state.names[place]);
            state.invalidate(shared, &name, 0);
        }
    }

    /// Tells those who have read `key` that `origin` has changed it.
    pub fn invalidate(&self, shared: &Shared, key: &[u8], origin: u64) {
        let mut state = self.state.lock();
        state.invalidate(shared, key, origin);
        state.broadcast(shared, key, origin);
    }

    /// Tells everybody that nothing is as it was.
    pub fn invalidate_all(&self, shared: &Shared) {
        let mut state = self.state.lock();
        state.keys.clear();
        state.names.clear();
        (state.readers, state.bytes) = (0, 0);
        let everybody: Vec<u64> = state.clients.keys().copied().collect();
        everybody.into_iter().for_each(|id| state.send(shared, id, 0, &Notice::Invalidate(None)));
    }
}

impl State {
    fn remember(&mut self, id: u64, key: &[u8]) {
        if let Some(readers) = self.keys.get_mut(key) {
            if !readers.clients.contains(&id) {
                readers.clients.push(id);
                self.readers += 1;
                self.bytes += READER_BYTES;
            }
            return;
        }
        let name: Arc<[u8]> = key.into();
        self.bytes += key.len() + KEY_OVERHEAD + READER_BYTES;
        self.readers += 1;
        self.keys.insert(Arc::clone(&name), Readers { clients: vec![id], place: self.names.len() });
        self.names.push(name);
    }

    fn forget(&mut self, key: &[u8]) -> Option<Readers> {
        let readers = self.keys.remove(key)?;
        self.bytes -= key.len() + KEY_OVERHEAD + READER_BYTES * readers.clients.len();
        self.readers -= readers.clients.len();
        self.names.swap_remove(readers.place);
        if let Some(moved) = self.names.get(readers.place)
            && let Some(moved) = self.keys.get_mut(moved)
        {
            moved.place = readers.place;
        }
        Some(readers)
    }

    fn invalidate(&mut self, shared: &Shared, key: &[u8], origin: u64) {
        let Some(readers) = self.forget(key) else { return };
        let notice = Notice::of_key(key);
        readers.clients.iter().for_each(|&id| self.send(shared, id, origin, &notice));
    }

    fn broadcast(&mut self, shared: &Shared, key: &[u8], origin: u64) {
        let mut clients: Vec<u64> = Vec::new();
        for (_, concerned) in self.prefixes.iter().filter(|(prefix, _)| key.starts_with(prefix)) {
            clients.extend(concerned);
        }
        if !clients.is_empty() {
            let notice = Notice::of_key(key);
            clients.into_iter().for_each(|id| self.send(shared, id, origin, &notice));
        }
    }

    /// Sends a notice to a client, or to the one it redirects to.
    fn send(&mut self, shared: &Shared, id: u64, origin: u64, notice: &Notice) {
        let Some(Tracker { address, options }) = self.clients.get_mut(&id) else { return };
        if options.no_loop && origin == id {
            return;
        }
        let (to, notice) = match options.redirect {
            0 => (*address, notice.clone()),
            redirect => match shared.table.get(redirect) {
                Some(card) => (card.address, notice.clone()),
                None => {
                    options.is_broken = true;
                    (*address, Notice::RedirectBroken(redirect))
                }
            },
        };
        let is_redirected = to != *address;
        shared.post(Shared::NO_LOOP, to.event_loop, Message::Notice { to, notice, is_redirected });
    }
}
