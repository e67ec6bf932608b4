//! Transactions: all or nothing, for those who look on as for those who undo.

mod collections;
mod program;
mod threads;
mod told;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tandem_engine::{
    Cache, Compression, Condition, Error, Expiry, Found, Kind, NewValue, Options, PolicyKind, ReadMode, Scope, Stats,
    WriteOptions,
};

fn cache(shards: usize, max_bytes: u64) -> Cache {
    let compression = Compression::None;
    Cache::new(Options { shards: Some(shards), max_bytes, compression, seed: Some(7), ..Options::default() }).unwrap()
}

fn set(cache: &Cache, key: &[u8], bytes: &[u8]) {
    cache.set(key, NewValue { kind: Kind::Bytes, codec: 0, bytes }, &WriteOptions::default()).unwrap();
}

fn get(cache: &Cache, key: &[u8]) -> Option<Vec<u8>> {
    cache.read(key, ReadMode::Peek, |found| found.bytes.to_vec())
}

/// Everything that can be said about an entry.
type Entry = (Kind, u8, Vec<u8>, u64, Option<u64>, Option<u64>, u64);

fn entry(cache: &Cache, key: &[u8]) -> Option<Entry> {
    let all = |found: &Found<'_>| {
        let bytes = found.bytes.to_vec();
        (found.kind, found.codec, bytes, found.version, found.expires_at, found.idle_ttl_ms, found.cost)
    };
    cache.read(key, ReadMode::Peek, all)
}

/// What has to be the same again after an undone transaction.
fn footprint(stats: &Stats) -> [u64; 8] {
    let Stats { entries, cost, key_bytes, value_bytes, raw_value_bytes, sets, deletes, compressed, .. } = *stats;
    [entries, cost, key_bytes, value_bytes, raw_value_bytes, sets, deletes, compressed]
}

#[test]
fn an_error_undoes_everything_and_comes_back() {
    let cache = cache(4, 16 << 20);
    let (short, large) = (&b"short"[..], &b"large"[..]);
    set(&cache, short, b"1");
    set(&cache, large, &[5; 300_000]);
    cache.set_expiry(large, Expiry::At(1 << 50)).unwrap();
    let before = (entry(&cache, short), entry(&cache, large), footprint(&cache.stats()));
    let failed = cache.transaction(Scope::All, |held| {
        assert!(held.holds_all() && held.covers(short) && cache.in_transaction());
        set(&cache, short, b"2");
        cache.incr(b"new", 5).unwrap();
        cache.delete(large, Condition::Always).unwrap();
        assert_eq!((get(&cache, short), get(&cache, large)), (Some(b"2".to_vec()), None));
        Err::<(), _>(Error::Timeout)
    });
    assert_eq!(failed, Err(Error::Timeout));
    assert!(!cache.in_transaction());
    assert_eq!((entry(&cache, short), entry(&cache, large), footprint(&cache.stats())), before);
    assert_eq!(entry(&cache, b"new"), None);
    cache.verify().unwrap();
    let version = before.0.unwrap().3;
    set(&cache, short, b"3");
    assert!(entry(&cache, short).unwrap().3 > version + 1, "a version that was undone is not given out again");
}

#[test]
fn a_panic_undoes_everything_and_goes_on() {
    let cache = cache(4, 16 << 20);
    set(&cache, b"key", b"old");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        cache.transaction(Scope::Keys(&[b"key"]), |_| -> Result<(), Error> {
            set(&cache, b"key", b"new");
            panic!("in a transaction")
        })
    }));
    assert!(panicked.is_err() && !cache.in_transaction());
    assert_eq!(get(&cache, b"key"), Some(b"old".to_vec()));
    assert_eq!(cache.stats().resets, 0);
    set(&cache, b"key", b"works");
    cache.verify().unwrap();
}

