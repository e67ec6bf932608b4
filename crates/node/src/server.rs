//! A server around an open cache, as a class.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::{AsyncTask, Env, Uint8Array};
use napi::{Task, bindgen_prelude::Result};
use napi_derive::napi;
use tandem_server::{ClientLimits, Password, Server, ServerOptions, StartError};

use crate::cache::NativeCache;
use crate::failure::Failure;
use crate::registry::Handle;

/// Where and how to listen; complete and validated by `src/worker/options.ts`.
#[napi(object, object_to_js = false)]
pub struct ListenOptions {
    /// IP address to listen on.
    pub bind: String,
    /// Port; 0 takes a free one.
    pub port: u16,
    /// Event loops.
    pub threads: u32,
    /// What clients must say first; absent for nothing.
    pub password: Option<Uint8Array>,
    /// Connections in all; absent for what the limit on open files allows, up to 10,000.
    pub max_clients: Option<u32>,
    /// Whether the process is nothing but this server, so that a client may end it.
    pub owns_process: bool,
    /// Time in ms after which a silent client is closed; absent for never.
    pub idle_ms: Option<u32>,
    /// Whether clients may run scripts.
    pub scripts: bool,
}

/// Counters of a server.
#[napi(object, object_from_js = false)]
pub struct NativeServerStats {
    /// Connections open now.
    pub clients: f64,
    /// Connections accepted so far.
    pub accepted: f64,
    /// Connections refused so far because a limit was reached.
    pub rejected: f64,
    /// Connections cut so far because their peer took no replies.
    pub cut: f64,
    /// Connections closed so far because they were silent.
    pub silent: f64,
    /// Wrong passwords so far.
    pub refused_passwords: f64,
    /// Commands run so far.
    pub commands: f64,
    /// Bytes read so far.
    pub bytes_in: f64,
    /// Bytes written so far.
    pub bytes_out: f64,
    /// Memory held by buffers of clients now.
    pub buffer_bytes: f64,
}

/// A running server. It has a claim of its own on the cache, which stays open until the server has stopped.
#[napi]
pub struct NativeServer {
    // Dropped in this order: the server first, then its claim on the cache.
    server: Arc<Server>,
    _cache: Handle,
}

#[napi]
impl NativeServer {
    /// Listens and starts the event loops; on return clients can connect.
    #[napi(factory, catch_unwind)]
    pub fn listen(env: Env, cache: &NativeCache, options: ListenOptions) -> Result<Self> {
        let refuse = |code, message| Failure::Coded { code, message }.raise(env);
        let handle = cache.claim().map_err(|error| Failure::Engine(error).raise(env))?;
        let bind: IpAddr = options
            .bind
            .parse()
            .map_err(|_| refuse("BadOption", format!("option bind: {:?} is not an IP address", options.bind)))?;
        let mut limits = ClientLimits::default();
        if let Some(clients) = options.max_clients {
            limits.clients = clients as usize;
        }
        limits.idle = options.idle_ms.map(|ms| Duration::from_millis(ms.into()));
        let password = match &options.password {
            None => None,
            Some(bytes) => Some(Password::new(bytes).ok_or_else(|| {
                let reason = format!("1 to {} bytes are allowed; got {}", Password::MAX_BYTES, bytes.len());
                refuse("BadOption", format!("option password: {reason}"))
            })?),
        };
        let options = ServerOptions {
            bind,
            password,
            port: options.port,
            threads: options.threads as usize,
            limits,
            scripts: options.scripts,
            // The caretaker of this process does it already.
            maintain: false,
            owns_process: options.owns_process,
            ..ServerOptions::default()
        };
        let server = Server::start(Arc::clone(&handle.engine), options).map_err(|error| {
            let code = match error {
                StartError::BadOption { .. } => "BadOption",
                StartError::Listen { .. } | StartError::System(_) => "CannotListen",
            };
            refuse(code, error.to_string())
        })?;
        Ok(Self { server: Arc::new(server), _cache: handle })
    }

    /// The port that is listened on.
    #[napi(getter)]
    pub fn port(&self) -> u16 {
        self.server.local_addr().port()
    }

    /// Counters as of now.
    #[napi]
    pub fn stats(&self) -> NativeServerStats {
        let stats = self.server.stats();
        NativeServerStats {
            clients: stats.clients as f64,
            accepted: stats.accepted as f64,
            rejected: stats.rejected as f64,
            cut: stats.cut as f64,
            silent: stats.silent as f64,
            refused_passwords: stats.refused_passwords as f64,
            commands: stats.commands as f64,
            bytes_in: stats.bytes_in as f64,
            bytes_out: stats.bytes_out as f64,
            buffer_bytes: stats.buffer_bytes as f64,
        }
    }

    /// Accepts no more, answers what has been received and closes every connection; resolves when that is done or
    /// `drain_ms` have passed.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn stop(&self, drain_ms: u32) -> AsyncTask<Stop> {
        AsyncTask::new(Stop { server: Arc::clone(&self.server), drain: Duration::from_millis(drain_ms.into()) })
    }
}

/// Waits for the event loops on a thread of the pool, so that JavaScript goes on meanwhile.
pub struct Stop {
    server: Arc<Server>,
    drain: Duration,
}

impl Task for Stop {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        self.server.stop(self.drain);
        Ok(())
    }

    fn resolve(&mut self, _env: Env, _output: ()) -> Result<()> {
        Ok(())
    }
}
