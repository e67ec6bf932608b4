//! M3: the longest thread CPU time of any single operation.

use std::ops::Range;
use std::sync::Arc;

use tandem_engine::{Cache, Compression, Expiry, ManualClock, Options, PolicyKind, ReadMode, WriteOptions};

use crate::child::figures;
use crate::report::{Goal, Report, Row};
use crate::sides::bytes;
use crate::workload::{Random, key};

/// Phases a child measures, in order; each yields its longest operation.
const PHASES: [&str; 15] = [
    "nothing (the measurement itself)",
    "first touch of a page (the system itself)",
    "set, growing",
    "get",
    "set, overwriting",
    "resize to a quarter: the call",
    "resize to a quarter: a step of maintain",
    "set, evicting",
    "resize back: the call",
    "clear: the call",
    "clear: a step of maintain",
    "set with ttl, after clear",
    "expiry of all at once: get and set",
    "expiry of all at once: a step of maintain",
    "set, growing again",
];

/// How many of them, from the first, are no work of the cache.
const CONTROLS: usize = 2;

/// The suite; every round of a policy is a fresh process.
pub fn run(rounds: usize, entries: usize) -> Report {
    let mut rows = Vec::new();
    for (policy, name) in [("default", "default policy"), ("lru", "exact lru")] {
        let arguments = ["pauses-of", policy, "--entries", &entries.to_string()].map(String::from);
        let measured: Vec<Vec<f64>> = (0..rounds).map(|_| figures(&arguments)).collect();
        for (at, phase) in PHASES.iter().enumerate() {
            let longest: Vec<f64> = measured.iter().map(|figures| figures[2 * at]).collect();
            let worst = measured
                .iter()
                .map(|figures| (figures[2 * at], figures[2 * at + 1]))
                .max_by(|one, other| one.0.total_cmp(&other.0))
                .expect("there is at least one round");
            let row = Row::new(format!("{name}: {phase}"), "us", longest)
                .noting(format!("longest of all rounds {:.0} us, at operation {}", worst.0, worst.1));
            let row = row.noise_between_rounds();
            rows.push(if at < CONTROLS { row } else { row.judged(Goal::at_most(1000.0)) });
        }
    }
    Report {
        suite: "M3".into(),
        title: format!(
            "longest thread CPU time of a single operation, median of the rounds' longest; up to {entries} entries of \
             16 B + 16 B"
        ),
        rows,
    }
}

/// Longest operation of a phase.
#[derive(Default)]
struct Longest {
    microseconds: f64,
    /// Which operation of the phase it was, from 1; the first of those timed as one.
    at: u64,
    operations: u64,
}

/// Operations between two readings of the clock, which takes longer than most operations do.
const BATCH: u64 = 8;

impl Longest {
    /// Times every [`BATCH`] of `operation`s on `numbers` as one. That is never less than the longest of them took, and
    /// more by what a few usual ones take.
    fn time_each(&mut self, numbers: Range<u64>, mut operation: impl FnMut(u64)) {
        let mut first = numbers.start;
        while first < numbers.end {
            let end = numbers.end.min(first + BATCH);
            self.time(|| (first..end).for_each(&mut operation));
            self.operations += end - first - 1;
            first = end;
        }
    }

    fn time<T>(&mut self, operation: impl FnOnce() -> T) -> T {
        let start = thread_nanoseconds();
        let result = operation();
        let elapsed = (thread_nanoseconds() - start) as f64 / 1e3;
        self.operations += 1;
        if elapsed > self.microseconds {
            (self.microseconds, self.at) = (elapsed, self.operations);
        }
        result
    }
}

/// CPU time this thread has used, user and system.
fn thread_nanoseconds() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes; the clock exists on every Linux.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(status, 0, "Linux has a CPU clock for every thread");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The child: walks through all phases and returns two figures of each: the CPU time of its longest operation in
/// microseconds, and which operation that was.
pub fn measure(policy: PolicyKind, entries: usize) -> Vec<f64> {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let max_bytes = (entries as u64 * 128).max(16 << 20);
    let cache = Cache::new(Options {
        max_bytes,
        policy,
        compression: Compression::None,
        clock: clock.clone(),
        ..Options::default()
    })
    .expect("the options of a benchmark are legal");
    let mut phases: [Longest; PHASES.len()] = std::array::from_fn(|_| Longest::default());
    let [
        nothing,
        touch,
        grow,
        get,
        overwrite,
        shrink,
        shrink_step,
        evict,
        enlarge,
        clear,
        clear_step,
        with_ttl,
        expired,
        expiry_step,
        regrow,
    ] = &mut phases;
    let entries = entries as u64;
    let plain = WriteOptions::default();
    let set = |number: u64, options: &WriteOptions| {
        cache.set(&key(number), bytes(&[7; 16]), options).expect("a small value fits");
    };
    let read = |number: u64| cache.read(&key(number), ReadMode::Use, |found| found.version);
    let mut random = Random::new(9);

    nothing.time_each(0..entries, |_| {});
    // As many pages as the cache is going to use, each for the first time.
    let mut memory = memmap2::MmapMut::map_anon(entries as usize * 64).expect("there is memory for a benchmark");
    for page in memory.chunks_mut(4096) {
        touch.time(|| page[0] = 1);
    }
    drop(memory);
    grow.time_each(0..entries, |number| set(number, &plain));
    assert_eq!(cache.stats().entries, entries, "growing must not evict");
    for _ in 0..entries / 10 / BATCH {
        let numbers = [(); BATCH as usize].map(|()| random.below(entries));
        get.time_each(0..BATCH, |at| _ = read(numbers[at as usize]));
        overwrite.time_each(0..BATCH, |at| set(numbers[at as usize], &plain));
    }
    shrink.time(|| cache.resize(max_bytes / 4)).expect("a quarter is within the range");
    while shrink_step.time(|| cache.maintain()) {}
    evict.time_each(entries..entries + entries / 5, |number| set(number, &plain));
    assert!(cache.stats().evictions > 0, "a full cache evicts");
    enlarge.time(|| cache.resize(max_bytes)).expect("the first size is within the range");
    for number in 0..entries / 2 {
        set(number, &plain);
    }
    clear.time(|| cache.clear());
    while clear_step.time(|| cache.maintain()) {}
    let short = WriteOptions { expiry: Expiry::In(60_000), ..plain };
    with_ttl.time_each(0..entries / 2, |number| set(number, &short));
    clock.advance(120_000);
    for number in 0..entries / 100 {
        expired.time(|| read(number));
        expired.time(|| set(entries + number, &plain));
    }
    while expiry_step.time(|| cache.maintain()) {}
    assert_eq!(cache.stats().entries, entries / 100, "everything with a ttl has expired");
    regrow.time_each(0..entries / 2, |number| set(number, &plain));
    phases.iter().flat_map(|longest| [longest.microseconds, longest.at as f64]).collect()
}
