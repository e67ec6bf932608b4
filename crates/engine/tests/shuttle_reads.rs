//! Reads without the lock under explored schedules: `cargo test -p tandem-engine --features shuttle --test shuttle_reads`.
//!
//! Threads are interleaved at locks, at atomics and between the steps of a read. Shuttle runs every schedule as if memory
//! were sequentially consistent: what the processor may reorder is not seen here.
#![cfg(feature = "shuttle")]

use std::sync::Arc;

use shuttle::thread;
use tandem_engine::{Cache, Condition, Kind, NewValue, Options, ReadMode, WriteOptions};

const SCHEDULES: usize = 5_000;
/// Changes of priority in a schedule. Between them a thread runs on: a record is only replaced under a reader if the
/// writer gets through two operations at once, which a scheduler that tosses a coin at every step never lets it.
const DEPTH: usize = 3;

fn cache() -> Arc<Cache> {
    let options = Options { shards: Some(1), max_bytes: 4 << 20, seed: Some(1), ..Options::default() };
    Arc::new(Cache::new(options).unwrap())
}

/// Stores `len` bytes that are all alike.
fn set(cache: &Cache, key: &[u8], byte: u8, len: usize) {
    let bytes = &[byte; 64][..len];
    cache.set(key, NewValue { kind: Kind::Bytes, codec: 0, bytes }, &WriteOptions::default()).unwrap();
}

/// Version and bytes under `key`.
fn get(cache: &Cache, key: &[u8]) -> Option<(u64, Vec<u8>)> {
    cache.read(key, ReadMode::Use, |found| (found.version, found.bytes.to_vec()))
}

/// Runs `write` beside a thread that reads three times.
fn race(cache: &Arc<Cache>, write: impl FnOnce(&Cache) + Send + 'static, read: impl Fn(&Cache)) {
    let writer = thread::spawn({
        let cache = Arc::clone(cache);
        move || write(&cache)
    });
    for _ in 0..3 {
        read(cache);
    }
    writer.join().unwrap();
    cache.verify().unwrap();
}

#[test]
fn a_read_sees_one_overwrite_and_no_two() {
    shuttle::check_pct(
        || {
            let cache = cache();
            set(&cache, b"key", 1, 40);
            // In place, in place and shorter, and somewhere else. The versions of the only shard count the writes.
            let write =
                |cache: &Cache| [(2, 40), (3, 20), (4, 60)].iter().for_each(|&(n, len)| set(cache, b"key", n, len));
            race(&cache, write, |cache| {
                let (version, bytes) = get(cache, b"key").expect("the key is there all the time");
                let len = [0, 40, 40, 20, 60][version as usize];
                assert_eq!(bytes, vec![version as u8; len], "version {version}");
            });
        },
        SCHEDULES,
        DEPTH,
    );
}

#[test]
fn a_read_takes_nothing_from_another_record_in_the_same_place() {
    shuttle::check_pct(
        || {
            let cache = cache();
            set(&cache, b"one", 1, 40);
            // The only record of its segment: the next one lies where it lay.
            let write = |cache: &Cache| {
                assert!(cache.delete(b"one", Condition::Always).unwrap());
                set(cache, b"two", 2, 40);
                assert!(cache.delete(b"two", Condition::Always).unwrap());
                set(cache, b"one", 3, 40);
            };
            race(&cache, write, |cache| {
                let Some((version, bytes)) = get(cache, b"one") else { return };
                let byte = if version == 1 { 1 } else { 3 };
                assert_eq!(bytes, [byte; 40], "version {version}");
            });
        },
        SCHEDULES,
        DEPTH,
    );
}

#[test]
fn a_page_that_splits_hides_no_key() {
    // One entry less than makes a page of the index split.
    const FULL: u16 = 691;
    shuttle::check_random(
        || {
            let cache = cache();
            for number in 0..FULL {
                set(&cache, &number.to_le_bytes(), number as u8, 8);
            }
            let write = |cache: &Cache| (FULL..FULL + 2).for_each(|number| set(cache, &number.to_le_bytes(), 0, 8));
            // Half of the keys move.
            race(&cache, write, |cache| {
                for number in [3u16, 77, 500] {
                    let (_, bytes) = get(cache, &number.to_le_bytes()).expect("nothing went");
                    assert_eq!(bytes, [number as u8; 8]);
                }
            });
        },
        200,
    );
}
