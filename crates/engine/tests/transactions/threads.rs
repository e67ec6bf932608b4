//! Transactions against each other and against readers that take no lock.

use std::sync::atomic::{AtomicBool, Ordering};

use tandem_engine::{Cache, Error, ReadMode, Scope};

use super::{cache, set};

const ACCOUNTS: u32 = 16;
const TOTAL: u64 = ACCOUNTS as u64 * 1_000;

fn key(account: u32) -> [u8; 4] {
    account.to_le_bytes()
}

fn balance(cache: &Cache, account: u32) -> u64 {
    cache.read(&key(account), ReadMode::Use, |found| u64::from_le_bytes(found.bytes.try_into().unwrap())).unwrap()
}

/// Reads all accounts without a lock; again inside a transaction where one came in between.
fn sum(cache: &Cache) -> u64 {
    let read = || (0..ACCOUNTS).map(|account| balance(cache, account)).sum();
    let before = cache.commits();
    let sum = read();
    if before.steady && cache.commits() == before {
        return sum;
    }
    cache.transaction(Scope::All, |_| Ok::<_, Error>(read())).unwrap()
}

#[test]
fn nobody_sees_half_a_transfer() {
    let cache = cache(8, 16 << 20);
    (0..ACCOUNTS).for_each(|account| set(&cache, &key(account), &1_000u64.to_le_bytes()));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3u32)
            .map(|thread| {
                let cache = &cache;
                scope.spawn(move || {
                    let mut random = thread;
                    for round in 0..6_000u32 {
                        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let (from, to) = ((random >> 8) % ACCOUNTS, (random >> 16) % ACCOUNTS);
                        let (from_key, to_key) = (key(from), key(to));
                        let keys: [&[u8]; 2] = [&from_key, &to_key];
                        let scope = if round % 64 == 0 { Scope::All } else { Scope::Keys(&keys) };
                        let outcome = cache.transaction(scope, |_| {
                            let amount = balance(cache, from).min(u64::from(random % 50));
                            set(cache, &from_key, &(balance(cache, from) - amount).to_le_bytes());
                            set(cache, &to_key, &(balance(cache, to) + amount).to_le_bytes());
                            if round % 3 == 0 { Err(Error::Timeout) } else { Ok(()) }
                        });
                        assert_eq!(outcome.is_ok(), round % 3 != 0);
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(sum(&cache), TOTAL);
                }
            });
        }
        let results: Vec<_> = writers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        results.into_iter().for_each(|result| result.unwrap());
    });
    assert_eq!(sum(&cache), TOTAL);
    assert_eq!(cache.stats().resets, 0);
    cache.verify().unwrap();
}

#[test]
fn a_transaction_that_needs_room_waits_for_nobody() {
    let cache = cache(4, 4 << 20);
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let cache = &cache;
            scope.spawn(move || {
                for round in 0..1_500u32 {
                    let keys = [(round * 7 + thread).to_le_bytes(), (round * 13 + thread).to_le_bytes()];
                    let keys = [keys[0].as_slice(), keys[1].as_slice()];
                    let outcome = cache.transaction(Scope::Keys(&keys), |_| {
                        set(cache, keys[0], &[1; 3_000]);
                        set(cache, keys[1], &[2; 50_000]);
                        if round % 2 == 0 { Ok(()) } else { Err(Error::Timeout) }
                    });
                    assert_eq!(outcome.is_ok(), round % 2 == 0);
                }
            });
        }
    });
    assert!(cache.stats().evictions > 0);
    assert_eq!(cache.stats().resets, 0);
    cache.verify().unwrap();
}
