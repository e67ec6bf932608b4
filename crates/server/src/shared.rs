//! What the event loops of a server share.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use tandem_engine::Cache;

use crate::census::Census;
use crate::clients::Clients;
use crate::database::Databases;
use crate::mailbox::{Mailbox, Message};
use crate::observe::{CommandStats, Errors, Rates, Slowlog};
use crate::observer::Observer;
use crate::options::ServerOptions;
use crate::pause::Pause;
use crate::pubsub::PubSub;
use crate::script::{Digest, ScriptCache};
use crate::trim::Trim;

/// What a client is told that would need more memory than there is for all of them.
pub(crate) const BUFFERS_FULL: &str = "the buffers of all clients together have reached their limit, try again later";
/// Least memory for the buffers of all clients.
const MIN_BUFFER_BYTES: usize = 64 << 20;

/// State of a server that every loop sees.
pub(crate) struct Shared {
    /// Itself, for those who may outlive it.
    pub own: Weak<Self>,
    pub cache: Arc<Cache>,
    pub options: ServerOptions,
    pub address: SocketAddr,
    pub started: Instant,
    /// Forty hexadecimal digits that differ from start to start, as clients expect them in `INFO`.
    pub run_id: String,
    /// Connections open now.
    pub clients: AtomicUsize,
    /// The same, each with what others may know of it.
    pub table: Clients,
    /// Connections accepted so far; also the source of client ids.
    pub accepted: AtomicU64,
    /// Connections refused so far because a limit was reached.
    pub rejected: AtomicU64,
    /// Connections cut so far because they took no replies.
    pub cut: AtomicU64,
    /// Connections closed so far because they were silent.
    pub silent: AtomicU64,
    /// Wrong passwords so far.
    pub refused_passwords: AtomicU64,
    /// Requests so far that met a defect of the server.
    pub panics: AtomicU64,
    /// Buffers of all clients in bytes, and what they may come to.
    pub buffer_bytes: AtomicUsize,
    pub buffer_limit: usize,
    pub trim: Trim,
    pub pause: Pause,
    /// Who listens to what.
    pub pubsub: PubSub,
    /// Who is told of changes.
    pub observer: Observer,
    /// The numbered databases of the cache.
    pub databases: Arc<Databases>,
    /// The last count of the keys of each database.
    pub census: Mutex<Option<Census>>,
    /// Sources of scripts, for `EVALSHA`.
    pub scripts: Mutex<ScriptCache>,
    /// Errors that were answered.
    pub errors: Errors,
    /// Requests that took long.
    pub slowlog: Slowlog,
    pub rates: Rates,
    /// Set once, when the server stops: when to give up on peers that do not take their replies.
    pub stop_by: Mutex<Option<Instant>>,
    pub stopping: AtomicBool,
    pub loops: Vec<LoopShared>,
}

/// What others see of one loop. On cache lines of its own: the counters change with every wake-up, and must not be taken
/// from the other loops each time.
#[repr(align(128))]
pub(crate) struct LoopShared {
    pub waker: mio::Waker,
    pub mailbox: Mailbox,
    pub counters: Counters,
    pub stats: Arc<CommandStats>,
    /// Clients of the text protocol.
    pub text_clients: AtomicUsize,
}

/// Counters with one writer, the loop: a plain load and store, no locked instruction.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    commands: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Counters {
    /// Adds the work of one wake-up of one connection.
    #[inline]
    pub fn add(&self, commands: u64, bytes_in: usize, bytes_out: usize) {
        let bump = |counter: &AtomicU64, by: u64| counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
        bump(&self.commands, commands);
        bump(&self.bytes_in, bytes_in as u64);
        bump(&self.bytes_out, bytes_out as u64);
    }
}

/// What the buffers of all clients may come to: memory beyond the bound of the cache.
pub(crate) fn buffer_limit(options: &ServerOptions, cache: &Cache) -> usize {
    let eighth = usize::try_from(cache.options().max_bytes / 8).unwrap_or(usize::MAX);
    options.limits.buffer_bytes.unwrap_or(eighth.max(MIN_BUFFER_BYTES))
}