#[test]
fn a_panic_under_the_lock_empties_that_shard_alone() {
    let cache = cache(4, 16 << 20);
    let keys: Vec<[u8; 1]> = (0..40).map(|key| [key]).collect();
    keys.iter().for_each(|key| set(&cache, key, b"old"));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        cache.transaction(Scope::All, |_| {
            keys.iter().for_each(|key| set(&cache, key, b"new"));
            // The shard was written to in this transaction, so the callback runs under its lock.
            cache.read(&keys[0], ReadMode::Use, |_| panic!("in a callback"));
            Ok::<_, Error>(())
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(cache.stats().resets, 1);
    let left: Vec<_> = keys.iter().filter_map(|key| get(&cache, key)).collect();
    assert!(!left.is_empty() && left.len() < keys.len());
    assert!(left.iter().all(|value| value == b"old"), "the other shards are as they were");
    cache.verify().unwrap();
}

#[test]
fn within_another_it_is_a_part_of_it() {
    let cache = cache(8, 16 << 20);
    let outer = cache.transaction(Scope::All, |_| {
        let inner = cache.transaction(Scope::Keys(&[b"a"]), |held| {
            assert!(held.holds_all());
            set(&cache, b"a", b"1");
            Err::<(), _>(Error::Timeout)
        });
        assert_eq!(inner, Err(Error::Timeout));
        Ok::<_, Error>(get(&cache, b"a"))
    });
    assert_eq!(outer, Ok(Some(b"1".to_vec())));
    assert_eq!(get(&cache, b"a"), Some(b"1".to_vec()));
    let too_far = cache.transaction(Scope::Keys(&[b"a"]), |_| cache.transaction(Scope::All, |_| Ok::<_, Error>(())));
    assert!(matches!(too_far, Err(Error::BadOption { option: "scope", .. })));
}

#[test]
fn two_caches_do_not_mix() {
    let (one, other) = (cache(2, 16 << 20), cache(2, 16 << 20));
    let both = one.transaction(Scope::All, |_| {
        set(&one, b"key", b"one");
        let failed = other.transaction(Scope::All, |_| {
            set(&other, b"key", b"other");
            set(&one, b"key", b"within");
            Err::<(), _>(Error::Timeout)
        });
        assert!(failed.is_err() && one.in_transaction() && !other.in_transaction());
        Ok::<_, Error>(())
    });
    assert_eq!(both, Ok(()));
    assert_eq!((get(&one, b"key"), get(&other, b"key")), (Some(b"within".to_vec()), None));
}

#[test]
fn a_clear_is_final() {
    let cache = cache(4, 16 << 20);
    set(&cache, b"old", b"1");
    let failed = cache.transaction(Scope::All, |held| {
        assert!(!held.is_final());
        cache.clear();
        assert!(held.is_final());
        set(&cache, b"new", b"2");
        Err::<(), _>(Error::Timeout)
    });
    assert!(failed.is_err());
    assert_eq!((get(&cache, b"old"), get(&cache, b"new")), (None, Some(b"2".to_vec())));
    cache.verify().unwrap();
}

#[test]
fn evictions_inside_keep_the_bound() {
    for (policy, shards) in [(PolicyKind::Default, 1), (PolicyKind::Default, 4), (PolicyKind::Lru, 1)] {
        let bounds = Options { shards: Some(shards), max_bytes: 1 << 20, seed: Some(3), ..Options::default() };
        let cache = Cache::new(Options { policy, compression: Compression::None, ..bounds }).unwrap();
        for key in 0..2_000u32 {
            set(&cache, &key.to_le_bytes(), &[1; 900]);
        }
        for round in 0..20u32 {
            let outcome = cache.transaction(Scope::Keys(&[b"a", b"b"]), |held| {
                let covered = (0..4_000u32).filter(|key| held.covers(&key.to_le_bytes()));
                for key in covered.take(1_500) {
                    let len = if key % 50 == 0 { 60_000 } else { 900 };
                    match cache.set(
                        &key.to_le_bytes(),
                        NewValue { kind: Kind::Bytes, codec: 0, bytes: &vec![2; len] },
                        &WriteOptions::default(),
                    ) {
                        Ok(_) | Err(Error::Overloaded { .. }) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                }
                if round % 2 == 0 { Ok(()) } else { Err(Error::Timeout) }
            });
            assert_eq!(outcome.is_ok(), round % 2 == 0);
            cache.verify().unwrap();
        }
        assert!(cache.stats().evictions > 0);
        assert_eq!(cache.stats().resets, 0);
    }
}
