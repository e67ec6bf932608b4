//! The part of M1 that says how the overhead depends on the sizes of the entries and of the cache.

use tandem_engine::{PolicyKind, WriteOptions};

use crate::child::{self, resident_bytes};
use crate::report::Row;
use crate::sides::{Tandem, bytes};
use crate::workload::{KEY_BYTES, Random, key};

/// Bytes of a value: small, as in M1's judged rows, large.
const VALUES: [usize; 3] = [32, 100, 1000];

/// Rounds at most: equal fills of fresh processes take nearly equal memory.
const ROUNDS: usize = 3;

/// Caches from this size on have a single round: filling 8 GiB with small entries takes minutes.
const SINGLE_ROUND_BYTES: u64 = 1 << 30;

/// Sets between two looks at whether the cache has begun to evict.
const BATCH: u64 = 4096;

/// The rows: every size of a value in a cache of each of `cache_bytes`; every figure comes from a fresh process.
pub fn rows(rounds: usize, cache_bytes: &[u64]) -> Vec<Row> {
    let mut rows = Vec::new();
    for &max_bytes in cache_bytes {
        let rounds = if max_bytes < SINGLE_ROUND_BYTES { rounds.min(ROUNDS) } else { 1 };
        for value_bytes in VALUES {
            let arguments = [
                "overhead-by-size-of",
                "--value-bytes",
                &value_bytes.to_string(),
                "--max-bytes",
                &max_bytes.to_string(),
            ]
            .map(String::from);
            let raw = (0..rounds).map(|_| child::figures(&arguments)[0]).collect();
            let label = format!("cache of {} MiB, full: {KEY_BYTES} B + {value_bytes} B", max_bytes >> 20);
            rows.push(Row::new(label, "B/entry", raw).noise_between_rounds());
        }
    }
    rows
}

/// The child: fills a cache of `max_bytes` until it evicts, and returns the overhead in bytes an entry.
///
/// # Panics
/// If the cache takes more key and value bytes than its bound without an eviction.
pub fn measure(value_bytes: usize, max_bytes: u64) -> f64 {
    let entry_bytes = (KEY_BYTES + value_bytes) as u64;
    let mut random = Random::new(3);
    let mut value = vec![0; value_bytes];
    let before = resident_bytes();
    let cache = Tandem::new(PolicyKind::Default, max_bytes).0;
    let mut number = 0;
    while cache.stats().evictions == 0 {
        assert!(number * entry_bytes <= max_bytes, "a cache holds no more than its bound");
        for _ in 0..BATCH {
            random.fill(&mut value);
            cache.set(&key(number), bytes(&value), &WriteOptions::default()).expect("a small value fits");
            number += 1;
        }
    }
    let grown = resident_bytes() - before;
    grown as f64 / cache.stats().entries as f64 - entry_bytes as f64
}
