//! How many keys each database has, and how many of them expire.

use std::time::{Duration, Instant};

use crate::database::DATABASES;
use crate::shared::Shared;

/// What is known of one database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Database {
    pub keys: u64,
    /// Keys that expire.
    pub expires: u64,
    /// The mean of the times that these have left, in ms.
    pub avg_ttl_ms: u64,
}

/// All of them.
pub(crate) type Counts = [Database; DATABASES as usize];

/// A count that took longer than this is used again.
const LONG: Duration = Duration::from_millis(10);
/// For so many times as long as it took: counting takes at most a hundredth of a loop's time.
const REUSED: u32 = 100;
/// Keys that stand for all where only those that expire are to be counted: a part of them is then right to two hundredths
/// of all keys, in 19 of 20 cases, and is read from four pages of the index.
const SAMPLE: u64 = 2_500;

/// The result of a walk over all keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Census {
    counts: Counts,
    taken: Instant,
    took: Duration,
}

impl Census {
    fn holds(&self) -> bool {
        self.took > LONG && self.taken.elapsed() < self.took * REUSED
    }
}

/// Counts the keys of each database. While only database 0 was ever selected their number is known, and how many expire is
/// told by the first [`SAMPLE`] of them, in the order of hashes; else a walk over all keys counts both, whose result is used
/// again where it took long.
pub(crate) fn count(shared: &Shared) -> Counts {
    if shared.databases.is_single() {
        let keys = shared.cache.len();
        let mut counts = walk(shared, SAMPLE);
        let Database { keys: seen, expires, .. } = counts[0];
        counts[0].keys = keys;
        // Rounded; what was seen may have changed since it was counted.
        counts[0].expires = ((expires * keys + seen / 2) / seen.max(1)).min(keys);
        return counts;
    }
    let mut last = shared.census.lock();
    match &*last {
        Some(census) if census.holds() => census.counts,
        _ => {
            let begun = Instant::now();
            let counts = walk(shared, u64::MAX);
            let taken = Instant::now();
            last.insert(Census { counts, taken, took: taken - begun }).counts
        }
    }
}

/// Counts the first keys, in the order of their hashes: all, or at least `most`.
fn walk(shared: &Shared, most: u64) -> Counts {
    let now_ms = shared.now_ms();
    let (mut counts, mut page, mut cursor, mut seen) = (Counts::default(), Vec::new(), 0, 0);
    let mut left_ms = [0_u128; DATABASES as usize];
    loop {
        cursor = shared.cache.scan(cursor, &mut page);
        for entry in page.drain(..) {
            seen += 1;
            let db = usize::from(shared.databases.split(&entry.key).0);
            // An embedded cache may hold keys that look like those of a database there is not.
            let Some(count) = counts.get_mut(db) else { continue };
            count.keys += 1;
            if let Some(at) = entry.expires_at {
                count.expires += 1;
                left_ms[db] += u128::from(at.saturating_sub(now_ms));
            }
        }
        if cursor == 0 || seen >= most {
            break;
        }
    }
    for (count, left_ms) in counts.iter_mut().zip(left_ms) {
        count.avg_ttl_ms = (left_ms / u128::from(count.expires.max(1))) as u64;
    }
    counts
}
