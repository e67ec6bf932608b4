//! A load on servers, on a thread of its own, as a class that is asked how far it is.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use napi::bindgen_prelude::{Env, Result, Uint8Array};
use napi_derive::napi;
use tandem_bench::{Error, Length, Plan, Progress, Report, RoundFigures, ServerReport, Target, Weight, run};

use crate::failure::Failure;

/// A server to measure.
#[napi(object, object_to_js = false)]
pub struct BenchServer {
    /// How the report calls it.
    pub name: String,
    /// `host:port`.
    pub address: String,
    /// The process whose CPU time is measured; absent for the one that the server names.
    pub pid: Option<u32>,
}

/// A command and its share of the requests.
#[napi(object, object_to_js = false)]
pub struct BenchShare {
    /// Name of the command.
    pub command: String,
    /// Its share, in proportion to the sum of all.
    pub share: f64,
}

/// What to run; types checked by `src/bench/options.ts`, ranges by the crate.
#[napi(object, object_to_js = false)]
pub struct BenchSettings {
    /// The servers.
    pub servers: Vec<BenchServer>,
    /// What to say to one that wants a password.
    pub password: Option<Uint8Array>,
    /// Connections to each.
    pub connections: u32,
    /// Requests of one connection under way.
    pub pipeline: u32,
    /// Number of keys.
    pub keys: f64,
    /// Exponent of Zipf's law; absent for keys that are all equally likely.
    pub zipf: Option<f64>,
    /// Least size of a value in bytes.
    pub least_value_bytes: u32,
    /// Greatest size of a value in bytes.
    pub greatest_value_bytes: u32,
    /// The commands.
    pub mix: Vec<BenchShare>,
    /// Requests a second; absent for a closed loop.
    pub rate: Option<f64>,
    /// Connections a second that come and go beside the load; absent for none.
    pub connects: Option<f64>,
    /// Requests of a round; absent for a round of `duration_ms`.
    pub requests: Option<f64>,
    /// Length of a round in ms.
    pub duration_ms: f64,
    /// Rounds that count.
    pub rounds: u32,
    /// Whether every key is written first.
    pub fill: bool,
    /// Seed of commands, keys and sizes.
    pub seed: f64,
}

/// How far a load is.
#[napi(object, object_from_js = false)]
pub struct NativeBenchProgress {
    /// Requests answered.
    pub requests: f64,
    /// Rounds that have ended, those that do not count included.
    pub rounds: f64,
    /// Whether `result` answers without waiting.
    pub finished: bool,
}

/// Figures of one server.
#[napi(object, object_from_js = false)]
pub struct NativeBenchReport {
    /// Its name.
    pub name: String,
    /// Requests answered in the rounds that count.
    pub requests: f64,
    /// Errors among the answers.
    pub errors: f64,
    /// The first of them, the filling included.
    pub first_error: Option<String>,
    /// Answers that say there is no such key.
    pub misses: f64,
    /// Connections a second that came and went, of the median round.
    pub connects: f64,
    /// Those among them that had no answer.
    pub unanswered_connects: f64,
    /// Requests a second of the median round.
    pub rate: f64,
    /// Requests a second of each round.
    pub rates: Vec<f64>,
    /// CPU time of the server for one request in ns, of the median round.
    pub cpu_ns: Option<f64>,
    /// CPU time of the server for one request in ns, of each round.
    pub cpus_ns: Vec<f64>,
    /// Part of the time that the client was on a CPU, of the median round.
    pub client_load: Option<f64>,
    /// Latencies of all rounds in ns.
    pub latency: NativeBenchLatency,
}

/// Latencies in nanoseconds.
#[napi(object, object_from_js = false)]
#[allow(missing_docs, reason = "percentiles: the names say it")]
pub struct NativeBenchLatency {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    #[napi(js_name = "p999")]
    pub p999: f64,
    #[napi(js_name = "p9999")]
    pub p9999: f64,
    pub max: f64,
}

