//! Runs the simulator: `simulate [--seeds COUNT] [--from SEED] [--seed SEED [--trace]]`.

#[path = "../simulation/mod.rs"]
mod simulation;

use std::process::ExitCode;

use tandem_cluster::Rules;

/// Failures after which a run ends.
const MOST: usize = 10;

fn main() -> ExitCode {
    let (mut seeds, mut from, mut seed, mut is_traced) = (1_000, 0, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<u64>().ok());
        let known = match argument.as_str() {
            "--seeds" => number().map(|value| seeds = value),
            "--from" => number().map(|value| from = value),
            "--seed" => number().map(|value| seed = Some(value)),
            "--trace" => {
                is_traced = true;
                Some(())
            }
            _ => None,
        };
        if known.is_none() {
            eprintln!("{argument}: usage: simulate [--seeds COUNT] [--from SEED] [--seed SEED [--trace]]");
            return ExitCode::from(2);
        }
    }
    let rules = Rules::default();
    if let Some(seed) = seed {
        let (_, violation) = simulation::run_one(seed, &rules, is_traced);
        println!("seed {seed}: {}", violation.as_deref().unwrap_or("well"));
        return if violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let report = simulation::run(from, seeds, &rules, threads, MOST);
    println!("{:#?}", report.coverage);
    for (seed, violation) in &report.failures {
        println!("seed {seed}: {violation}");
    }
    let missing = report.coverage.missing();
    println!("never seen: {missing:?}");
    println!("{} seeds, {} failed", report.seeds, report.failures.len());
    if report.failures.is_empty() && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
