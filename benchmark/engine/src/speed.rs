//! G1 and G2: time of an operation on one thread, beside quick_cache.

use std::hint::black_box;
use std::time::Instant;

use tandem_engine::PolicyKind;

use crate::report::{Goal, Ratio, Report, Row, Side};
use crate::sides::{Contender, QuickCache, QuickCacheFixed, Tandem, fill};
use crate::workload::{Random, Request, VALUE_BYTES, requests};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Rounds; every side is measured once a round.
    pub rounds: usize,
    /// Entries in the cache.
    pub entries: usize,
    /// Requests a side and round.
    pub requests: usize,
}

/// Room for `entries` entries without an eviction in any shard.
pub fn roomy_bytes(entries: usize) -> u64 {
    (entries as u64 * 256).max(4 << 20)
}

/// Room for `entries` entries without an eviction in any shard of quick_cache, whose shards split it evenly.
pub fn roomy_items(entries: usize) -> usize {
    entries + entries / 4 + 1024
}

/// G1 (`writes_percent` 0) or G2 (25).
pub fn run(suite: &str, writes_percent: u64, goal: f64, size: Size) -> Report {
    let mut value = [0; VALUE_BYTES];
    Random::new(1).fill(&mut value);
    let stream = requests(size.entries, size.requests, writes_percent, 2);

    let tandem = Tandem::new(PolicyKind::Default, roomy_bytes(size.entries));
    let lru = Tandem::new(PolicyKind::Lru, roomy_bytes(size.entries));
    let peer = QuickCache::new(roomy_items(size.entries));
    let again = QuickCache::new(roomy_items(size.entries));
    let fixed = QuickCacheFixed::new(roomy_items(size.entries));
    fill(&tandem, size.entries, &value);
    fill(&lru, size.entries, &value);
    fill(&peer, size.entries, &value);
    fill(&again, size.entries, &value);
    fill(&fixed, size.entries, &value);

    let mut sides: [(&mut dyn FnMut() -> f64, Vec<f64>); 5] = [
        (&mut || nanoseconds(&tandem, &stream, &value), Vec::new()),
        (&mut || nanoseconds(&peer, &stream, &value), Vec::new()),
        (&mut || nanoseconds(&again, &stream, &value), Vec::new()),
        (&mut || nanoseconds(&fixed, &stream, &value), Vec::new()),
        (&mut || nanoseconds(&lru, &stream, &value), Vec::new()),
    ];
    for (measure, _) in &mut sides {
        measure();
    }
    for round in 0..size.rounds {
        // Nobody always comes first, nor always after the same neighbour.
        for turn in 0..sides.len() {
            let at = if round % 2 == 0 { (turn + round) % 5 } else { (round + 5 - turn % 5) % 5 };
            let (measure, figures) = &mut sides[at];
            figures.push(measure());
        }
    }
    let [tandem, peer, again, fixed, lru] = sides.map(|(_, figures)| figures);

    let what = if writes_percent == 0 { "get hit" } else { "75/25 get/set" };
    let noise = Ratio::new(&peer, &again);
    let beside = |ours: Vec<f64>, name: &str, theirs: &Vec<f64>, label: &str| {
        let ratio = Ratio::new(theirs, &ours);
        Row::new(label, "ns/op", ours).beside(Side::new(name, theirs.clone()), Some(ratio), Some(noise.clone()))
    };
    Report {
        suite: suite.into(),
        title: format!(
            "{what}, Zipf 0.99, {} entries of {VALUE_BYTES} B, 1 thread (ratio: speed of Tandem / speed of the peer)",
            size.entries
        ),
        rows: vec![
            beside(tandem.clone(), "quick_cache", &peer, what).judged(Goal::ratio_at_least(goal)),
            beside(tandem, "quick_cache, fixed-size types", &fixed, &format!("{what}, peer knows all lengths")),
            beside(lru, "quick_cache", &peer, &format!("{what}, exact lru")),
        ],
    }
}

/// Nanoseconds a request, over all of `stream`.
fn nanoseconds(contender: &impl Contender, stream: &[Request], value: &[u8; VALUE_BYTES]) -> f64 {
    let start = Instant::now();
    run_requests(contender, stream, value);
    start.elapsed().as_nanos() as f64 / stream.len() as f64
}

/// Runs `stream` once.
///
/// # Panics
/// If a read misses: the figures would be of something else.
pub fn run_requests(contender: &impl Contender, stream: &[Request], value: &[u8; VALUE_BYTES]) {
    let mut target = [0; VALUE_BYTES];
    let mut misses = 0;
    for request in stream {
        if request.write {
            contender.set(&request.key, value);
        } else {
            misses += usize::from(!contender.get(&request.key, &mut target));
            black_box(&target);
        }
    }
    assert_eq!(misses, 0, "every key was stored and nothing may have been evicted");
}
