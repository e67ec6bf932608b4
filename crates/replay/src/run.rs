//! The replay itself, and its figures.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tandem_engine::PolicyKind;

use crate::payload::Payloads;
use crate::target::{Embedded, Server, Stored, Target};
use crate::{Error, Format, Operation, Progress, Request, Requests, Result};

/// Requests between two looks at whether to stop, and two updates of the progress.
const REQUESTS_A_LOOK: u64 = 1024;

/// What bounds an embedded cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Number of entries, at least 1.
    Entries(u64),
    /// Bytes of memory, at least [`tandem_engine::MIN_CACHE_BYTES`].
    Bytes(u64),
    /// Sum of object sizes, at least 1; what simulators call the cache size.
    Cost(u64),
}

/// What the trace is replayed against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// A new cache in this process, without compression.
    Embedded {
        /// Its bound.
        bound: Bound,
        /// Its order of eviction.
        policy: PolicyKind,
        /// Number of shards; `None`: the engine's default.
        shards: Option<usize>,
    },
    /// A server that speaks RESP, as `host:port`, with what it holds already.
    Server(String),
}

/// Settings of a replay.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The trace.
    pub path: PathBuf,
    /// Its format.
    pub format: Format,
    /// What it is replayed against.
    pub target: Where,
    /// Seed of the payloads and of the key hash.
    pub seed: u64,
    /// Size of objects whose size the trace does not say, at most [`crate::MAX_OBJECT_BYTES`].
    pub payload_bytes: u64,
}

/// Figures of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Report {
    /// Requests of the trace.
    pub requests: u64,
    /// Reads among them.
    pub gets: u64,
    /// Reads that found the object.
    pub hits: u64,
    /// Bytes the reads asked for.
    pub bytes_requested: u64,
    /// Bytes of the reads that found the object.
    pub bytes_hit: u64,
    /// Objects that do not fit into the whole cache and were not stored.
    pub refused: u64,
    /// Entries at the end.
    pub entries: Option<u64>,
    /// Entries evicted; of a server, since it started.
    pub evictions: Option<u64>,
    /// What the cache occupies at the end, by its own account.
    pub cache_bytes: Option<u64>,
    /// Resident memory at the end of the process that holds the cache.
    pub rss_bytes: Option<u64>,
    /// Seconds from the first request to the last, reading the trace included.
    pub seconds: f64,
}

impl Report {
    /// Hits among reads, 0 to 1.
    pub fn hit_ratio(&self) -> f64 {
        ratio(self.hits, self.gets)
    }

    /// Bytes hit among bytes asked for, 0 to 1.
    pub fn byte_hit_ratio(&self) -> f64 {
        ratio(self.bytes_hit, self.bytes_requested)
    }

    /// Requests a second.
    pub fn requests_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.requests as f64 / self.seconds } else { 0.0 }
    }

    /// What an entry takes: the cache's bytes over its entries.
    pub fn bytes_per_entry(&self) -> Option<f64> {
        let (bytes, entries) = (self.cache_bytes?, self.entries.filter(|&entries| entries > 0)?);
        Some(bytes as f64 / entries as f64)
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Replays a trace to its end. A read that misses is followed by a write of the object.
///
/// # Errors
/// The trace cannot be opened, is broken or empty, the cache refuses its options, the server fails, or `progress` was
/// cancelled.
pub fn replay(settings: &Settings, progress: &Arc<Progress>) -> Result<Report> {
    let mut requests = Requests::open(&settings.path, settings.format, progress)?;
    match &settings.target {
        Where::Embedded { bound, policy, shards } => {
            run(&mut requests, &mut Embedded::new(*bound, *policy, *shards, settings.seed)?, settings, progress)
        }
        Where::Server(address) => run(&mut requests, &mut Server::connect(address)?, settings, progress),
    }
}

fn run(requests: &mut Requests, target: &mut impl Target, settings: &Settings, progress: &Progress) -> Result<Report> {
    let mut payloads = Payloads::new(settings.seed);
    let mut report = Report::default();
    let mut request = Request::default();
    let start = Instant::now();
    while requests.next(&mut request)? {
        if report.requests % REQUESTS_A_LOOK == 0 {
            progress.set_done(report.requests, report.hits);
            if progress.is_cancelled() {
                return Err(Error::Cancelled);
            }
        }
        report.requests += 1;
        let size = request.size.unwrap_or(settings.payload_bytes);
        let is_stored = match request.operation {
            Operation::Delete => {
                target.delete(&request.key)?;
                true
            }
            Operation::Set => false,
            Operation::Get => {
                report.gets += 1;
                report.bytes_requested += size;
                let is_hit = target.get(&request.key)?;
                if is_hit {
                    report.hits += 1;
                    report.bytes_hit += size;
                }
                is_hit
            }
        };
        if !is_stored && target.set(&request.key, payloads.of(&request.key, size as usize))? == Stored::Refused {
            report.refused += 1;
        }
    }
    if report.requests == 0 {
        return Err(Error::Empty { path: settings.path.clone() });
    }
    report.seconds = start.elapsed().as_secs_f64();
    progress.set_done(report.requests, report.hits);
    let figures = target.figures()?;
    (report.entries, report.evictions) = (figures.entries, figures.evictions);
    (report.cache_bytes, report.rss_bytes) = (figures.cache_bytes, figures.rss_bytes);
    Ok(report)
}
