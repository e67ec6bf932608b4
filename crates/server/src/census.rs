//! How many keys each database has.

use std::time::{Duration, Instant};

use crate::database::DATABASES;
use crate::shared::Shared;

/// Keys of each database.
pub(crate) type Counts = [u64; DATABASES as usize];

/// A count that took longer than this is used again.
const LONG: Duration = Duration::from_millis(10);
/// For so many times as long as it took: counting takes at most a hundredth of a loop's time.
const REUSED: u32 = 100;

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

/// Counts the keys of each database. Constant time while only database 0 was ever selected; else a walk over all keys,
/// whose result is used again where it took long.
pub(crate) fn count(shared: &Shared) -> Counts {
    if shared.databases.is_single() {
        let mut counts = Counts::default();
        counts[0] = shared.cache.len();
        return counts;
    }
    let mut last = shared.census.lock();
    match &*last {
        Some(census) if census.holds() => census.counts,
        _ => last.insert(walk(shared)).counts,
    }
}

fn walk(shared: &Shared) -> Census {
    let begun = Instant::now();
    let (mut counts, mut page, mut cursor) = (Counts::default(), Vec::new(), 0);
    loop {
        cursor = shared.cache.scan(cursor, &mut page);
        for entry in page.drain(..) {
            // An embedded cache may hold keys that look like those of a database there is not.
            if let Some(count) = counts.get_mut(usize::from(shared.databases.split(&entry.key).0)) {
                *count += 1;
            }
        }
        if cursor == 0 {
            let taken = Instant::now();
            return Census { counts, taken, took: taken - begun };
        }
    }
}