impl Shared {
    /// Notes that the buffers of a connection went from `before` bytes to `now`. False if the connection is to be
    /// cut: together with all others it has too much, and it has more than an equal share.
    pub fn account(&self, before: usize, now: usize) -> bool {
        if now <= before {
            self.buffer_bytes.fetch_sub(before - now, Relaxed);
            self.trim.note(before - now);
            return true;
        }
        let all = self.buffer_bytes.fetch_add(now - before, Relaxed) + (now - before);
        all <= self.buffer_limit || now <= self.buffer_limit / self.clients.load(Relaxed).max(1)
    }

    /// Keeps the source of a script; it counts with the buffers of clients.
    pub fn keep_script(&self, digest: Digest, source: &Arc<[u8]>) {
        self.change_scripts(|scripts| scripts.insert(digest, source));
    }

    /// Forgets every script.
    pub fn forget_scripts(&self) {
        self.change_scripts(ScriptCache::clear);
    }

    fn change_scripts(&self, change: impl FnOnce(&mut ScriptCache)) {
        let mut scripts = self.scripts.lock();
        let before = scripts.memory();
        change(&mut scripts);
        // There is a bound of its own, and nobody to be cut.
        self.account(before, scripts.memory());
    }

    /// For [`Shared::post`]: the thread is that of no loop.
    pub const NO_LOOP: u16 = u16::MAX;

    /// Takes `bytes` of a push into the books, with which `waiting` bytes wait for one loop. False where there is no room:
    /// all buffers together have reached their limit, and that loop has more than a fair part of it.
    fn hold_push(&self, bytes: usize, waiting: usize) -> bool {
        let all = self.buffer_bytes.fetch_add(bytes, Relaxed) + bytes;
        let fits = all <= self.buffer_limit || waiting <= self.buffer_limit / (8 * self.loops.len());
        if !fits {
            self.buffer_bytes.fetch_sub(bytes, Relaxed);
        }
        fits
    }

    /// Takes a push out of the books that waited for a loop.
    pub fn release_push(&self, bytes: usize) {
        self.buffer_bytes.fetch_sub(bytes, Relaxed);
        self.trim.note(bytes);
    }

    /// Leaves a message for loop `target`, on the thread of loop `from`.
    pub fn post(&self, from: u16, target: u16, message: Message) {
        let target_loop = &self.loops[target as usize];
        let added = target_loop.mailbox.add(message, |bytes, waiting| self.hold_push(bytes, waiting));
        if added && target != from {
            // It fails only for a loop that has ended, when the server is stopping.
            let _ = target_loop.waker.wake();
        }
    }

    /// Ends a pause and lets every loop go on, on the thread of loop `from`.
    pub fn end_pause(&self, from: u16) {
        self.pause.end();
        for (_, other) in self.loops.iter().enumerate().filter(|(index, _)| *index != from as usize) {
            let _ = other.waker.wake();
        }
    }

    /// Sums a counter over the loops: commands run, bytes read and bytes written.
    pub fn totals(&self) -> (u64, u64, u64) {
        self.loops.iter().fold((0, 0, 0), |(commands, bytes_in, bytes_out), one| {
            (
                commands + one.counters.commands.load(Relaxed),
                bytes_in + one.counters.bytes_in.load(Relaxed),
                bytes_out + one.counters.bytes_out.load(Relaxed),
            )
        })
    }

    /// Decides whether a new connection is taken. Counts it.
    ///
    /// # Errors
    /// What a refused client is to be told.
    pub fn admit(&self) -> Result<(), &'static str> {
        let limits = &self.options.limits;
        let refusal = if self.clients.load(Relaxed) >= limits.clients {
            "max number of clients reached"
        } else if self.buffer_bytes.load(Relaxed) >= self.buffer_limit / 4 * 3 {
            BUFFERS_FULL
        } else {
            self.clients.fetch_add(1, Relaxed);
            return Ok(());
        };
        self.rejected.fetch_add(1, Relaxed);
        Err(refusal)
    }

    /// Seconds since the start.
    pub fn uptime_s(&self) -> u32 {
        self.started.elapsed().as_secs() as u32
    }

    /// Milliseconds since the Unix epoch by the cache's clock.
    pub fn now_ms(&self) -> u64 {
        self.cache.options().clock.now_ms()
    }
}
