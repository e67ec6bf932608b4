//! Starting and stopping.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use parking_lot::Mutex;
use socket2::{Domain, Socket, TcpKeepalive, Type};
use tandem_engine::Cache;

use crate::clients::Clients;
use crate::database::Databases;
use crate::event_loop::{EventLoop, WAKER};
use crate::mailbox::Mailbox;
use crate::observe::{Errors, Rates, Slowlog};
use crate::observer::Observer;
use crate::options::ServerOptions;
use crate::pause::Pause;
use crate::pubsub::PubSub;
use crate::script::ScriptCache;
use crate::shared::{Counters, LoopShared, Shared, buffer_limit};
use crate::trim::{self, Trim};

/// Length of the queue of connections not yet accepted; the system may allow less.
const BACKLOG: i32 = 1024;
const MAX_THREADS: usize = 256;
/// The system counts in seconds.
const LEAST_KEEPALIVE: Duration = Duration::from_secs(1);

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// An option is out of range.
    BadOption {
        /// Name of the option as in [`ServerOptions`].
        option: &'static str,
        /// What was given and what is allowed.
        reason: String,
    },
    /// The address cannot be listened on: taken, not of this machine, or not permitted.
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The system refused threads or descriptors.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadOption { option, reason } => write!(f, "option {option}: {reason}"),
            Self::Listen { address, source } if source.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "cannot listen on {address}: the port is taken; stop what uses it or choose another")
            }
            Self::Listen { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::System(source) => write!(f, "the system refused what the server needs: {source}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(source: io::Error) -> Self {
        Self::System(source)
    }
}

/// Counters of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerStats {
    /// Connections open now.
    pub clients: usize,
    /// Connections accepted so far.
    pub accepted: u64,
    /// Connections refused so far because a limit was reached.
    pub rejected: u64,
    /// Connections cut so far because their peer took no replies.
    pub cut: u64,
    /// Connections closed so far because they were silent.
    pub silent: u64,
    /// Wrong passwords so far.
    pub refused_passwords: u64,
    /// Requests so far that met a defect of the server.
    pub panics: u64,
    /// Commands run so far.
    pub commands: u64,
    /// Bytes read so far.
    pub bytes_in: u64,
    /// Bytes written so far.
    pub bytes_out: u64,
    /// Memory held by buffers of clients now, and by the sources of scripts.
    pub buffer_bytes: usize,
    /// What these buffers may come to.
    pub buffer_limit: usize,
    /// Connections that may be open at once.
    pub max_clients: usize,
    /// Requests that are kept because they took long.
    pub slow_requests: usize,
}

/// A running server. Dropping it stops it at once.
pub struct Server {
    pub(crate) shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Server {
    /// Listens and starts the event loops; returns when clients can connect.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(cache: Arc<Cache>, mut options: ServerOptions) -> Result<Self, StartError> {
        if !(1..=MAX_THREADS).contains(&options.threads) {
            let reason = format!("{} is outside 1 to {MAX_THREADS}", options.threads);
            return Err(StartError::BadOption { option: "threads", reason });
        }
        if options.limits.clients == 0 {
            return Err(StartError::BadOption { option: "maxClients", reason: "0 is not allowed; at least 1".into() });
        }
        if options.password.is_none() && !options.bind.to_canonical().is_loopback() {
            let reason = format!(
                "{} can be reached from other machines, and there is no password; set one, or use a loopback address \
                 such as 127.0.0.1",
                options.bind
            );
            return Err(StartError::BadOption { option: "bind", reason });
        }
        for (option, time) in [("idle", options.limits.idle), ("textIdle", options.limits.text_idle)] {
            if time.is_some_and(|time| time.is_zero()) {
                return Err(StartError::BadOption { option, reason: "0 is not allowed; none is no limit".into() });
            }
        }
        if let Some(time) = options.limits.keepalive.filter(|time| *time < LEAST_KEEPALIVE || time.subsec_nanos() > 0) {
            let reason = format!("{time:?} is not allowed; whole seconds from 1 on, or none");
            return Err(StartError::BadOption { option: "keepalive", reason });
        }
        trim::keep_little();
        // A value that the cache takes must reach it, together with its key.
        let largest = cache.options().max_value_bytes as usize;
        let request = &mut options.limits.request;
        request.bulk_bytes = request.bulk_bytes.max(largest);
        request.request_bytes = request.request_bytes.max(largest + (1 << 20));

        let requested = SocketAddr::new(options.bind, options.port);
        let mut listener = listen(requested, options.limits.keepalive)
            .map_err(|source| StartError::Listen { address: requested, source })?;
        let address = listener.local_addr()?;

        let mut polls = Vec::with_capacity(options.threads);
        let mut loops = Vec::with_capacity(options.threads);
        for _ in 0..options.threads {
            let poll = mio::Poll::new()?;
            let waker = mio::Waker::new(poll.registry(), WAKER)?;
            loops.push(LoopShared {
                waker,
                mailbox: Mailbox::default(),
                counters: Counters::default(),
                stats: Arc::default(),
                text_clients: AtomicUsize::new(0),
            });
            polls.push(poll);
        }
        crate::event_loop::register_listener(&polls[0], &mut listener)?;

        let databases = Databases::of(&cache);
        let buffer_limit = buffer_limit(&options, &cache);
        let shared = Arc::new_cyclic(|own| Shared {
            own: own.clone(),
            run_id: run_id(&address),
            buffer_limit,
            trim: Trim::default(),
            cache,
            options,
            address,
            started: Instant::now(),
            clients: AtomicUsize::new(0),
            table: Clients::default(),
            accepted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            silent: AtomicU64::new(0),
            refused_passwords: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            buffer_bytes: AtomicUsize::new(0),
            pause: Pause::default(),
            pubsub: PubSub::default(),
            databases,
            observer: Observer::default(),
            census: Mutex::default(),
            scripts: Mutex::new(ScriptCache::new(buffer_limit)),
            errors: Errors::default(),
            slowlog: Slowlog::default(),
            rates: Rates::new(Instant::now()),
            stop_by: Mutex::new(None),
            stopping: AtomicBool::new(false),
            loops,
        });
        let server = Self { shared: Arc::clone(&shared), threads: Mutex::new(Vec::new()) };
        let mut listener = Some(listener);
        for (index, poll) in polls.into_iter().enumerate() {
            let event_loop = EventLoop::new(poll, index, listener.take(), Arc::clone(&shared));
            let thread =
                std::thread::Builder::new().name(format!("tandem-loop-{index}")).spawn(move || event_loop.run())?;
            server.threads.lock().push(thread);
        }
        Ok(server)
    }

