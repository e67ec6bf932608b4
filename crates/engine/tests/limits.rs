//! What fits and what does not: the golden cases of eviction by cost, legality across shards, sizes at their ends.

use std::sync::Arc;

use tandem_engine::{
    Cache, Clock, Condition, Error, Expiry, Kind, MAX_CACHE_BYTES, MAX_IDLE_TTL_MS, MAX_KEY_BYTES, MIN_CACHE_BYTES,
    ManualClock, NewValue, Options, PolicyKind, ReadMode, Transform, WriteOptions, Written,
};

fn lru(max_cost: u64) -> Cache {
    Cache::new(Options { policy: PolicyKind::Lru, max_cost: Some(max_cost), ..Options::default() }).unwrap()
}

fn text(bytes: &[u8]) -> NewValue<'_> {
    NewValue { kind: Kind::Bytes, codec: 0, bytes }
}

fn set(cache: &Cache, key: &str, cost: u64) -> Result<Written, Error> {
    cache.set(key.as_bytes(), text(b"v"), &WriteOptions { cost: Some(cost), ..WriteOptions::default() })
}

/// Keys from the least to the most recently used.
fn keys(cache: &Cache) -> String {
    cache.keys_by_recency(None, 100, false).iter().map(|key| String::from_utf8(key.clone()).unwrap()).collect()
}

#[test]
fn a_read_protects_and_the_oldest_goes() {
    let cache = lru(5);
    set(&cache, "a", 2).unwrap();
    set(&cache, "b", 2).unwrap();
    cache.read(b"a", ReadMode::Use, |_| ()).unwrap();
    set(&cache, "x", 3).unwrap();
    assert_eq!(keys(&cache), "ax");
}

#[test]
fn a_growing_value_pushes_others_out() {
    let cache = lru(5);
    set(&cache, "a", 2).unwrap();
    set(&cache, "b", 2).unwrap();
    set(&cache, "b", 4).unwrap();
    assert_eq!(keys(&cache), "b");
}

#[test]
fn a_failed_insert_is_no_use() {
    let cache = lru(4);
    set(&cache, "a", 3).unwrap();
    set(&cache, "b", 1).unwrap();
    let options = WriteOptions { condition: Condition::IfAbsent, ..WriteOptions::default() };
    assert!(!cache.set(b"a", text(b"w"), &options).unwrap().stored());
    set(&cache, "c", 1).unwrap();
    assert_eq!(keys(&cache), "bc");
}

#[test]
fn a_value_of_the_whole_cost_empties_everything_else() {
    let cache = lru(5);
    set(&cache, "a", 1).unwrap();
    set(&cache, "b", 2).unwrap();
    let options = WriteOptions { cost: Some(5), condition: Condition::IfAbsent, ..WriteOptions::default() };
    assert!(cache.set(b"x", text(b"v"), &options).unwrap().stored());
    assert_eq!(keys(&cache), "x");
}

#[test]
fn what_is_refused_changes_nothing() {
    let cache = lru(5);
    set(&cache, "a", 1).unwrap();
    set(&cache, "b", 2).unwrap();
    let before = (keys(&cache), cache.stats());
    assert_eq!(set(&cache, "b", 6), Err(Error::TooLarge { what: "cost", size: 6, limit: 5 }));
    assert_eq!(set(&cache, "a", 0), Err(Error::BadCost));
    assert_eq!(set(&cache, &"k".repeat(MAX_KEY_BYTES + 1), 1), Err(Error::KeyTooLong { bytes: MAX_KEY_BYTES + 1 }));
    let integer = NewValue { kind: Kind::Integer, codec: 0, bytes: b"7" };
    assert_eq!(cache.set(b"a", integer, &WriteOptions::default()), Err(Error::NotInteger));
    for idle in [0, MAX_IDLE_TTL_MS + 1] {
        let options = WriteOptions { idle_ttl_ms: Some(idle), ..WriteOptions::default() };
        assert!(matches!(cache.set(b"a", text(b"w"), &options), Err(Error::BadOption { option: "idleTtl", .. })));
    }
    assert_eq!((keys(&cache), cache.stats()), before);
}

