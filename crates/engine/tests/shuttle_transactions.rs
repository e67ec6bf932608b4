//! Transactions under explored schedules:
//! `cargo test -p tandem-engine --features shuttle --test shuttle_transactions`.
#![cfg(feature = "shuttle")]

use std::sync::Arc;

use shuttle::thread;
use tandem_engine::{Cache, Error, Kind, NewValue, Options, ReadMode, Scope, WriteOptions};

const SCHEDULES: usize = 2_000;

fn set(cache: &Cache, key: &[u8], value: u64) {
    let value = NewValue { kind: Kind::Bytes, codec: 0, bytes: &value.to_le_bytes() };
    cache.set(key, value, &WriteOptions::default()).unwrap();
}

fn get(cache: &Cache, key: &[u8]) -> u64 {
    cache.read(key, ReadMode::Use, |found| u64::from_le_bytes(found.bytes.try_into().unwrap())).unwrap()
}

/// Two keys of different shards.
fn keys(cache: &Cache) -> [Vec<u8>; 2] {
    let first = vec![0];
    let apart =
        |key: &Vec<u8>| cache.transaction(Scope::Keys(&[&first]), |held| Ok::<_, Error>(!held.covers(key))).unwrap();
    let second = (1..).map(|number| vec![number]).find(apart).unwrap();
    [first, second]
}

#[test]
fn transfers_keep_the_sum_and_meet_in_any_order() {
    shuttle::check_random(
        || {
            let options = Options { shards: Some(2), max_bytes: 4 << 20, seed: Some(1), ..Options::default() };
            let cache = Arc::new(Cache::new(options).unwrap());
            let keys = Arc::new(keys(&cache));
            keys.iter().for_each(|key| set(&cache, key, 10));
            let writers: Vec<_> = [(0, 1, true), (1, 0, false)]
                .into_iter()
                .map(|(from, to, commits)| {
                    let (cache, keys) = (Arc::clone(&cache), Arc::clone(&keys));
                    thread::spawn(move || {
                        let outcome = cache.transaction(Scope::Keys(&[&keys[0], &keys[1]]), |_| {
                            set(&cache, &keys[from], get(&cache, &keys[from]) - 3);
                            thread::yield_now();
                            set(&cache, &keys[to], get(&cache, &keys[to]) + 3);
                            if commits { Ok(()) } else { Err(Error::Timeout) }
                        });
                        assert_eq!(outcome.is_ok(), commits);
                    })
                })
                .collect();
            let reader = {
                let (cache, keys) = (Arc::clone(&cache), Arc::clone(&keys));
                thread::spawn(move || {
                    let read = || (get(&cache, &keys[0]), get(&cache, &keys[1]));
                    let before = cache.commits();
                    let mut seen = read();
                    if !before.steady || cache.commits() != before {
                        seen = cache.transaction(Scope::All, |_| Ok::<_, Error>(read())).unwrap();
                    }
                    assert!(seen == (10, 10) || seen == (7, 13), "{seen:?}");
                })
            };
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            reader.join().unwrap();
            assert_eq!((get(&cache, &keys[0]), get(&cache, &keys[1])), (7, 13));
        },
        SCHEDULES,
    );
}
