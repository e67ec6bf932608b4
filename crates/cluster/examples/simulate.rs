//! Runs the simulator: `simulate [--seeds COUNT] [--from SEED] [--most FAILURES] [--threads COUNT] [--seed SEED [--trace]]`.

#[path = "../simulation/mod.rs"]
mod simulation;

use std::process::ExitCode;

use tandem_cluster::Rules;

const USAGE: &str =
    "simulate [--seeds COUNT] [--from SEED] [--most FAILURES] [--threads COUNT] [--seed SEED [--trace]]";

fn main() -> ExitCode {
    let (mut seeds, mut from, mut seed, mut is_traced) = (1_000, 0, None, false);
    // Failures after which a run ends, and threads.
    let mut most = 10;
    let mut threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<u64>().ok());
        let known = match argument.as_str() {
            "--seeds" => number().map(|value| seeds = value),
            "--from" => number().map(|value| from = value),
            "--most" => number().map(|value| most = value as usize),
            "--threads" => number().map(|value| threads = value as usize),
            "--seed" => number().map(|value| seed = Some(value)),
            "--trace" => {
                is_traced = true;
                Some(())
            }
            _ => None,
        };
        if known.is_none() {
            eprintln!("{argument}: usage: {USAGE}");
            return ExitCode::from(2);
        }
    }
    let rules = Rules::default();
    if let Some(seed) = seed {
        let (_, violation) = simulation::run_one(seed, &rules, is_traced);
        println!("seed {seed}: {}", violation.as_deref().unwrap_or("well"));
        return if violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let report = simulation::run(from, seeds, &rules, threads, most);
    println!("{:#?}", report.coverage);
    for (seed, violation) in &report.failures {
        println!("seed {seed}: {violation}");
    }
    let missing = report.coverage.missing();
    println!("never seen: {missing:?}");
    println!("{} seeds, {} failed", report.seeds, report.failures.len());
    if report.failures.is_empty() && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
