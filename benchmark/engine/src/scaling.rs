//! G3: how much faster two threads are than one, beside a control without any lock.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tandem_engine::PolicyKind;

use crate::report::{Goal, Ratio, Report, Row, Side};
use crate::sides::{Contender, Tandem, fill};
use crate::speed::{Size, roomy_bytes, run_requests};
use crate::workload::{Key, Random, Request, VALUE_BYTES, requests};

const WORDS: usize = VALUE_BYTES.div_ceil(8);

/// The control of the scaling suite: a table of atomics in which nobody ever waits for anybody. It is no cache - it
/// finds every key by arithmetic and a write may tear - and thus shows what the machine itself allows.
pub struct LockFree(Box<[[AtomicU64; WORDS]]>);

impl LockFree {
    /// A table for keys numbered below `keys`.
    pub fn new(keys: usize) -> Self {
        Self((0..keys).map(|_| std::array::from_fn(|_| AtomicU64::new(0))).collect())
    }

    fn slot(&self, key: &Key) -> &[AtomicU64; WORDS] {
        let number = key[4..].iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
        &self.0[number]
    }
}

impl Contender for LockFree {
    #[inline]
    fn get(&self, key: &Key, target: &mut [u8; VALUE_BYTES]) -> bool {
        for (word, chunk) in self.slot(key).iter().zip(target.chunks_mut(8)) {
            chunk.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes()[..chunk.len()]);
        }
        true
    }

    #[inline]
    fn set(&self, key: &Key, value: &[u8; VALUE_BYTES]) {
        for (word, chunk) in self.slot(key).iter().zip(value.chunks(8)) {
            let mut padded = [0; 8];
            padded[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_le_bytes(padded), Ordering::Relaxed);
        }
    }
}

/// Requests of every thread: other ones for each.
type Streams = [Vec<Request>; 2];

/// The suite: reads alone, and three reads to a write.
pub fn run(size: Size) -> Report {
    let rows = [(0, "get hit"), (25, "75/25 get/set")].map(|(writes, what)| compare(writes, what, size));
    Report {
        suite: "G3".into(),
        title: format!(
            "throughput of 2 threads / throughput of 1, Zipf 0.99, {} entries of {VALUE_BYTES} B \
             (ratio: scaling of Tandem / scaling of the control)",
            size.entries
        ),
        rows: rows.into(),
    }
}

fn compare(writes_percent: u64, what: &str, size: Size) -> Row {
    let mut value = [0; VALUE_BYTES];
    Random::new(1).fill(&mut value);
    let streams: Streams = [2, 3].map(|seed| requests(size.entries, size.requests, writes_percent, seed));
    let tandem = Tandem::new(PolicyKind::Default, roomy_bytes(size.entries));
    let control = LockFree::new(size.entries);
    let again = LockFree::new(size.entries);
    fill(&tandem, size.entries, &value);
    fill(&control, size.entries, &value);
    fill(&again, size.entries, &value);
    let mut scalings: [Vec<f64>; 3] = Default::default();
    for round in 0..=size.rounds {
        let measured = if round % 2 == 0 {
            let ours = scaling(&tandem, &streams, &value);
            [ours, scaling(&control, &streams, &value), scaling(&again, &streams, &value)]
        } else {
            let second = scaling(&again, &streams, &value);
            let first = scaling(&control, &streams, &value);
            [scaling(&tandem, &streams, &value), first, second]
        };
        // The first round warms up.
        if round > 0 {
            for (scalings, scaling) in scalings.iter_mut().zip(measured) {
                scalings.push(scaling);
            }
        }
    }
    let [ours, control, again] = scalings;
    let (ratio, noise) = (Ratio::new(&ours, &control), Ratio::new(&control, &again));
    Row::new(what, "x", ours)
        .beside(Side::new("lock-free control", control), Some(ratio), Some(noise))
        .judged(Goal::ratio_at_least(0.9))
}

/// Throughput of two threads over that of one.
fn scaling(contender: &impl Contender, streams: &Streams, value: &[u8; VALUE_BYTES]) -> f64 {
    throughput(contender, streams, value) / throughput(contender, &streams[..1], value)
}

/// Requests a nanosecond of as many threads as there are streams, from the first start to the last end.
fn throughput(contender: &impl Contender, streams: &[Vec<Request>], value: &[u8; VALUE_BYTES]) -> f64 {
    let gate = Barrier::new(streams.len());
    let times: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let threads: Vec<_> = streams
            .iter()
            .map(|stream| {
                let gate = &gate;
                scope.spawn(move || {
                    gate.wait();
                    let start = Instant::now();
                    run_requests(contender, stream, value);
                    (start, Instant::now())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a read missed, or an operation panicked")).collect()
    });
    let first = times.iter().map(|(start, _)| *start).min().expect("there is at least one stream");
    let last = times.iter().map(|(_, end)| *end).max().expect("there is at least one stream");
    streams.iter().map(Vec::len).sum::<usize>() as f64 / (last - first).as_nanos() as f64
}
