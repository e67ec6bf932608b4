//! Random transactions, half of them undone, against the same program without those.

use std::sync::Arc;

use proptest::prelude::*;
use tandem_engine::{
    Cache, Compression, Condition, Error, Expiry, Kind, ManualClock, NewValue, Options, PolicyKind, ReadMode, Scope,
    Transform, WriteOptions,
};

use super::{entry, footprint};

const KEYS: u8 = 24;

#[derive(Debug, Clone)]
enum Step {
    Set { key: u8, len: usize, ttl: Option<u64>, idle: Option<u64>, cost: u64, only_present: bool },
    Delete(u8),
    Take(u8),
    Incr(u8),
    Append(u8),
    Expire(u8, Option<u64>),
    Read(u8),
}

#[derive(Debug, Clone)]
struct Part {
    steps: Vec<Step>,
    commits: bool,
    all: bool,
    advance: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![6 => 0usize..300, 1 => 3_000usize..5_000, 1 => 60_000usize..80_000];
    let ttl = || prop::option::of(1u64..2_000);
    prop_oneof![
        6 => (0..KEYS, len, ttl(), prop::option::of(1u64..2_000), 1u64..4, any::<bool>())
            .prop_map(|(key, len, ttl, idle, cost, only_present)| Step::Set { key, len, ttl, idle, cost, only_present }),
        3 => (0..KEYS).prop_map(Step::Delete),
        1 => (0..KEYS).prop_map(Step::Take),
        3 => (0..KEYS).prop_map(Step::Incr),
        2 => (0..KEYS).prop_map(Step::Append),
        3 => (0..KEYS, ttl()).prop_map(|(key, ttl)| Step::Expire(key, ttl)),
        2 => (0..KEYS).prop_map(Step::Read),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    (prop::collection::vec(step(), 1..12), any::<bool>(), any::<bool>(), 0u64..300)
        .prop_map(|(steps, commits, all, advance)| Part { steps, commits, all, advance })
}

fn key_bytes(key: u8) -> Vec<u8> {
    // One is so long that it lies outside the log.
    if key == 0 { vec![b'k'; 40_000] } else { vec![key] }
}

fn key_of(step: &Step) -> u8 {
    match *step {
        Step::Set { key, .. } | Step::Expire(key, _) => key,
        Step::Delete(key) | Step::Take(key) | Step::Incr(key) | Step::Append(key) | Step::Read(key) => key,
    }
}

fn run(cache: &Cache, step: &Step) {
    let key = key_bytes(key_of(step));
    let outcome = match *step {
        Step::Set { key: number, len, ttl, idle, cost, only_present } => {
            let bytes: Vec<u8> = (0..len).map(|at| (at * usize::from(number) / 7) as u8).collect();
            let options = WriteOptions {
                expiry: ttl.map_or(Expiry::Never, Expiry::In),
                idle_ttl_ms: idle,
                cost: Some(cost),
                condition: if only_present { Condition::IfPresent } else { Condition::Always },
            };
            cache.set(&key, NewValue { kind: Kind::Wire, codec: 0, bytes: &bytes }, &options).map(drop)
        }
        Step::Delete(_) => cache.delete(&key, Condition::Always).map(drop),
        Step::Take(_) => cache.take(&key, |_| ()).map(drop),
        Step::Incr(_) => cache.incr(&key, 3).map(drop),
        Step::Append(_) => cache.transform(&key, |found| {
            let mut bytes = found.map_or(Vec::new(), |found| found.bytes.to_vec());
            bytes.extend_from_slice(b"tail");
            Ok(Transform::Store { kind: Kind::Wire, codec: 0, bytes, expiry: Expiry::Keep, output: () })
        }),
        Step::Expire(_, ttl) => cache.set_expiry(&key, ttl.map_or(Expiry::Never, Expiry::In)).map(drop),
        Step::Read(_) => {
            cache.read(&key, ReadMode::Peek, |_| ());
            Ok(())
        }
    };
    assert!(matches!(outcome, Ok(()) | Err(Error::NotInteger)), "{outcome:?}");
}

/// What a caller can see of the cache, without versions if `plain`.
fn state(cache: &Cache, plain: bool) -> Vec<Option<super::Entry>> {
    let blank = |mut entry: super::Entry| {
        if plain {
            entry.3 = 0;
        }
        entry
    };
    (0..KEYS).map(|key| entry(cache, &key_bytes(key)).map(blank)).collect()
}

fn check(policy: PolicyKind, shards: usize, program: &[Part]) {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let new = || {
        let compression = Compression::Lz4 { min_bytes: 64 };
        let options = Options { policy, shards: Some(shards), max_bytes: 32 << 20, compression, ..Options::default() };
        Cache::new(Options { clock: clock.clone(), seed: Some(5), ..options }).unwrap()
    };
    let (cache, plain) = (new(), new());
    for Part { steps, commits, all, advance } in program {
        clock.advance(*advance);
        // What has expired goes first: that is not undone.
        let before = (state(&cache, false), footprint(&cache.stats()));
        let keys: Vec<Vec<u8>> = steps.iter().map(|step| key_bytes(key_of(step))).collect();
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let scope = if *all { Scope::All } else { Scope::Keys(&keys) };
        let outcome = cache.transaction(scope, |_| {
            steps.iter().for_each(|step| run(&cache, step));
            if *commits { Ok(()) } else { Err(Error::Timeout) }
        });
        assert_eq!(outcome.is_ok(), *commits);
        if *commits {
            steps.iter().for_each(|step| run(&plain, step));
        } else {
            assert_eq!((state(&cache, false), footprint(&cache.stats())), before);
        }
        cache.verify().unwrap();
        assert_eq!(state(&cache, true), state(&plain, true));
    }
    assert_eq!(cache.stats().entries, plain.stats().entries);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_undone_transaction_never_was(program in prop::collection::vec(part(), 1..16)) {
        check(PolicyKind::Default, 4, &program);
        check(PolicyKind::Lru, 1, &program);
    }
}
