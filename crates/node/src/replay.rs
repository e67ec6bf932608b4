//! A replay of a trace on a thread of its own, as a class that is asked how far it is.

use std::sync::Arc;
use std::thread::JoinHandle;

use napi::bindgen_prelude::{Env, Result};
use napi_derive::napi;
use tandem_engine::PolicyKind;
use tandem_replay::{Bound, Error, Progress, Report, Settings, Where, replay};

use crate::failure::Failure;

/// What to replay against what; complete and validated by `src/replay/options.ts`.
#[napi(object, object_to_js = false)]
pub struct ReplaySettings {
    /// The trace file.
    pub path: String,
    /// Name of its format.
    pub format: String,
    /// `host:port` of a server; absent for an embedded cache, which needs one of the bounds.
    pub server: Option<String>,
    /// Bound on the number of entries.
    pub max_entries: Option<f64>,
    /// Bound on all memory in bytes.
    pub max_bytes: Option<f64>,
    /// Bound on the sum of object sizes.
    pub max_cost: Option<f64>,
    /// Exact LRU instead of the default policy.
    pub lru: bool,
    /// Number of shards.
    pub shards: Option<u32>,
    /// Seed of the payloads and the key hash.
    pub seed: f64,
    /// Size of objects whose size the trace does not say.
    pub payload_bytes: f64,
}

/// How far a replay is.
#[napi(object, object_from_js = false)]
pub struct NativeReplayProgress {
    /// Requests done.
    pub requests: f64,
    /// Hits among them.
    pub hits: f64,
    /// Bytes of the file that were read.
    pub bytes_read: f64,
    /// Length of the file.
    pub bytes_total: f64,
    /// Whether `result` answers without waiting.
    pub finished: bool,
}

/// Figures of a replay.
#[napi(object, object_from_js = false)]
pub struct NativeReplayReport {
    /// Requests of the trace.
    pub requests: f64,
    /// Reads among them.
    pub gets: f64,
    /// Reads that found the object.
    pub hits: f64,
    /// Hits among reads, 0 to 1.
    pub hit_ratio: f64,
    /// Bytes hit among bytes asked for, 0 to 1.
    pub byte_hit_ratio: f64,
    /// Objects that were not stored because they do not fit into the whole cache.
    pub refused: f64,
    /// Entries at the end.
    pub entries: Option<f64>,
    /// Entries evicted; of a server, since it started.
    pub evictions: Option<f64>,
    /// Seconds the replay took, reading the trace included.
    pub seconds: f64,
    /// Requests a second.
    pub requests_per_second: f64,
    /// What the cache occupies at the end, by its own account.
    pub cache_bytes: Option<f64>,
    /// Resident memory at the end of the process that holds the cache.
    pub rss_bytes: Option<f64>,
    /// The cache's bytes over its entries.
    pub bytes_per_entry: Option<f64>,
}

impl From<Report> for NativeReplayReport {
    fn from(report: Report) -> Self {
        let count = |figure: Option<u64>| figure.map(|figure| figure as f64);
        Self {
            requests: report.requests as f64,
            gets: report.gets as f64,
            hits: report.hits as f64,
            hit_ratio: report.hit_ratio(),
            byte_hit_ratio: report.byte_hit_ratio(),
            refused: report.refused as f64,
            entries: count(report.entries),
            evictions: count(report.evictions),
            seconds: report.seconds,
            requests_per_second: report.requests_per_second(),
            cache_bytes: count(report.cache_bytes),
            rss_bytes: count(report.rss_bytes),
            bytes_per_entry: report.bytes_per_entry(),
        }
    }
}

/// A replay that runs. Dropping it ends the replay.
#[napi]
pub struct NativeReplay {
    progress: Arc<Progress>,
    thread: Option<JoinHandle<tandem_replay::Result<Report>>>,
}

#[napi]
impl NativeReplay {
    /// Starts a replay.
    #[napi(factory, catch_unwind)]
    pub fn start(env: Env, settings: ReplaySettings) -> Result<Self> {
        let refuse = |code, message| Failure::Coded { code, message }.raise(env);
        let settings = settings.checked().map_err(|message| refuse("BadOption", message))?;
        let progress = Arc::new(Progress::default());
        let watched = Arc::clone(&progress);
        let thread = std::thread::Builder::new()
            .name("tandem-replay".into())
            .spawn(move || replay(&settings, &watched))
            .map_err(|error| refuse("OutOfMemory", format!("no thread for the replay: {error}")))?;
        Ok(Self { progress, thread: Some(thread) })
    }

    /// How far the replay is.
    #[napi]
    pub fn progress(&self) -> NativeReplayProgress {
        NativeReplayProgress {
            requests: self.progress.requests() as f64,
            hits: self.progress.hits() as f64,
            bytes_read: self.progress.bytes_read() as f64,
            bytes_total: self.progress.bytes_total() as f64,
            finished: self.thread.as_ref().is_none_or(JoinHandle::is_finished),
        }
    }

    /// The figures of the replay, or its failure. Waits for its end; answers once.
    #[napi(catch_unwind)]
    pub fn result(&mut self, env: Env) -> Result<NativeReplayReport> {
        let refuse = |code, message| Failure::Coded { code, message }.raise(env);
        let thread = self.thread.take().ok_or_else(|| refuse("Closed", "the replay has ended".into()))?;
        let outcome = thread.join().map_err(|_| refuse("Internal", "the replay's thread panicked".into()))?;
        outcome.map(NativeReplayReport::from).map_err(|error| match error {
            Error::Cache(error) => Failure::Engine(error).raise(env),
            other => refuse(code_of(&other), other.to_string()),
        })
    }

    /// Asks the replay to end soon; `result` then reports that it was cancelled.
    #[napi]
    pub fn cancel(&self) {
        self.progress.cancel();
    }
}

impl Drop for NativeReplay {
    fn drop(&mut self) {
        self.progress.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The code of a failure, one of `ErrorCode` in `src/errors.ts`.
fn code_of(error: &Error) -> &'static str {
    match error {
        Error::Server { .. } => "CannotConnect",
        Error::Cancelled => "Cancelled",
        _ => "BadTrace",
    }
}

impl ReplaySettings {
    fn checked(self) -> std::result::Result<Settings, String> {
        let policy = if self.lru { PolicyKind::Lru } else { PolicyKind::Default };
        let embedded = |bound| Where::Embedded { bound, policy, shards: self.shards.map(|shards| shards as usize) };
        let target = match (self.server, self.max_entries, self.max_bytes, self.max_cost) {
            (Some(address), None, None, None) => Where::Server(address),
            (None, Some(entries), None, None) => embedded(Bound::Entries(entries as u64)),
            (None, None, Some(bytes), None) => embedded(Bound::Bytes(bytes as u64)),
            (None, None, None, Some(cost)) => embedded(Bound::Cost(cost as u64)),
            _ => return Err("a replay needs exactly one of server, maxEntries, maxBytes and maxCost".into()),
        };
        Ok(Settings {
            path: self.path.into(),
            format: self.format.parse()?,
            target,
            seed: self.seed as u64,
            payload_bytes: (self.payload_bytes as u64).min(tandem_replay::MAX_OBJECT_BYTES),
        })
    }
}
