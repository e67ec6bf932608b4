//! A server around an open cache, as a class.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::{AsyncTask, Env, Uint8Array};
use napi::{Task, bindgen_prelude::Result};
use napi_derive::napi;
use tandem_server::{
    ClientLimits, CommandReport, DURATION_BOUNDS_NS, Password, Server, ServerOptions, StartError, TextFraming,
};

use crate::cache::{NativeCache, NativeStats};
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
    /// The same for a client of the text protocol; absent for never.
    pub text_idle_ms: Option<u32>,
    /// Time in seconds after which a silent peer is asked whether it is there; absent for never.
    pub keepalive_s: Option<u32>,
    /// Whether one request of the text protocol is what one read delivers, not a line.
    pub text_messages: bool,
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
    /// Requests so far that met a defect of the server.
    pub panics: f64,
    /// Commands run so far.
    pub commands: f64,
    /// Bytes read so far.
    pub bytes_in: f64,
    /// Bytes written so far.
    pub bytes_out: f64,
    /// Memory held by buffers of clients now.
    pub buffer_bytes: f64,
    /// What these buffers may come to.
    pub buffer_limit: f64,
    /// Connections that may be open at once.
    pub max_clients: f64,
    /// Requests that are kept because they took long (`SLOWLOG`).
    pub slow_requests: f64,
}

/// What was done of one command.
#[napi(object, object_from_js = false)]
pub struct NativeCommandStats {
    /// Its full name, such as `get` or `client|list`.
    pub name: String,
    /// Requests that ran.
    pub calls: f64,
    /// Requests that were refused before they ran.
    pub rejected: f64,
    /// Requests that ran and answered an error.
    pub failed: f64,
    /// Requests whose time was taken: all that came alone, one in 256 of those in pipelines.
    pub timed: f64,
    /// The time of those in seconds.
    pub seconds: f64,
    /// For each bound of `durationBounds`: how many of those took less.
    pub shorter: Vec<f64>,
}

/// A running server. It has a claim of its own on the cache, which stays open until the server has stopped.
#[napi]
pub struct NativeServer {
    // Dropped in this order: the server first, then its claim on the cache.
    server: Arc<Server>,
    cache: Handle,
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
        limits.text_idle = options.text_idle_ms.map(|ms| Duration::from_millis(ms.into()));
        limits.keepalive = options.keepalive_s.map(|seconds| Duration::from_secs(seconds.into()));
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
            text_framing: if options.text_messages { TextFraming::Message } else { TextFraming::Line },
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
        Ok(Self { server: Arc::new(server), cache: handle })
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
            panics: stats.panics as f64,
            commands: stats.commands as f64,
            bytes_in: stats.bytes_in as f64,
            bytes_out: stats.bytes_out as f64,
            buffer_bytes: stats.buffer_bytes as f64,
            buffer_limit: stats.buffer_limit as f64,
            max_clients: stats.max_clients as f64,
            slow_requests: stats.slow_requests as f64,
        }
    }

    /// Counters of the cache in sum; also when the caller has closed it.
    #[napi]
    pub fn cache_stats(&self) -> NativeStats {
        self.cache.engine.stats().into()
    }

    /// What was done of each command that was used.
    #[napi]
    pub fn commands(&self) -> Vec<NativeCommandStats> {
        let converted = |one: CommandReport| NativeCommandStats {
            name: one.name.into(),
            calls: one.calls as f64,
            rejected: one.rejected as f64,
            failed: one.failed as f64,
            timed: one.timed as f64,
            seconds: one.ns as f64 / 1e9,
            shorter: one.shorter.iter().map(|&count| count as f64).collect(),
        };
        self.server.commands().into_iter().map(converted).collect()
    }

    /// Bounds of `shorter` in the figures of a command, in seconds.
    #[napi]
    pub fn duration_bounds() -> Vec<f64> {
        DURATION_BOUNDS_NS.iter().map(|&ns| ns as f64 / 1e9).collect()
    }

    /// How many errors were answered, by their code.
    #[napi(ts_return_type = "Record<string, number>")]
    pub fn errors(&self) -> HashMap<String, f64> {
        self.server.errors().into_iter().map(|(code, count)| (code, count as f64)).collect()
    }

    /// Whether every event loop comes round within `within_ms`; resolves then at the latest.
    #[napi(ts_return_type = "Promise<boolean>")]
    pub fn answers(&self, within_ms: u32) -> AsyncTask<Answers> {
        AsyncTask::new(Answers { server: Arc::clone(&self.server), within: Duration::from_millis(within_ms.into()) })
    }

    /// Accepts no more, answers what has been received and closes every connection; resolves when that is done or
    /// `drain_ms` have passed.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn stop(&self, drain_ms: u32) -> AsyncTask<Stop> {
        AsyncTask::new(Stop { server: Arc::clone(&self.server), drain: Duration::from_millis(drain_ms.into()) })
    }
}

/// Asks the event loops on a thread of the pool.
pub struct Answers {
    server: Arc<Server>,
    within: Duration,
}

impl Task for Answers {
    type Output = bool;
    type JsValue = bool;

    fn compute(&mut self) -> Result<bool> {
        Ok(self.server.answers(self.within))
    }

    fn resolve(&mut self, _env: Env, output: bool) -> Result<bool> {
        Ok(output)
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