    /// The address that is listened on, with the port that was chosen where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }

    /// Stops: accepts no more, answers every request received so far, closes. Blocks until that is done or `drain`
    /// has passed, whichever comes first; further calls return when the first one has ended.
    pub fn stop(&self, drain: Duration) {
        self.shared.stop_by.lock().get_or_insert(Instant::now() + drain);
        self.shared.stopping.store(true, Relaxed);
        let mut threads = self.threads.lock();
        for one in &self.shared.loops {
            // A loop that cannot be woken has ended.
            let _ = one.waker.wake();
        }
        for thread in threads.drain(..) {
            // A panic on a loop has been reported when it happened.
            let _ = thread.join();
        }
    }

    /// What the loops share, for tests that need no socket.
    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Counters as of now.
    pub fn stats(&self) -> ServerStats {
        let (commands, bytes_in, bytes_out) = self.shared.totals();
        ServerStats {
            clients: self.shared.clients.load(Relaxed),
            accepted: self.shared.accepted.load(Relaxed),
            rejected: self.shared.rejected.load(Relaxed),
            cut: self.shared.cut.load(Relaxed),
            silent: self.shared.silent.load(Relaxed),
            refused_passwords: self.shared.refused_passwords.load(Relaxed),
            panics: self.shared.panics.load(Relaxed),
            commands,
            bytes_in,
            bytes_out,
            buffer_bytes: self.shared.buffer_bytes.load(Relaxed),
            buffer_limit: self.shared.buffer_limit,
            max_clients: self.shared.options.limits.clients,
            slow_requests: self.shared.slowlog.len(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

/// Probes without an answer after which a peer is gone. They come a third of the time apart, as in Redis.
const PROBES: u32 = 3;

/// Connections have the options of their listener from the start: setting them on each would take as long as accepting.
fn listen(address: SocketAddr, keepalive: Option<Duration>) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), None)?;
    // Without it a restart would have to wait until the connections of the last run are forgotten.
    socket.set_reuse_address(true)?;
    // Otherwise a reply may wait for the peer's acknowledgement of the one before.
    socket.set_tcp_nodelay(true)?;
    if let Some(time) = keepalive {
        let interval = (time / PROBES).max(LEAST_KEEPALIVE);
        let probes = TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(PROBES);
        socket.set_tcp_keepalive(&probes)?;
        // Probes are sent only where nothing else is under way: a reply without acknowledgement has its own limit.
        socket.set_tcp_user_timeout(Some(time + interval * PROBES))?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Forty hexadecimal digits out of the randomly seeded hasher of the standard library.
fn run_id(address: &SocketAddr) -> String {
    use std::hash::BuildHasher;
    let random = || std::collections::hash_map::RandomState::new().hash_one((address, std::process::id()));
    format!("{:016x}{:016x}{:08x}", random(), random(), random() as u32)
}
