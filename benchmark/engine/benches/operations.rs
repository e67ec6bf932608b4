//! G1 and G2 under criterion: nanoseconds of an operation with a confidence interval. Criterion measures one side after
//! the other, so a machine that slows down meanwhile favours one of them; the verdict is the ratio of the interleaved
//! rounds of the suites.

use std::time::Instant;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use tandem_engine::PolicyKind;
use tandem_engine_bench::sides::{Contender, QuickCache, Tandem, fill};
use tandem_engine_bench::speed::{roomy_bytes, roomy_items, run_requests};
use tandem_engine_bench::workload::{Random, Request, VALUE_BYTES, requests};

const ENTRIES: usize = 1_000_000;
const REQUESTS: usize = 2_000_000;

fn operations(criterion: &mut Criterion) {
    let mut value = [0; VALUE_BYTES];
    Random::new(1).fill(&mut value);
    for (suite, writes_percent) in [("G1", 0), ("G2", 25)] {
        let stream = requests(ENTRIES, REQUESTS, writes_percent, 2);
        let mut group = criterion.benchmark_group(suite);
        measure(&mut group, "tandem", &stream, &value, || Tandem::new(PolicyKind::Default, roomy_bytes(ENTRIES)));
        measure(&mut group, "quick_cache", &stream, &value, || QuickCache::new(roomy_items(ENTRIES)));
        group.finish();
    }
}

/// Measures requests of `stream`, over and over, against a cache that is filled only if a filter asks for it.
fn measure<C: Contender>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    stream: &[Request],
    value: &[u8; VALUE_BYTES],
    open: impl Fn() -> C,
) {
    let mut filled = None;
    let mut at = 0;
    group.bench_function(name, |bencher| {
        let cache = filled.get_or_insert_with(|| {
            let cache = open();
            fill(&cache, ENTRIES, value);
            cache
        });
        bencher.iter_custom(|count| {
            let mut left = count as usize;
            let start = Instant::now();
            while left > 0 {
                let part = left.min(stream.len() - at);
                run_requests(cache, &stream[at..at + part], value);
                left -= part;
                at = (at + part) % stream.len();
            }
            start.elapsed()
        });
    });
}

criterion_group!(benches, operations);
criterion_main!(benches);
