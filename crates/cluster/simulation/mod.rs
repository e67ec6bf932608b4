//! The simulator: two workers with everything that can happen to them, from one seed. See `docs/decisions/0020`.
//!
//! ```text
//!  clients ──> process 0 (Node, Copy) <── network ──> process 1 (Node, Copy)      World: one queue of events
//!                 control: faults begin and end ── checks: what has to hold ── coverage: what was seen
//! ```

mod asking;
mod checks;
mod clients;
mod control;
mod copy;
mod coverage;
mod faults;
#[cfg(test)]
mod hand_over;
mod history;
mod lives;
mod network;
mod process;
mod random;
mod room;
mod wires;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use tandem_cluster::Rules;

pub use coverage::Coverage;
use world::World;

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Report {
    pub seeds: u64,
    pub coverage: Coverage,
    /// Seeds in which something was wrong, and what, in the order of the seeds.
    pub failures: Vec<(u64, String)>,
}

/// Runs one seed.
pub fn run_one(seed: u64, rules: &Rules, is_traced: bool) -> (Coverage, Option<String>) {
    let mut world = World::new(seed, rules, is_traced);
    world.run();
    (world.coverage, world.violation)
}

/// Runs seeds `from .. from + count` on `threads` threads, until `most` of them have failed.
pub fn run(from: u64, count: u64, rules: &Rules, threads: usize, most: usize) -> Report {
    let next = AtomicU64::new(from);
    let failed = AtomicU64::new(0);
    let work = || {
        let mut report = Report::default();
        while failed.load(Ordering::Relaxed) < most as u64 {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + count {
                break;
            }
            let (coverage, violation) = run_one(seed, rules, false);
            report.seeds += 1;
            report.coverage.add(&coverage);
            if let Some(violation) = violation {
                failed.fetch_add(1, Ordering::Relaxed);
                report.failures.push((seed, violation));
            }
        }
        report
    };
    let mut whole = Report::default();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in running {
            let report = thread.join().expect("a seed does not panic");
            whole.seeds += report.seeds;
            whole.coverage.add(&report.coverage);
            whole.failures.extend(report.failures);
        }
    });
    whole.failures.sort();
    whole
}
