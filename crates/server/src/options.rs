//! Options of a server.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tandem_wire::Limits;
use tandem_wire::text::TextFraming;

use crate::password::Password;

/// Descriptors that are kept for everything that is not a client: listener, epoll, files, the rest of the process.
const RESERVED_DESCRIPTORS: u64 = 64;
/// Default for [`ClientLimits::clients`] where descriptors allow it, as in Redis.
const DEFAULT_CLIENTS: u64 = 10_000;

/// Options of a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Address to listen on. One that other machines can reach needs a password.
    pub bind: IpAddr,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Event loops, each with a thread of its own; 1 to 256.
    pub threads: usize,
    /// What a client must say by `AUTH` before anything else; `None`: whoever can connect may do everything.
    pub password: Option<Password>,
    /// Whether the process is nothing but this server, so that `SHUTDOWN` may end it.
    pub owns_process: bool,
    /// What clients may cost.
    pub limits: ClientLimits,
    /// What one request of the text protocol is.
    pub text_framing: TextFraming,
    /// How long a transaction or a script may work; past it, it is undone. Time for which the machine interrupts it is
    /// not counted beyond half of this.
    pub transaction_budget: Duration,
    /// Whether scripts may be run.
    pub scripts: bool,
    /// Memory of the scripts of one loop, in bytes.
    pub script_memory: usize,
    /// Whether the first loop does the cache's background work ([`tandem_engine::Cache::maintain`]); false where
    /// somebody else does it already.
    pub maintain: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 7379,
            threads: 1,
            password: None,
            owns_process: false,
            limits: ClientLimits::default(),
            text_framing: TextFraming::Line,
            transaction_budget: Duration::from_millis(50),
            scripts: true,
            script_memory: 16 << 20,
            maintain: true,
        }
    }
}

/// What clients may cost. Every figure is per connection unless it says otherwise.
#[derive(Debug, Clone)]
pub struct ClientLimits {
    /// Connections in all; a further one gets an error and is closed.
    pub clients: usize,
    /// Size of a request and of its parts.
    pub request: Limits,
    /// Size of a request in bytes as long as the client has not said the password.
    pub unauthenticated_bytes: usize,
    /// Replies not yet taken by the peer, in bytes, above which no further request of it is run.
    pub reply_pause_bytes: usize,
    /// Replies not yet taken by the peer, in bytes, above which the connection is cut. Large values apart, which lie in
    /// the cache, what all buffers may hold is a limit, too.
    pub reply_bytes: usize,
    /// How long a paused peer may take nothing at all before it is cut.
    pub stalled_reader: Duration,
    /// How long a client may be silent before its connection is closed; `None`: for ever.
    pub idle: Option<Duration>,
    /// The same for a client of the text protocol.
    pub text_idle: Option<Duration>,
    /// How long nothing may come from a peer before the system asks whether it is still there, in whole seconds. One
    /// that is gone without a word is found after twice that, and so is one that takes nothing of what is sent to it.
    /// `None`: never.
    pub keepalive: Option<Duration>,
    /// Buffers of all clients together, in bytes. From three quarters on new clients are refused; beyond it a client
    /// whose buffers grow over an equal share is cut. `None`: an eighth of the cache's bound, at least 64 MiB.
    pub buffer_bytes: Option<usize>,
    /// How long to wait for the peer's close after our own.
    pub linger: Duration,
}

impl ClientLimits {
    /// Size of a request of a client that has not said the password; the counts and lengths are those of Redis.
    pub(crate) fn unauthenticated_request(&self) -> Limits {
        Limits {
            args: 10,
            bulk_bytes: 16 << 10,
            request_bytes: self.unauthenticated_bytes,
            unauthenticated: true,
            ..self.request
        }
    }
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            clients: default_clients(),
            request: Limits::default(),
            unauthenticated_bytes: 64 << 10,
            reply_pause_bytes: 16 << 20,
            reply_bytes: 512 << 20,
            stalled_reader: Duration::from_secs(30),
            idle: None,
            text_idle: Some(Duration::from_secs(60)),
            keepalive: Some(Duration::from_secs(300)),
            buffer_bytes: None,
            linger: Duration::from_secs(1),
        }
    }
}

/// As many as Redis allows, or what the limit on open files leaves.
fn default_clients() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    files.saturating_sub(RESERVED_DESCRIPTORS).clamp(1, DEFAULT_CLIENTS) as usize
}
