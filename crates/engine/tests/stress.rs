//! Threads on one cache. Values say which key they belong to and carry their own checksum, so that a torn, foreign or
//! freed one is noticed.

use std::sync::atomic::{AtomicBool, Ordering};

use tandem_engine::{
    Cache, Compression, Condition, Error, Expiry, Kind, LargeValue, NewValue, Options, PolicyKind, ReadMode,
    WriteOptions,
};

const KEYS: u64 = 400;
const MAX_BYTES: u64 = 8 << 20;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) ^ (self.0 >> 40)
    }
}

fn value(key: u64, seed: u64, len: usize, compressible: bool) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = Vec::with_capacity(len + 24);
    bytes.extend_from_slice(&key.to_le_bytes());
    bytes.extend((0..len).map(|at| if compressible { (at / 64) as u8 } else { random.next() as u8 }));
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn check(key: u64, bytes: &[u8]) {
    let (body, sum) = bytes.split_at(bytes.len() - 8);
    assert_eq!(sum, checksum(body).to_le_bytes(), "a torn value under {key}");
    assert_eq!(&body[..8], key.to_le_bytes(), "a foreign value under {key}");
}

fn work(cache: &Cache, seed: u64, steps: u32) {
    let mut random = Random(seed);
    let mut held: Vec<(u64, LargeValue)> = Vec::new();
    for step in 0..steps {
        let number = random.next() % KEYS;
        let key = number.to_le_bytes();
        match random.next() % 20 {
            0..=6 => {
                let len = match random.next() % 20 {
                    0 => 150_000,
                    1..=3 => 6_000,
                    _ => random.next() as usize % 900,
                };
                let bytes = value(number, random.next(), len, random.next().is_multiple_of(3));
                let expiry = if random.next().is_multiple_of(4) { Expiry::In(3) } else { Expiry::Never };
                let options = WriteOptions { expiry, ..WriteOptions::default() };
                match cache.set(&key, NewValue { kind: Kind::Bytes, codec: 0, bytes: &bytes }, &options) {
                    Ok(_) | Err(Error::Overloaded { .. }) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            7 => drop(cache.delete(&key, Condition::Always).unwrap()),
            8 => drop(cache.take(&key, |found| check(number, found.bytes)).unwrap()),
            9 => match cache.set_expiry(&key, Expiry::In(5)) {
                Ok(_) | Err(Error::Overloaded { .. }) => {}
                Err(other) => panic!("{other:?}"),
            },
            10 => drop(cache.maintain()),
            11 => {
                // Referenced values stay what they are, whatever happens to the cache meanwhile.
                held.retain(|(number, large)| {
                    check(*number, large);
                    !step.is_multiple_of(3)
                });
                let large = cache.read(&key, ReadMode::Use, |found| found.shared.cloned()).flatten();
                held.extend(large.filter(|_| held.len() < 4).map(|large| (number, large)));
            }
            _ => drop(cache.read(&key, ReadMode::Use, |found| check(number, found.bytes))),
        }
    }
}

fn stress(policy: PolicyKind, shards: usize) {
    let cache = Cache::new(Options {
        policy,
        shards: Some(shards),
        max_bytes: MAX_BYTES,
        compression: Compression::Lz4 { min_bytes: 512 },
        ..Options::default()
    })
    .unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|thread| {
                scope.spawn({
                    let cache = &cache;
                    move || work(cache, 77 + thread, 8_000)
                })
            })
            .collect();
        scope.spawn(|| {
            let mut rounds = 0u64;
            while !done.load(Ordering::Relaxed) {
                rounds += 1;
                assert!(cache.stats().bytes <= MAX_BYTES);
                cache.resize(if rounds.is_multiple_of(2) { MAX_BYTES } else { MAX_BYTES * 3 / 4 }).unwrap();
                if rounds.is_multiple_of(16) {
                    cache.clear();
                }
                let mut cursor = 0;
                loop {
                    cursor = cache.scan(cursor, &mut Vec::new());
                    if cursor == 0 {
                        break;
                    }
                }
            }
        });
        let results: Vec<_> = workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        for result in results {
            result.unwrap();
        }
    });
    while cache.maintain() {}
    assert_eq!(cache.stats().resets, 0);
    cache.verify().unwrap();
    cache.close();
    let empty = Cache::new(cache.options().clone()).unwrap();
    empty.close();
    assert_eq!(cache.stats().bytes, empty.stats().bytes, "every byte came back");
}

