//! Shards with so many segments that no step looks at all of them.

use std::sync::Arc;

use tandem_engine::{
    Cache, Compression, Condition, Expiry, Kind, ManualClock, NewValue, Options, PolicyKind, ReadMode, WriteOptions,
};

/// Five of these fill a segment of 128 KiB; a little longer they would lie outside the log.
static LONG: [u8; 25_000] = [7; 25_000];
/// 1,300 segments.
const ENTRIES: u32 = 6_500;

fn value(len: usize) -> NewValue<'static> {
    NewValue { kind: Kind::Bytes, codec: 0, bytes: &LONG[..len] }
}

fn cache(policy: PolicyKind, max_bytes: u64, clock: Arc<ManualClock>) -> Cache {
    let compression = Compression::None;
    Cache::new(Options { max_bytes, policy, clock, compression, shards: Some(1), seed: Some(1), ..Options::default() })
        .unwrap()
}

fn set(cache: &Cache, key: u32, len: usize, expiry: Expiry) {
    cache.set(&key.to_le_bytes(), value(len), &WriteOptions { expiry, ..WriteOptions::default() }).unwrap();
}

/// Numbers that look random, the same in every run.
fn numbers() -> impl FnMut(u64) -> u64 {
    let mut state = 1u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    }
}

#[test]
fn a_step_of_the_sweep_looks_at_a_part_of_the_log() {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let cache = cache(PolicyKind::Lru, 512 << 20, clock.clone());
    (0..ENTRIES).for_each(|key| set(&cache, key, LONG.len(), Expiry::In(3_600_000)));
    set(&cache, ENTRIES, LONG.len(), Expiry::In(10));
    while cache.maintain() {}
    clock.advance(11);
    let steps = (1..).take_while(|_| cache.maintain()).count();
    assert!(steps >= 3, "{steps} steps for 1,300 segments");
    assert_eq!(cache.stats().entries, u64::from(ENTRIES));
}

/// What is written, moved and freed between the steps of a round must not be overlooked.
#[test]
fn nothing_outlives_a_sweep_that_others_write_beside() {
    for policy in [PolicyKind::Default, PolicyKind::Lru] {
        let clock = Arc::new(ManualClock::new(1_000_000));
        let cache = cache(policy, 512 << 20, clock.clone());
        let mut number = numbers();
        (0..ENTRIES).for_each(|key| set(&cache, key, LONG.len(), Expiry::In(1 + number(10_000))));
        for round in 0..4_000u32 {
            let key = number(u64::from(ENTRIES)) as u32;
            match round % 4 {
                0 => drop(cache.delete(&key.to_le_bytes(), Condition::Always).unwrap()),
                _ => set(&cache, key, 15_000 + number(10_000) as usize, Expiry::In(1 + number(10_000))),
            }
            clock.advance(number(6));
            cache.maintain();
            if round % 200 == 0 {
                cache.verify().unwrap();
            }
        }
        // Longer than any deadline and any pause between two walks of a segment.
        clock.advance(60_000);
        while cache.maintain() {}
        assert_eq!(cache.stats().entries, 0, "{policy:?}: all have expired");
        cache.verify().unwrap();
    }
}

/// Most of what is dead lies at one end of the log.
#[test]
fn gaps_are_found_wherever_they_lie() {
    let cache = cache(PolicyKind::Default, 512 << 20, Arc::new(ManualClock::new(1_000_000)));
    (0..ENTRIES).for_each(|key| set(&cache, key, LONG.len(), Expiry::Never));
    let full = cache.stats().bytes;
    let stays = |key: u32| key.is_multiple_of(if key < ENTRIES / 5 * 4 { 5 } else { 20 });
    let gone = (0..ENTRIES).filter(|&key| !stays(key));
    gone.for_each(|key| assert!(cache.delete(&key.to_le_bytes(), Condition::Always).unwrap()));
    while cache.maintain() {}
    let stats = cache.stats();
    assert!(stats.bytes < full * 3 / 4, "{} of {full} bytes are still held: {stats:?}", stats.bytes);
    for key in (0..ENTRIES).filter(|&key| stays(key)) {
        assert!(cache.read(&key.to_le_bytes(), ReadMode::Peek, |_| ()).is_some(), "{key} stays");
    }
    cache.verify().unwrap();
}

/// Under a full cache dead bytes come back as well: eviction leaves at least two thirds of the memory to living entries.
#[test]
fn a_full_long_log_is_compacted_before_it_is_evicted() {
    let cache = cache(PolicyKind::Default, 160 << 20, Arc::new(ManualClock::new(1_000_000)));
    let mut number = numbers();
    for _ in 0..8 * ENTRIES {
        let key = number(2 * u64::from(ENTRIES)) as u32;
        set(&cache, key, 15_000 + number(10_000) as usize, Expiry::Never);
    }
    let stats = cache.stats();
    assert!(stats.value_bytes > stats.bytes / 3 * 2, "{stats:?}");
    cache.verify().unwrap();
}