impl From<ServerReport> for NativeBenchReport {
    fn from(report: ServerReport) -> Self {
        let sum = |figure: fn(&RoundFigures) -> u64| report.sum(figure) as f64;
        let latency = report.latency;
        Self {
            requests: sum(|round| round.requests),
            errors: sum(|round| round.errors),
            misses: sum(|round| round.misses),
            connects: report.connect_rate(),
            unanswered_connects: sum(|round| round.unanswered_connects),
            rate: report.rate(),
            rates: report.rounds.iter().map(RoundFigures::rate).collect(),
            cpu_ns: report.cpu_ns_per_request(),
            cpus_ns: report.rounds.iter().filter_map(RoundFigures::cpu_ns_per_request).collect(),
            client_load: report.client_load(),
            latency: NativeBenchLatency {
                mean: latency.mean,
                p50: latency.p50 as f64,
                p90: latency.p90 as f64,
                p99: latency.p99 as f64,
                p999: latency.p999 as f64,
                p9999: latency.p9999 as f64,
                max: latency.max as f64,
            },
            name: report.name,
            first_error: report.first_error,
        }
    }
}

/// A load that runs. Dropping it ends the load.
#[napi]
pub struct NativeBench {
    progress: Arc<Progress>,
    thread: Option<JoinHandle<tandem_bench::Result<Report>>>,
}

#[napi]
impl NativeBench {
    /// Starts a load.
    #[napi(factory, catch_unwind)]
    pub fn start(env: Env, settings: BenchSettings) -> Result<Self> {
        let refuse = |code, message| Failure::Coded { code, message }.raise(env);
        let plan = settings.plan().map_err(|message| refuse("BadOption", message))?;
        plan.check().map_err(|error| refuse("BadOption", error.to_string()))?;
        let progress = Arc::new(Progress::default());
        let watched = Arc::clone(&progress);
        let thread = std::thread::Builder::new()
            .name("tandem-bench".into())
            .spawn(move || run(&plan, &watched))
            .map_err(|error| refuse("OutOfMemory", format!("no thread for the load: {error}")))?;
        Ok(Self { progress, thread: Some(thread) })
    }

    /// How far the load is.
    #[napi]
    pub fn progress(&self) -> NativeBenchProgress {
        NativeBenchProgress {
            requests: self.progress.requests() as f64,
            rounds: self.progress.rounds() as f64,
            finished: self.thread.as_ref().is_none_or(JoinHandle::is_finished),
        }
    }

    /// The figures of the servers, or what went wrong. Waits for the end; answers once.
    #[napi(catch_unwind)]
    pub fn result(&mut self, env: Env) -> Result<Vec<NativeBenchReport>> {
        let refuse = |code, message| Failure::Coded { code, message }.raise(env);
        let thread = self.thread.take().ok_or_else(|| refuse("Closed", "the load has ended".into()))?;
        let outcome = thread.join().map_err(|_| refuse("Internal", "the load's thread panicked".into()))?;
        let report = outcome.map_err(|error| {
            let code = match error {
                Error::BadPlan { .. } => "BadOption",
                Error::Server { .. } => "CannotConnect",
                Error::Cancelled => "Cancelled",
            };
            refuse(code, error.to_string())
        })?;
        Ok(report.servers.into_iter().map(NativeBenchReport::from).collect())
    }

    /// Asks the load to end soon; `result` then reports that it was cancelled.
    #[napi]
    pub fn cancel(&self) {
        self.progress.cancel();
    }
}

impl Drop for NativeBench {
    fn drop(&mut self) {
        self.progress.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl BenchSettings {
    fn plan(self) -> std::result::Result<Plan, String> {
        let password = self.password.as_ref().map(|bytes| bytes.to_vec());
        let target = |one: BenchServer| Target {
            name: one.name,
            address: one.address,
            pid: one.pid,
            password: password.clone(),
        };
        let weight = |one: BenchShare| -> std::result::Result<Weight, String> {
            let operation = one.command.parse().map_err(|reason| format!("option mix: {reason}"))?;
            Ok(Weight { operation, share: one.share })
        };
        Ok(Plan {
            servers: self.servers.into_iter().map(target).collect(),
            connections: self.connections as usize,
            pipeline: self.pipeline as usize,
            keys: self.keys as u64,
            zipf: self.zipf,
            value_bytes: (self.least_value_bytes as usize, self.greatest_value_bytes as usize),
            mix: self.mix.into_iter().map(weight).collect::<std::result::Result<_, _>>()?,
            rate: self.rate,
            connects: self.connects,
            length: match self.requests {
                Some(requests) => Length::Requests(requests as u64),
                None => Length::Time(Duration::try_from_secs_f64(self.duration_ms / 1000.0).unwrap_or(Duration::ZERO)),
            },
            rounds: self.rounds as usize,
            fill: self.fill,
            seed: self.seed as u64,
        })
    }
}
