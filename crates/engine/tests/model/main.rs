//! Every operation against a naive list, with the invariant walker after every step.
//!
//! The naive cache knows what an operation must answer and what it may evict; the change stream tells what went. With
//! `lru` and one shard the order of eviction is checked record by record, and under `max_entries` and `max_cost` also
//! that nothing went without need.

mod drive;
mod naive;
mod steps;

use proptest::prelude::*;
use tandem_engine::{Compression, Options, PolicyKind};

use drive::run;
use steps::{Range, step};

const ENTRIES: Range = Range { keys: 40, largest_value: 40_000, largest_cost: 12, fills: false, bounds: (0, 0) };
const BYTES: Range = Range { keys: 700, largest_value: 500_000, largest_cost: 12, fills: true, bounds: (1_024, 4_096) };

fn options(policy: PolicyKind, shards: usize, max_bytes: u64) -> Options {
    Options {
        policy,
        shards: Some(shards),
        max_bytes,
        seed: Some(99),
        compression: Compression::Lz4 { min_bytes: 512 },
        ..Options::default()
    }
}

fn bounded(policy: PolicyKind, shards: usize, max_entries: Option<u64>, max_cost: Option<u64>) -> Options {
    Options { max_entries, max_cost, ..options(policy, shards, 64 << 20) }
}

fn program(range: Range, longest: usize) -> impl Strategy<Value = Vec<steps::Step>> {
    prop::collection::vec(step(range), 1..longest)
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn lru_evicts_exactly_by_entries(program in program(ENTRIES, 160)) {
        run(bounded(PolicyKind::Lru, 1, Some(9), None), &program);
    }

    #[test]
    fn lru_evicts_exactly_by_cost(program in program(ENTRIES, 160)) {
        run(bounded(PolicyKind::Lru, 1, None, Some(12)), &program);
    }

    #[test]
    fn lru_evicts_exactly_by_entries_and_cost_with_default_ttls(program in program(ENTRIES, 160)) {
        let options = bounded(PolicyKind::Lru, 1, Some(9), Some(30));
        run(Options { default_ttl_ms: Some(900), default_idle_ttl_ms: Some(700), ..options }, &program);
    }

    #[test]
    fn the_default_policy_keeps_its_bounds(program in program(ENTRIES, 160)) {
        run(bounded(PolicyKind::Default, 1, Some(9), Some(30)), &program);
    }

    #[test]
    fn bounds_are_a_matter_of_the_whole_cache(program in program(ENTRIES, 160)) {
        run(bounded(PolicyKind::Default, 4, Some(9), Some(12)), &program);
        run(bounded(PolicyKind::Lru, 4, Some(9), Some(12)), &program);
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn lru_evicts_exactly_by_bytes(program in program(BYTES, 120)) {
        run(options(PolicyKind::Lru, 1, 1 << 20), &program);
    }

    #[test]
    fn the_default_policy_stays_within_bytes(program in program(BYTES, 120)) {
        run(options(PolicyKind::Default, 1, 1 << 20), &program);
    }

    #[test]
    fn shards_stay_within_bytes(program in program(BYTES, 120)) {
        run(options(PolicyKind::Default, 4, 1 << 20), &program);
        run(options(PolicyKind::Lru, 4, 1 << 20), &program);
    }
}
