//! Memory between living entries returns though nobody is short of it.

use std::sync::Arc;

use tandem_engine::{
    Cache, Condition, Expiry, Kind, ManualClock, NewValue, Options, PolicyKind, ReadMode, WriteOptions,
};

const ENTRIES: u32 = 100_000;

fn value(bytes: &[u8]) -> NewValue<'_> {
    NewValue { kind: Kind::Bytes, codec: 0, bytes }
}

/// One entry in 500 stays, the others go by `leave`; what is left must not hold the memory of all.
fn returns_what_goes(policy: PolicyKind, leave: impl Fn(&Cache, &[u8]), expiry: Expiry, later: u64) {
    let now = Arc::new(ManualClock::new(1_000_000));
    let clock = now.clone();
    let cache =
        Cache::new(Options { max_bytes: 256 << 20, policy, clock, shards: Some(1), ..Options::default() }).unwrap();
    for key in 0..ENTRIES {
        let stays = key % 500 == 0;
        let options = WriteOptions { expiry: if stays { Expiry::Never } else { expiry }, ..WriteOptions::default() };
        cache.set(&key.to_le_bytes(), value(&[7; 200]), &options).unwrap();
    }
    let full = cache.stats().bytes;
    (0..ENTRIES).filter(|key| key % 500 != 0).for_each(|key| leave(&cache, &key.to_le_bytes()));
    now.advance(later);
    while cache.maintain() {}
    let stats = cache.stats();
    assert_eq!(stats.entries, u64::from(ENTRIES) / 500);
    assert!(stats.bytes < full / 4, "{policy:?}: {} of {full} bytes are still held: {stats:?}", stats.bytes);
    for key in (0..ENTRIES).step_by(500) {
        assert!(cache.read(&key.to_le_bytes(), ReadMode::Peek, |_| ()).is_some(), "{key} stays");
    }
    cache.verify().unwrap();
}

#[test]
fn deleted_entries_give_their_memory_back() {
    for policy in [PolicyKind::Default, PolicyKind::Lru] {
        returns_what_goes(
            policy,
            |cache, key| assert!(cache.delete(key, Condition::Always).unwrap()),
            Expiry::Never,
            0,
        );
    }
}

#[test]
fn expired_entries_give_their_memory_back() {
    for policy in [PolicyKind::Default, PolicyKind::Lru] {
        returns_what_goes(policy, |_, _| {}, Expiry::In(1_000), 1_001);
    }
}

/// Exact order leaves gaps all over the log, and a bound on entries never asks for memory.
#[test]
fn a_bound_on_entries_bounds_the_log_as_well() {
    for policy in [PolicyKind::Default, PolicyKind::Lru] {
        let cache =
            Cache::new(Options { max_entries: Some(10_000), policy, seed: Some(1), ..Options::default() }).unwrap();
        let mut random = 1u64;
        for _ in 0..1_000_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // The product of two is skewed: some keys come back often.
            let key = ((random >> 33) % 550 * ((random >> 13) % 550)).to_le_bytes();
            if cache.read(&key, ReadMode::Use, |_| ()).is_none() {
                cache.set(&key, value(&[7; 100]), &WriteOptions::default()).unwrap();
            }
        }
        let stats = cache.stats();
        let live = stats.key_bytes + stats.value_bytes;
        assert!(stats.bytes < 4 * live, "{policy:?}: {} bytes for {live}: {stats:?}", stats.bytes);
        cache.verify().unwrap();
    }
}
