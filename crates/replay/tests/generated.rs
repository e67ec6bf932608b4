//! Hit ratios on generated traces against naive simulators.

mod files;
mod simulators;

use std::sync::Arc;

use files::{TraceFile, gz};
use simulators::{lru, s3_fifo};
use tandem_engine::PolicyKind;
use tandem_replay::{Bound, Format, Progress, Report, Settings, Where, replay};

/// A seeded generator of numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Keys of a Zipf distribution with exponent 0.9 over `keys` keys.
fn zipf(random: &mut Random, keys: usize, count: usize) -> Vec<u64> {
    let mut sums: Vec<f64> = (1..=keys).map(|rank| (rank as f64).powf(-0.9)).collect();
    for index in 1..keys {
        sums[index] += sums[index - 1];
    }
    let total = sums[keys - 1];
    (0..count).map(|_| sums.partition_point(|&sum| sum < random.unit() * total) as u64).collect()
}

fn scan(from: u64, count: u64) -> Vec<u64> {
    (from..from + count).collect()
}

fn looped(from: u64, length: u64, rounds: u64) -> Vec<u64> {
    (0..length * rounds).map(|index| from + index % length).collect()
}

fn traces() -> Vec<(&'static str, Vec<u64>)> {
    let random = &mut Random(20);
    let popular = zipf(random, 20_000, 200_000);
    let mut scanned = popular.clone();
    for (number, at) in (0..10).zip((0..200_000).step_by(20_000)) {
        scanned.splice(at..at, scan(1_000_000 + number * 3_000, 3_000));
    }
    let mixed = [zipf(random, 3_000, 60_000), looped(2_000_000, 2_500, 20), zipf(random, 3_000, 60_000)].concat();
    vec![("zipf", popular), ("zipf with scans", scanned), ("zipf, a loop, zipf", mixed), ("loop", looped(0, 2_500, 30))]
}

const CAPACITIES: [usize; 2] = [300, 1_000];

fn run(trace: &[u64], capacity: usize, policy: PolicyKind) -> Report {
    let text: String = trace.iter().map(|key| format!("{key}\n")).collect();
    let file = TraceFile::new(&gz(text.as_bytes()));
    let settings = Settings {
        path: file.path().to_owned(),
        format: Format::Lirs,
        target: Where::Embedded { bound: Bound::Entries(capacity as u64), policy, shards: Some(1) },
        seed: 1,
        payload_bytes: 100,
    };
    let progress = Arc::new(Progress::default());
    let report = replay(&settings, &progress).unwrap();
    assert_eq!(report.requests, trace.len() as u64);
    assert_eq!((progress.requests(), progress.hits()), (report.requests, report.hits));
    assert_eq!(progress.bytes_read(), progress.bytes_total());
    assert!(report.entries.unwrap() <= capacity as u64);
    report
}

#[test]
fn lru_hits_exactly_what_an_exact_lru_hits() {
    for (name, trace) in traces() {
        for capacity in CAPACITIES {
            let report = run(&trace, capacity, PolicyKind::Lru);
            assert_eq!(report.hits, lru(&trace, capacity), "{name} @{capacity}");
            let misses = report.requests - report.hits;
            assert_eq!(report.evictions, Some(misses - report.entries.unwrap()), "{name} @{capacity}");
        }
    }
}

#[test]
fn the_default_policy_is_within_a_point_of_s3_fifo_or_better() {
    for (name, trace) in traces() {
        for capacity in CAPACITIES {
            let ratio = run(&trace, capacity, PolicyKind::Default).hit_ratio();
            let reference = s3_fifo(&trace, capacity) as f64 / trace.len() as f64;
            assert!(ratio >= reference - 0.01, "{name} @{capacity}: {ratio:.4}, S3-FIFO {reference:.4}");
        }
    }
}

/// What plain S3-FIFO cannot: of a loop longer than the cache, keep what fits.
#[test]
fn the_default_policy_keeps_its_part_of_a_loop() {
    for capacity in CAPACITIES {
        let (length, rounds) = (2_500, 30);
        let ratio = run(&looped(0, length, rounds), capacity, PolicyKind::Default).hit_ratio();
        let best = capacity as f64 / length as f64 * (rounds - 1) as f64 / rounds as f64;
        assert!(ratio >= 0.95 * best, "@{capacity}: {ratio:.4} of {best:.4}");
        assert_eq!(s3_fifo(&looped(0, length, rounds), capacity), 0);
    }
}

#[test]
fn a_run_can_be_repeated() {
    let trace = &traces()[1].1;
    let (first, second) = (run(trace, 300, PolicyKind::Default), run(trace, 300, PolicyKind::Default));
    assert_eq!((first.hits, first.evictions), (second.hits, second.evictions));
}
