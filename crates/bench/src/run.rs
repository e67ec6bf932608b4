//! A run: fills the servers, then their rounds in turn.

use crate::Result;
use crate::figures::{Latency, Report, RoundFigures, ServerReport, histogram};
use crate::plan::{Length, Plan};
use crate::progress::Progress;
use crate::round::{Load, Pool, Record};
use crate::workload::{Workload, payload};

/// Requests of one connection under way while the keys are written.
const FILL_PIPELINE: usize = 50;

/// Runs `plan` on this thread.
///
/// # Errors
/// [`crate::Error`]. An error that a server gives as an answer is no failure; it is counted.
pub fn run(plan: &Plan, progress: &Progress) -> Result<Report> {
    plan.check()?;
    let payload = payload(plan);
    let mut pools = Vec::with_capacity(plan.servers.len());
    for target in &plan.servers {
        pools.push(Pool::connect(target, plan.connections)?);
    }
    let mut errors = vec![None; pools.len()];
    let mut latencies = vec![histogram(); pools.len()];
    let mut rounds: Vec<Vec<RoundFigures>> = vec![Vec::new(); pools.len()];

    if plan.fill {
        let fill = Load { pipeline: FILL_PIPELINE, rate: None, connects: None, length: Length::Requests(plan.keys) };
        for (pool, first_error) in pools.iter_mut().zip(&mut errors) {
            let mut workload = Workload::new(plan, &payload, 0);
            let record = Record { latencies: &mut histogram(), first_error, progress };
            let mut number = 0;
            pool.run(&fill, record, |out| {
                workload.set(number, out);
                number += 1;
            })?;
        }
    }
    let load = Load { pipeline: plan.pipeline, rate: plan.rate, connects: plan.connects, length: plan.length };
    for number in 0..=plan.rounds {
        for (server, pool) in pools.iter_mut().enumerate() {
            // All servers get the same requests in the same round.
            let mut workload = Workload::new(plan, &payload, number as u64 + 1);
            let mut unused = histogram();
            let counts = number > 0;
            let record = Record {
                latencies: if counts { &mut latencies[server] } else { &mut unused },
                first_error: &mut errors[server],
                progress,
            };
            let figures = pool.run(&load, record, |out| workload.next(out))?;
            if counts {
                rounds[server].push(figures);
            }
            progress.end_round();
        }
    }
    let servers = pools.into_iter().zip(rounds).zip(latencies).zip(errors);
    let report = servers.map(|(((pool, rounds), latencies), first_error)| ServerReport {
        name: pool.name,
        rounds,
        latency: Latency::of(&latencies),
        first_error,
    });
    Ok(Report { servers: report.collect() })
}
