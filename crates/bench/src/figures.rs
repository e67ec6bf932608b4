//! What a run has measured.

use hdrhistogram::Histogram;

/// Longest latency told apart: a minute, in nanoseconds.
const MAX_LATENCY_NS: u64 = 60_000_000_000;
/// Latencies are told apart to a thousandth of their size.
const DIGITS: u8 = 3;

/// An empty histogram of latencies in nanoseconds.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_LATENCY_NS, DIGITS).expect("the bounds are constants that fit")
}

/// One round of one server.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoundFigures {
    /// Requests answered.
    pub requests: u64,
    /// Errors among the answers.
    pub errors: u64,
    /// Answers that say there is no such key.
    pub misses: u64,
    /// Seconds from the first request to the last answer.
    pub seconds: f64,
    /// Connections that came and went beside the load.
    pub connects: u64,
    /// Those among them that were refused, cut, or not answered within a second.
    pub unanswered_connects: u64,
    /// CPU time of the server's process in nanoseconds; `None` without a process to look at.
    pub cpu_ns: Option<u64>,
    /// CPU time of the load's thread in nanoseconds: near the length of the round, the client was the bottleneck.
    pub client_cpu_ns: Option<u64>,
}

impl RoundFigures {
    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// CPU time of the server for one request in nanoseconds.
    pub fn cpu_ns_per_request(&self) -> Option<f64> {
        Some(self.cpu_ns? as f64 / self.requests as f64)
    }
}

/// Latencies of all rounds of a server, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "percentiles: the names say it")]
pub struct Latency {
    pub mean: f64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub p9999: u64,
    pub max: u64,
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self {
            mean: histogram.mean(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: histogram.max(),
        }
    }
}

/// All rounds of one server.
#[derive(Debug, Clone)]
pub struct ServerReport {
    /// Its name in the plan.
    pub name: String,
    /// The rounds that count, in order.
    pub rounds: Vec<RoundFigures>,
    /// Latencies of these rounds.
    pub latency: Latency,
    /// The first error that came as an answer.
    pub first_error: Option<String>,
}

impl ServerReport {
    /// Requests a second, the median round.
    pub fn rate(&self) -> f64 {
        median(self.rounds.iter().map(RoundFigures::rate).collect()).unwrap_or_default()
    }

    /// Connections a second that came and went, the median round.
    pub fn connect_rate(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.connects as f64 / round.seconds).collect()).unwrap_or_default()
    }

    /// CPU time of the server for one request in nanoseconds, the median round.
    pub fn cpu_ns_per_request(&self) -> Option<f64> {
        median(self.rounds.iter().filter_map(RoundFigures::cpu_ns_per_request).collect())
    }

    /// Part of the time that the client was on a CPU, 0 to 1, the median round.
    pub fn client_load(&self) -> Option<f64> {
        let load = |round: &RoundFigures| Some(round.client_cpu_ns? as f64 / 1e9 / round.seconds);
        median(self.rounds.iter().filter_map(load).collect())
    }

    /// Sums a figure over the rounds.
    pub fn sum(&self, figure: impl Fn(&RoundFigures) -> u64) -> u64 {
        self.rounds.iter().map(figure).sum()
    }
}

/// What a run has measured: one report for each server, in the order of the plan.
#[derive(Debug, Clone)]
pub struct Report {
    /// The servers.
    pub servers: Vec<ServerReport>,
}

/// The middle of the figures, or the mean of the two in the middle; `None` without any.
fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(figures[middle]),
        _ => Some((figures[middle - 1] + figures[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn percentiles_are_read_off_the_histogram() {
        let mut all = histogram();
        (1..=10_000u64).for_each(|number| all.saturating_record(number * 1_000));
        all.saturating_record(u64::MAX);
        let latency = Latency::of(&all);
        let near = |value: u64, expected: f64| (value as f64 / expected - 1.0).abs() < 0.002;
        assert!(near(latency.p50, 5e6) && near(latency.p99, 9.9e6) && near(latency.p999, 9.99e6), "{latency:?}");
        assert!(latency.max >= MAX_LATENCY_NS, "what is longer counts as the longest");
    }
}