#[test]
fn the_whole_cost_is_legal_in_any_shard() {
    for policy in [PolicyKind::Lru, PolicyKind::Default] {
        let options =
            Options { policy, shards: Some(8), max_cost: Some(1_000), max_entries: Some(900), ..Options::default() };
        let cache = Cache::new(options).unwrap();
        for key in 0..2_000 {
            set(&cache, &format!("key {key}"), 1).unwrap();
            let stats = cache.stats();
            assert!(stats.cost <= 1_000 && stats.entries <= 900);
        }
        for key in 0..20 {
            set(&cache, &format!("all {key}"), 1_000).unwrap();
            assert_eq!((cache.stats().cost, cache.len()), (1_000, 1));
            for small in 0..50 {
                set(&cache, &format!("small {small}"), 1 + small % 3).unwrap();
                assert!(cache.stats().cost <= 1_000);
            }
        }
        cache.verify().unwrap();
    }
}

#[test]
fn a_full_cache_gives_way_to_one_large_value() {
    for (policy, shards) in [(PolicyKind::Lru, 1), (PolicyKind::Default, 1), (PolicyKind::Default, 8)] {
        let cache =
            Cache::new(Options { policy, shards: Some(shards), max_bytes: 16 << 20, ..Options::default() }).unwrap();
        let large = vec![0xa5; 11 << 20];
        let noise: Vec<u8> = (0..large.len() as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for round in 0..3 {
            for key in 0..200_000u32 {
                cache.set(&key.to_le_bytes(), text(b"0123456789"), &WriteOptions::default()).unwrap();
            }
            // The second write replaces the first, for both of which there is no room.
            for _ in 0..2 {
                cache.set(b"large", text(&noise), &WriteOptions::default()).unwrap();
                assert!(cache.read(b"large", ReadMode::Use, |found| found.bytes == noise).unwrap());
                assert!(cache.stats().bytes <= 16 << 20);
            }
            cache.verify().unwrap();
            if round == 1 {
                cache.clear();
            }
        }
    }
}

#[test]
fn after_a_clear_there_is_room_at_once() {
    let cache = Cache::new(Options { shards: Some(8), max_bytes: 16 << 20, ..Options::default() }).unwrap();
    let noise: Vec<u8> = (0..9u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for key in 0..20_000u32 {
        cache.set(&key.to_le_bytes(), text(&noise[..700]), &WriteOptions::default()).unwrap();
    }
    cache.clear();
    cache.set(b"large", text(&noise), &WriteOptions::default()).unwrap();
    assert!(cache.stats().bytes <= 16 << 20);
}

#[test]
fn a_clear_of_a_full_cache_stays_within_its_bytes() {
    for policy in [PolicyKind::Lru, PolicyKind::Default] {
        let cache = Cache::new(Options { policy, max_bytes: 1_227_776, ..Options::default() }).unwrap();
        for round in 0..60u32 {
            for key in 0..3_000 + 37 * round {
                cache.set(&key.to_le_bytes(), text(&[7; 400]), &WriteOptions::default()).unwrap();
            }
            cache.clear();
            cache.verify().unwrap();
        }
    }
}

#[test]
fn the_smallest_cache_holds_the_longest_keys() {
    for policy in [PolicyKind::Lru, PolicyKind::Default] {
        let cache = Cache::new(Options { policy, max_bytes: MIN_CACHE_BYTES, ..Options::default() }).unwrap();
        for number in 0..200u8 {
            let key = vec![number; MAX_KEY_BYTES];
            assert_eq!(cache.incr(&key, 5), Ok(5));
            assert_eq!(cache.incr(&key, i64::from(number)), Ok(5 + i64::from(number)));
            assert!(cache.set_expiry(&key, Expiry::In(1 << 40)).unwrap());
            assert_eq!(cache.incr(&key, -5), Ok(i64::from(number)));
            assert_eq!(cache.transform(&key, |found| Ok(Transform::Keep(found.is_some()))), Ok(true));
        }
        let too_large = vec![1; 16 << 20];
        for options in [WriteOptions::default(), WriteOptions { condition: Condition::IfPresent, ..Default::default() }]
        {
            let before = cache.stats();
            let refused = cache.set(&[199; MAX_KEY_BYTES], text(&too_large[..12 << 20]), &options);
            // It compresses, so it fits after all; as noise it does not.
            assert!(refused.is_ok(), "{refused:?}");
            assert!(cache.stats().entries <= before.entries);
        }
        cache.verify().unwrap();
    }
}

#[test]
fn options_are_checked() {
    type Spoil = fn(&mut Options);
    let cases: [(&str, Spoil); 8] = [
        ("maxBytes", |options| options.max_bytes = MIN_CACHE_BYTES - 1),
        ("maxBytes", |options| options.max_bytes = u64::MAX),
        ("maxEntries", |options| options.max_entries = Some(0)),
        ("maxCost", |options| options.max_cost = Some(0)),
        ("shards", |options| options.shards = Some(0)),
        ("shards", |options| options.shards = Some(512)),
        ("maxValueBytes", |options| options.max_value_bytes = 1 << 28),
        ("idleTtl", |options| options.default_idle_ttl_ms = Some(MAX_IDLE_TTL_MS + 1)),
    ];
    for (name, spoil) in cases {
        let mut options = Options::default();
        spoil(&mut options);
        match Cache::new(options) {
            Err(Error::BadOption { option, .. }) => assert_eq!(option, name),
            Err(other) => panic!("{name}: {other:?}"),
            Ok(_) => panic!("{name} was accepted"),
        }
    }
}

#[test]
fn a_huge_bound_costs_nothing_until_it_is_used() {
    let huge = |max_bytes| Cache::new(Options { max_bytes, ..Options::default() });
    let cache = huge(64 << 30).unwrap();
    for key in 0..5_000u32 {
        let options = WriteOptions { idle_ttl_ms: Some(u64::from(key) + 60_000), ..WriteOptions::default() };
        cache.set(&key.to_le_bytes(), text(&[7; 333][..key as usize % 333]), &options).unwrap();
    }
    for key in 0..5_000u32 {
        assert_eq!(cache.read(&key.to_le_bytes(), ReadMode::Use, |found| found.bytes.len()), Some(key as usize % 333));
    }
    cache.verify().unwrap();
}

/// Four times as much would be more than a process can address.
#[test]
#[cfg(target_pointer_width = "64")]
fn the_largest_bound_can_be_had() {
    let cache = Cache::new(Options { max_bytes: MAX_CACHE_BYTES, ..Options::default() }).unwrap();
    set(&cache, "k", 1).unwrap();
    assert_eq!(cache.read(b"k", ReadMode::Use, |_| ()), Some(()));
    assert!(matches!(cache.resize(1 << 48), Err(Error::BadOption { option: "maxBytes", .. })));
    assert!(cache.resize(1 << 40).unwrap());
}

/// Room to grow must not cost bytes: records would be rounded up to what addresses of a larger cache count in.
#[test]
#[cfg(target_pointer_width = "64")]
fn entries_of_a_cache_of_16_gib_are_as_small_as_any() {
    let overhead = |max_bytes| {
        let cache = Cache::new(Options { max_bytes, shards: Some(1), seed: Some(1), ..Options::default() }).unwrap();
        let after = |keys: std::ops::Range<u32>| {
            for key in keys {
                cache.set(&key.to_le_bytes(), text(&[7; 33]), &WriteOptions::default()).unwrap();
            }
            cache.stats().overhead_bytes
        };
        assert!(cache.resize(max_bytes).unwrap(), "the bound it has is one it can have");
        let empty = after(0..1);
        after(1..100_001) - empty
    };
    let small = overhead(64 << 20);
    for gib in [1, 4, 5, 16] {
        let large = overhead(gib << 30);
        assert!(large < small + small / 10, "{gib} GiB: {large} bytes of overhead, {small} in a small cache");
    }
}

#[test]
fn costs_may_sum_up_to_more_than_64_bits() {
    let cache = Cache::new(Options { max_bytes: 4 << 20, shards: Some(2), ..Options::default() }).unwrap();
    let options = WriteOptions { cost: Some(u64::MAX / 2), ..WriteOptions::default() };
    for key in 0..10u8 {
        cache.set(&[key], text(b"v"), &options).unwrap();
    }
    assert_eq!(cache.stats().cost, u64::MAX);
    for key in 0..9u8 {
        cache.delete(&[key], Condition::Always).unwrap();
    }
    assert_eq!(cache.stats().cost, u64::MAX / 2);
}

#[test]
fn an_idle_entry_stays_dead_however_long_nothing_looked() {
    const DAY: u64 = 86_400_000;
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    for days in [1, 38, 45, 50, 90, 400, 4_000] {
        let cache = Cache::new(Options { clock: clock.clone(), ..Options::default() }).unwrap();
        let options = WriteOptions { idle_ttl_ms: Some(1_000), ..WriteOptions::default() };
        cache.set(b"k", text(b"v"), &options).unwrap();
        clock.set(clock.now_ms() + days * DAY);
        assert!(!cache.contains(b"k"), "after {days} days");
        assert_eq!(cache.read(b"k", ReadMode::Use, |_| ()), None, "after {days} days");
    }
}

#[test]
fn every_use_lets_the_idle_time_start_anew() {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let cache = Cache::new(Options { clock: clock.clone(), ..Options::default() }).unwrap();
    let read = || assert!(cache.read(b"k", ReadMode::Use, |_| ()).is_some());
    let incr = || assert_eq!(cache.incr(b"k", 1).unwrap(), 8);
    let uses: [(&str, &dyn Fn()); 2] = [("read", &read), ("incr", &incr)];
    for (name, use_it) in uses {
        let options = WriteOptions { idle_ttl_ms: Some(1_000), ..WriteOptions::default() };
        cache.set(b"k", NewValue { kind: Kind::Integer, codec: 0, bytes: &7i64.to_le_bytes() }, &options).unwrap();
        clock.advance(800);
        use_it();
        clock.advance(800);
        assert!(cache.contains(b"k"), "{name} is a use");
        clock.advance(300);
        assert!(!cache.contains(b"k"), "1,000 ms after {name}");
    }
}

#[test]
fn an_entry_overwritten_in_place_keeps_its_uses() {
    let cache = Cache::new(Options { max_entries: Some(1_000), seed: Some(1), ..Options::default() }).unwrap();
    let set = |key: u32| cache.set(&key.to_le_bytes(), text(&[7; 32]), &WriteOptions::default()).map(drop).unwrap();
    // Those in excess fill the main queue; what comes next has to prove its worth.
    (0..2_000).for_each(set);
    for round in 1..=10 {
        let proven = 10_000 * round;
        set(proven);
        for _ in 0..2 {
            assert!(cache.read(&proven.to_le_bytes(), ReadMode::Use, |_| ()).is_some());
        }
        set(proven);
        (proven + 1..proven + 200).for_each(set);
        assert!(cache.contains(&proven.to_le_bytes()), "round {round}: two uses earn a place");
    }
}

/// Hits in percent of a loop over twice as many keys as fit, once it has gone round often enough.
fn hits_of_a_loop(cache: &Cache, keys: u32) -> u32 {
    let mut hits = 0;
    for round in 0..8 {
        for number in 0..keys {
            let key = format!("key:{number:012}");
            if cache.read(key.as_bytes(), ReadMode::Use, |_| ()).is_some() {
                hits += u32::from(round >= 4);
            } else {
                let value = NewValue { kind: Kind::Text, codec: 0, bytes: &[b'x'; 100] };
                cache.set(key.as_bytes(), value, &WriteOptions::default()).unwrap();
            }
        }
    }
    hits / (keys / 25)
}

#[test]
fn a_loop_longer_than_the_cache_hits_under_either_bound() {
    let by_entries = Options { max_bytes: 64 << 20, max_entries: Some(10_000), seed: Some(1), ..Options::default() };
    let hits = hits_of_a_loop(&Cache::new(by_entries).unwrap(), 20_000);
    assert!(hits >= 40, "by entries: {hits} %");
    // Bytes are freed by the segment: what stays in the main queue must stay there all the same.
    let by_bytes = Options { max_bytes: 10_000 * 150, seed: Some(1), ..Options::default() };
    let hits = hits_of_a_loop(&Cache::new(by_bytes).unwrap(), 20_000);
    assert!(hits >= 35, "by bytes: {hits} %");
}

#[test]
fn no_write_evicts_for_more_than_itself() {
    let cache =
        Cache::new(Options { max_bytes: 64 << 20, shards: Some(4), seed: Some(1), ..Options::default() }).unwrap();
    let mut key = 0u32;
    let mut evicted_by_one = || {
        key += 1;
        let before = cache.stats().evictions;
        cache.set(&key.to_le_bytes(), text(&[7; 32]), &WriteOptions::default()).unwrap();
        cache.stats().evictions - before
    };
    while evicted_by_one() == 0 {}
    // A segment holds more than a thousand of these entries; a page of the ghosts' table costs eighty.
    let counts: Vec<u64> = (0..300_000).map(|_| evicted_by_one()).collect();
    assert!(counts.iter().filter(|&&count| count > 200).count() <= 5, "most writes evict few");
    assert!(counts.iter().max() <= Some(&1_100), "{:?} evictions in one write", counts.iter().max());
    // A shrink leaves nothing in reserve: to be filled up by all, not by the next write.
    cache.resize(32 << 20).unwrap();
    while cache.maintain() {}
    let most = (0..300_000).map(|_| evicted_by_one()).max();
    assert!(most <= Some(1_500), "{most:?} evictions in one write after a shrink");
}