#[test]
fn threads_share_the_default_policy() {
    stress(PolicyKind::Default, 4);
    stress(PolicyKind::Default, 1);
}

#[test]
fn threads_share_exact_lru() {
    stress(PolicyKind::Lru, 4);
    stress(PolicyKind::Lru, 1);
}

#[test]
fn no_race_passes_the_bounds_on_entries_and_cost() {
    for policy in [PolicyKind::Default, PolicyKind::Lru] {
        let options =
            Options { policy, shards: Some(4), max_entries: Some(60), max_cost: Some(90), ..Options::default() };
        for round in 0..200 {
            let cache = Cache::new(Options { max_bytes: MAX_BYTES, ..options.clone() }).unwrap();
            std::thread::scope(|scope| {
                for thread in 0..4u64 {
                    let cache = &cache;
                    scope.spawn(move || {
                        for key in 0..60u64 {
                            let options = WriteOptions { cost: Some(1 + (key + round) % 3), ..WriteOptions::default() };
                            let value = NewValue { kind: Kind::Bytes, codec: 0, bytes: b"v" };
                            cache.set(&(key * 4 + thread).to_le_bytes(), value, &options).unwrap();
                        }
                    });
                }
            });
            let stats = cache.stats();
            assert!(stats.entries <= 60 && stats.cost <= 90, "{} entries, cost {}", stats.entries, stats.cost);
            assert!(stats.cost > 60, "no more is evicted than has to be: {}", stats.cost);
            cache.verify().unwrap();
        }
    }
}

/// A key that exists throughout a scan appears exactly once, however the cache changes meanwhile.
#[test]
fn a_scan_meets_every_lasting_key_once() {
    const LASTING: u64 = 3_000;
    for (policy, shards) in [(PolicyKind::Default, 1), (PolicyKind::Lru, 4)] {
        let options = Options { policy, shards: Some(shards), max_bytes: 256 << 20, ..Options::default() };
        let cache = Cache::new(options).unwrap();
        let set = |key: u64, len: usize| {
            let bytes = vec![key as u8; len];
            cache
                .set(
                    &key.to_le_bytes(),
                    NewValue { kind: Kind::Bytes, codec: 0, bytes: &bytes },
                    &WriteOptions::default(),
                )
                .unwrap();
        };
        (0..LASTING).for_each(|key| set(key, 20));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut random = Random(5);
                let mut newest = LASTING + 4;
                while !done.load(Ordering::Relaxed) && newest < 400_000 {
                    // Growth splits pages, rewrites move records, deletes leave dead ones.
                    set(newest, 10);
                    set(random.next() % LASTING, random.next() as usize % 300);
                    if newest.is_multiple_of(4) {
                        cache.delete(&(newest - 3).to_le_bytes(), Condition::Always).unwrap();
                    }
                    newest += 1;
                }
            });
            for _ in 0..25 {
                let (mut cursor, mut found, mut seen) = (0, Vec::new(), vec![0u32; LASTING as usize]);
                loop {
                    cursor = cache.scan(cursor, &mut found);
                    for entry in found.drain(..) {
                        let key = u64::from_le_bytes(entry.key.as_slice().try_into().unwrap());
                        if key < LASTING {
                            seen[key as usize] += 1;
                        }
                    }
                    if cursor == 0 {
                        break;
                    }
                }
                assert!(seen.iter().all(|&count| count == 1), "{:?}", seen.iter().position(|&count| count != 1));
            }
            done.store(true, Ordering::Relaxed);
            writer.join().unwrap();
        });
        cache.verify().unwrap();
    }
}
