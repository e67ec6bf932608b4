//! A quick pseudo-random churn with the invariant walker, for every policy and size of value.

use std::collections::HashMap;
use std::sync::Arc;

use tandem_engine::{
    Cache, Compression, Condition, Expiry, Kind, ManualClock, NewValue, Options, PolicyKind, ReadMode, WriteOptions,
};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) ^ (self.0 >> 40)
    }
}

fn churn(policy: PolicyKind, shards: usize, max_bytes: u64, largest: u64, steps: u64) {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let cache = Cache::new(Options {
        max_bytes,
        policy,
        shards: Some(shards),
        compression: Compression::Lz4 { min_bytes: 512 },
        seed: Some(7),
        clock: clock.clone(),
        ..Options::default()
    })
    .unwrap();
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut model: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    for step in 0..steps {
        let key = format!("key:{}", random.next() % 5000).into_bytes();
        match random.next() % 16 {
            0..=7 => {
                let length =
                    if step % 50 == 0 { random.next() % (largest * 8).min(200_000) } else { random.next() % largest };
                let noisy = !random.next().is_multiple_of(3);
                let mut noise = Random(step);
                let bytes: Vec<u8> = (0..length).map(|_| if noisy { noise.next() as u8 } else { 7 }).collect();
                let expiry =
                    if random.next().is_multiple_of(5) { Expiry::In(random.next() % 2000 + 1) } else { Expiry::Never };
                let options = WriteOptions { expiry, ..WriteOptions::default() };
                cache.set(&key, NewValue { kind: Kind::Bytes, codec: 0, bytes: &bytes }, &options).unwrap();
                model.insert(key, bytes);
            }
            8 => {
                cache.delete(&key, Condition::Always).unwrap();
                model.remove(&key);
            }
            9 => {
                clock.advance(random.next() % 100);
                cache.maintain();
            }
            10 => {
                cache.set_expiry(&key, Expiry::In(5000)).unwrap();
            }
            _ => {
                cache.read(&key, ReadMode::Use, |found| {
                    assert!(model.get(&key).is_some_and(|value| value == found.bytes), "step {step}");
                });
            }
        }
        let stats = cache.stats();
        assert!(stats.bytes <= stats.max_bytes, "step {step}: {} bytes of {}", stats.bytes, stats.max_bytes);
        if step % 997 == 0 {
            cache.verify().unwrap_or_else(|what| panic!("step {step}: {what}"));
        }
        if step % 20_011 == 20_010 {
            cache.clear();
            model.clear();
            cache.verify().unwrap();
        }
    }
    while cache.maintain() {}
    cache.verify().unwrap();
    let stats = cache.stats();
    cache.close();
    assert!(cache.stats().bytes < stats.bytes || stats.entries == 0);
}

#[test]
fn small_values() {
    for policy in [PolicyKind::Lru, PolicyKind::Default] {
        churn(policy, 1, 1 << 20, 600, 100_000);
    }
}

#[test]
fn mixed_values_and_shards() {
    for policy in [PolicyKind::Lru, PolicyKind::Default] {
        churn(policy, 4, 4 << 20, 6_000, 60_000);
        churn(policy, 1, 2 << 20, 30_000, 30_000);
    }
}
