//! Measures the engine beside other caches: `cargo run --release --manifest-path benchmark/engine/Cargo.toml -- g1`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tandem_engine::PolicyKind;

use tandem_engine_bench::speed::{self, Size};
use tandem_engine_bench::{hit_ratio, overhead, overhead_by_size, pause, scaling, utilisation};

/// Measures the engine beside other caches; one subcommand a suite.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    suite: Suite,
    /// Print one line of JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Args)]
struct Speed {
    /// Rounds; a ratio is the median of them.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Entries in the cache.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..=100_000_000))]
    entries: u32,
    /// Requests a side and round.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u32).range(1000..=100_000_000))]
    requests: u32,
}

#[derive(Args)]
struct Memory {
    /// Rounds, each in a fresh process.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Entries in the cache.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..=100_000_000))]
    entries: u32,
    /// Bounds in bytes of the caches that are filled with entries of several sizes.
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = [64 << 20, 1 << 30],
        value_parser = clap::value_parser!(u64).range(1 << 20..=64 << 30)
    )]
    cache_bytes: Vec<u64>,
}

#[derive(Args)]
struct Utilisation {
    /// Rounds, each in a fresh process.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Bound of the cache in bytes.
    #[arg(long, default_value_t = 256 << 20, value_parser = clap::value_parser!(u64).range(1 << 20..=64 << 30))]
    max_bytes: u64,
}

#[derive(Args)]
struct Pauses {
    /// Rounds, each in a fresh process.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Entries at most.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u32).range(1000..=100_000_000))]
    entries: u32,
}

#[derive(Args)]
struct Traces {
    /// Folder of the traces.
    #[arg(long, env = "TANDEM_TRACES")]
    traces: PathBuf,
    /// Only traces whose name begins so.
    #[arg(long, default_value = "")]
    only: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    Default,
    Lru,
}

impl From<Policy> for PolicyKind {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Default => Self::Default,
            Policy::Lru => Self::Lru,
        }
    }
}

#[derive(Subcommand)]
enum Suite {
    /// Time of a get that hits.
    G1(Speed),
    /// Time of three gets to one set.
    G2(Speed),
    /// Two threads over one.
    G3(Speed),
    /// Hit ratios on the reference traces.
    H(Traces),
    /// Overhead of an entry.
    M1(Memory),
    /// Longest single operation.
    M3(Pauses),
    /// Live bytes over resident bytes.
    M4(Utilisation),
    /// A process of M1.
    #[command(hide = true)]
    OverheadOf {
        filled: overhead::Filled,
        #[arg(long)]
        entries: usize,
    },
    /// A process of M1, of the rows by size.
    #[command(hide = true)]
    OverheadBySizeOf {
        #[arg(long)]
        value_bytes: usize,
        #[arg(long)]
        max_bytes: u64,
    },
    /// A process of M3.
    #[command(hide = true)]
    PausesOf {
        policy: Policy,
        #[arg(long)]
        entries: usize,
    },
    /// A process of M4.
    #[command(hide = true)]
    UtilisationOf {
        policy: Policy,
        #[arg(long)]
        entry_bytes: usize,
        #[arg(long)]
        max_bytes: u64,
    },
}

impl From<Speed> for Size {
    fn from(speed: Speed) -> Self {
        Self { rounds: speed.rounds as usize, entries: speed.entries as usize, requests: speed.requests as usize }
    }
}

fn main() -> ExitCode {
    let Arguments { suite, json } = Arguments::parse();
    let report = match suite {
        Suite::G1(speed) => speed::run("G1", 0, 0.9, speed.into()),
        Suite::G2(speed) => speed::run("G2", 25, 0.8, speed.into()),
        Suite::G3(speed) => scaling::run(speed.into()),
        Suite::H(Traces { traces, only }) => match hit_ratio::run(&traces, &only) {
            Ok(report) => report,
            Err(message) => {
                eprintln!("{message}");
                return ExitCode::FAILURE;
            }
        },
        Suite::M1(Memory { rounds, entries, cache_bytes }) => {
            let mut report = overhead::run(rounds as usize, entries as usize);
            report.rows.extend(overhead_by_size::rows(rounds as usize, &cache_bytes));
            report
        }
        Suite::M3(pauses) => pause::run(pauses.rounds as usize, pauses.entries as usize),
        Suite::M4(utilisation) => utilisation::run(utilisation.rounds as usize, utilisation.max_bytes),
        Suite::OverheadOf { filled, entries } => return print_figures(&[overhead::measure(filled, entries)]),
        Suite::OverheadBySizeOf { value_bytes, max_bytes } => {
            return print_figures(&[overhead_by_size::measure(value_bytes, max_bytes)]);
        }
        Suite::PausesOf { policy, entries } => return print_figures(&pause::measure(policy.into(), entries)),
        Suite::UtilisationOf { policy, entry_bytes, max_bytes } => {
            return print_figures(&utilisation::measure(policy.into(), entry_bytes, max_bytes));
        }
    };
    report.print(json);
    ExitCode::SUCCESS
}

/// The only output of a child process: numbers on one line.
fn print_figures(figures: &[f64]) -> ExitCode {
    let words: Vec<String> = figures.iter().map(f64::to_string).collect();
    println!("{}", words.join(" "));
    ExitCode::SUCCESS
}
