//! Operations that wait, through the cache: what waits for whom, and who gets which value.

mod harness;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use harness::{Bench, Inbox, KEY, text_value};
use tandem_engine::gates::{Acquired, Cancelled, GateKind, Outcome, Request};
use tandem_engine::{
    Cache, Compression, Condition, Error, Expiry, Fill, Filled, Kind, Lease, LeaseMode, NewValue, Options, PolicyKind,
    ReadMode, Stable, WriteOptions,
};

#[test]
fn askers_of_one_load_get_the_loaded_value() {
    let bench = Bench::new();
    let token = bench.won(1);
    assert_eq!((bench.lease(2), bench.lease(3)), (Lease::Queued, Lease::Queued));
    assert!(matches!(bench.store(token, "loaded"), Ok(Filled::Stored { .. })));
    assert_eq!((bench.text_of(2), bench.text_of(3)), ("loaded".into(), "loaded".into()));
    assert_eq!(bench.lease(4), Lease::Hit);
    assert!(bench.at_rest());
}

#[test]
fn a_refresh_waits_for_nobody() {
    let bench = Bench::new();
    bench.set("old");
    let refresh = |ticket| bench.cache.lease(KEY, bench.request(GateKind::Load, ticket), LeaseMode::Refresh).unwrap();
    let Lease::Won { token } = refresh(1) else { panic!() };
    assert_eq!(refresh(2), Lease::Busy);
    assert_eq!(bench.lease(3), Lease::Hit);
    bench.store(token, "new").unwrap();
    assert_eq!(bench.get().as_deref(), Some("new"));
    assert!(bench.at_rest());
}

#[test]
fn every_immediate_change_overtakes_an_upsert() {
    type Change = fn(&Bench);
    let changes: [(&str, Change); 7] = [
        ("set", |bench| bench.set("2")),
        ("delete", |bench| assert!(bench.cache.delete(KEY, Condition::Always).unwrap())),
        ("take", |bench| assert!(bench.cache.take(KEY, |_| ()).unwrap().is_some())),
        ("incr", |bench| assert_eq!(bench.cache.incr(KEY, 1), Ok(2))),
        ("clear", |bench| bench.cache.clear()),
        ("expire now", |bench| assert!(bench.cache.set_expiry(KEY, Expiry::At(1)).unwrap())),
        ("set in the past", |bench| {
            let options = WriteOptions { expiry: Expiry::At(1), ..WriteOptions::default() };
            bench.cache.set(KEY, text_value("x"), &options).unwrap();
        }),
    ];
    for (name, change) in changes {
        let bench = Bench::new();
        bench.set("1");
        let token = bench.held(GateKind::Upsert, 1);
        assert_eq!(bench.gate(GateKind::Upsert, 2), Acquired::Queued, "{name}");
        change(&bench);
        assert_eq!(bench.inbox.next(1), Outcome::Ended(Error::Preempted), "{name}");
        assert_eq!(bench.store(token, "late"), Ok(Filled::Fenced), "{name}");
        assert_ne!(bench.get().as_deref(), Some("late"), "{name}");
        let token = bench.granted(2);
        assert!(matches!(bench.store(token, "next"), Ok(Filled::Stored { .. })), "{name}");
        assert!(bench.at_rest(), "{name}");
    }
}

#[test]
fn an_add_that_stores_overtakes_an_upsert() {
    let bench = Bench::new();
    bench.held(GateKind::Upsert, 1);
    let add = WriteOptions { condition: Condition::IfAbsent, ..WriteOptions::default() };
    assert!(bench.cache.set(KEY, text_value("1"), &add).unwrap().stored());
    assert_eq!(bench.inbox.next(1), Outcome::Ended(Error::Preempted));
}

#[test]
fn changes_that_do_not_commit_overtake_nothing() {
    let bench = Bench::new();
    bench.set("1");
    let token = bench.held(GateKind::Upsert, 1);
    let refused = |condition| WriteOptions { condition, ..WriteOptions::default() };
    let set = |options: &WriteOptions| bench.cache.set(KEY, text_value("x"), options);
    assert!(!set(&refused(Condition::IfAbsent)).unwrap().stored());
    assert!(!set(&refused(Condition::IfVersion(u64::MAX))).unwrap().stored());
    assert_eq!(set(&WriteOptions { cost: Some(0), ..WriteOptions::default() }), Err(Error::BadCost));
    assert!(!bench.cache.delete(KEY, Condition::IfVersion(u64::MAX)).unwrap());
    // Of its life time alone.
    assert!(bench.cache.set_expiry(KEY, Expiry::In(1_000_000)).unwrap());
    assert!(bench.cache.set_expiry(KEY, Expiry::Never).unwrap());
    // Of another key.
    bench.cache.set(b"other", text_value("x"), &WriteOptions::default()).unwrap();
    assert!(bench.inbox.is_empty());
    assert!(matches!(bench.store(token, "2"), Ok(Filled::Stored { .. })));
}

#[test]
fn askers_get_the_value_that_was_set_while_loading() {
    let bench = Bench::new();
    let token = bench.won(1);
    bench.lease(2);
    bench.set("set");
    bench.cache.delete(KEY, Condition::Always).unwrap();
    assert_eq!((bench.text_of(1), bench.text_of(2)), ("set".into(), "set".into()));
    assert_eq!(bench.store(token, "late"), Ok(Filled::Fenced));
    assert_eq!(bench.get(), None);
}

#[test]
fn askers_get_the_number_that_was_counted_while_loading() {
    let bench = Bench::new();
    bench.won(1);
    assert_eq!(bench.cache.incr(KEY, 5), Ok(5));
    let Outcome::Value(Some(value)) = bench.inbox.next(1) else { panic!() };
    assert_eq!((value.kind, &*value.bytes), (Kind::Integer, 5_i64.to_le_bytes().as_slice()));
}

#[test]
fn a_delete_of_an_absent_key_keeps_the_load_out_of_the_cache() {
    let bench = Bench::new();
    let token = bench.won(1);
    bench.lease(2);
    assert!(!bench.cache.delete(KEY, Condition::Always).unwrap());
    let newer = bench.won(3);
    assert_eq!(bench.store(token, "old"), Ok(Filled::NotStored));
    assert_eq!((bench.text_of(2), bench.get()), ("old".into(), None));
    bench.store(newer, "new").unwrap();
    assert_eq!(bench.get().as_deref(), Some("new"));
    assert!(bench.at_rest());
}

#[test]
fn a_value_that_is_too_large_reaches_the_askers_unstored() {
    let bench = Bench::new();
    let token = bench.won(1);
    bench.lease(2);
    let large = "x".repeat(17 << 20);
    assert!(matches!(bench.store(token, &large), Err(Error::TooLarge { .. })));
    assert_eq!(bench.text_of(2).len(), large.len());
    // Allowed by maxValueBytes, yet more than the cache holds.
    let token = bench.won(3);
    bench.lease(4);
    let large: String = (0..6 << 20).map(|at| char::from(b'!' + (at % 89) as u8 + (at / 89 % 4) as u8)).collect();
    let options = WriteOptions::default();
    let stored = bench.cache.fill(KEY, token, Fill::Store { value: text_value(&large), options: &options });
    if stored.is_err() {
        assert_eq!(bench.get(), None);
    }
    assert_eq!(bench.text_of(4).len(), large.len());
    assert!(bench.at_rest());
}

#[test]
fn an_upsert_whose_value_is_too_large_leaves_the_key_and_lets_it_go() {
    let bench = Bench::new();
    bench.set("old");
    let token = bench.held(GateKind::Upsert, 1);
    bench.gate(GateKind::Upsert, 2);
    assert!(matches!(bench.store(token, &"x".repeat(17 << 20)), Err(Error::TooLarge { .. })));
    assert_eq!(bench.get().as_deref(), Some("old"));
    bench.granted(2);
}

#[test]
fn inserts_and_updates_decide_in_their_turn() {
    let bench = Bench::new();
    let upsert = bench.held(GateKind::Upsert, 1);
    for (ticket, kind) in [(2, GateKind::Update), (3, GateKind::Insert), (4, GateKind::Insert), (5, GateKind::Update)] {
        assert_eq!(bench.gate(kind, ticket), Acquired::Queued);
    }
    assert_eq!(bench.cache.fill(KEY, upsert, Fill::Keep), Ok(Filled::Ended));
    assert_eq!(bench.store_if(bench.granted(2), "2", Condition::IfPresent), Ok(Filled::ConditionFailed));
    assert!(matches!(bench.store_if(bench.granted(3), "3", Condition::IfAbsent), Ok(Filled::Stored { .. })));
    assert_eq!(bench.store_if(bench.granted(4), "4", Condition::IfAbsent), Ok(Filled::ConditionFailed));
    assert!(matches!(bench.store_if(bench.granted(5), "5", Condition::IfPresent), Ok(Filled::Stored { .. })));
    assert_eq!(bench.get().as_deref(), Some("5"));
    assert!(bench.at_rest());
}

#[test]
fn an_upsert_may_delete() {
    let bench = Bench::new();
    bench.set("old");
    let token = bench.held(GateKind::Upsert, 1);
    assert_eq!(bench.cache.fill(KEY, token, Fill::Delete), Ok(Filled::Ended));
    assert_eq!(bench.get(), None);
    assert!(bench.at_rest());
}

#[test]
fn stable_reads_what_is_there_once_nothing_is_in_flight() {
    let bench = Bench::new();
    bench.set("old");
    let Stable::Value(value) = bench.stable(1) else { panic!() };
    assert_eq!(&*value.bytes, b"old");
    let token = bench.held(GateKind::Upsert, 2);
    bench.gate(GateKind::Upsert, 3);
    assert_eq!(bench.stable(4), Stable::Queued);
    bench.store(token, "2").unwrap();
    let token = bench.granted(3);
    assert!(bench.inbox.is_empty());
    assert_eq!(bench.cache.fill(KEY, token, Fill::Keep), Ok(Filled::Ended));
    assert_eq!(bench.text_of(4), "2");
    assert!(bench.at_rest());
}

#[test]
fn stable_waits_for_an_absent_key_and_reads_compressed_values() {
    let bench = Bench::new();
    assert_eq!(bench.stable(1), Stable::Queued);
    let long = "compressible ".repeat(200);
    bench.set(&long);
    assert_eq!(bench.text_of(1), long);
    let token = bench.held(GateKind::Upsert, 2);
    assert_eq!(bench.stable(3), Stable::Queued);
    assert_eq!(bench.cache.cancel(KEY, 2, 2), Cancelled::Left);
    assert_eq!(bench.text_of(3), long);
    assert_eq!(bench.store(token, "late"), Ok(Filled::Fenced));
    assert!(bench.at_rest());
}

#[test]
fn deadlines_are_kept_by_maintenance() {
    let bench = Bench::new();
    let request = Request { hold_ms: Some(0), ..bench.request(GateKind::Upsert, 1) };
    let Ok(Acquired::Granted { token }) = bench.cache.gate(KEY, request) else { panic!() };
    bench.gate(GateKind::Upsert, 2);
    bench.cache.maintain();
    assert_eq!(bench.inbox.next(1), Outcome::Ended(Error::Timeout));
    assert_eq!(bench.store(token, "late"), Ok(Filled::Fenced));
    bench.store(bench.granted(2), "next").unwrap();
    assert_eq!(bench.get().as_deref(), Some("next"));
}

#[test]
fn failures_reach_the_askers_and_are_bounded() {
    let bench = Bench::new();
    let token = bench.won(1);
    bench.lease(2);
    let long = vec![0; (64 << 10) + 1];
    assert!(matches!(bench.cache.fill(KEY, token, Fill::Fail(&long)), Err(Error::BadOption { .. })));
    assert_eq!(bench.cache.fill(KEY, token, Fill::Fail(b"boom")), Ok(Filled::Ended));
    assert_eq!(bench.inbox.next(2), Outcome::Failed(b"boom".as_slice().into()));
}

#[test]
fn gates_are_charged_and_given_back() {
    let bench = Bench::new();
    for number in 0..20_000_u64 {
        let value = NewValue { kind: Kind::Bytes, codec: 0, bytes: &[7; 200] };
        bench.cache.set(&number.to_le_bytes(), value, &WriteOptions::default()).unwrap();
    }
    for ticket in 0..5_000 {
        bench.gate(GateKind::Upsert, ticket);
        let stats = bench.cache.stats();
        assert!(stats.bytes <= stats.max_bytes, "{} of {}", stats.bytes, stats.max_bytes);
    }
    bench.cache.verify().unwrap();
    let with_gates = bench.cache.stats().overhead_bytes;
    for owner in 0..5_000 {
        bench.cache.owner_gone(owner);
    }
    let without = bench.cache.stats().overhead_bytes;
    assert!(with_gates > without + 5_000 * 64, "{with_gates} with, {without} without");
    assert_eq!(bench.cache.stats().gates, 0);
    bench.cache.verify().unwrap();
}

#[test]
fn gates_take_a_quarter_of_the_memory_at_most() {
    let bench = Bench::new();
    let refused = (0..100_000_u64).find_map(|ticket| {
        let request = Request { hold_ms: Some(30_000), ..bench.request(GateKind::Upsert, ticket) };
        bench.cache.gate(&ticket.to_le_bytes(), request).err()
    });
    assert!(matches!(refused, Some(Error::Overloaded { .. })));
    let stats = bench.cache.stats();
    assert!(stats.gates > 1_000 && stats.bytes <= stats.max_bytes);
    bench.cache.verify().unwrap();
    bench.cache.clear();
    assert_eq!(bench.cache.stats().gates, 0);
    assert!(matches!(bench.lease(1), Lease::Won { .. }));
}

/// To the gates, the loss of a shard's content is a clear.
#[test]
fn a_panic_under_the_lock_overtakes_and_leaves_nobody_waiting() {
    let options = Options { max_bytes: 4 << 20, policy: PolicyKind::Lru, ..Options::default() };
    let bench = Bench { cache: Cache::new(options).unwrap(), inbox: Arc::default() };
    bench.set("1");
    let token = bench.held(GateKind::Upsert, 1);
    bench.gate(GateKind::Upsert, 2);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        bench.cache.read(KEY, ReadMode::Peek, |_| panic!("on purpose"))
    }));
    assert!(panicked.is_err());
    assert_eq!(bench.inbox.next(1), Outcome::Ended(Error::Preempted));
    assert_eq!(bench.store(token, "late"), Ok(Filled::Fenced));
    assert_eq!(bench.get(), None);
    assert!(matches!(bench.store(bench.granted(2), "2"), Ok(Filled::Stored { .. })));
    assert_eq!(bench.cache.stats().resets, 1);
    assert!(bench.at_rest());
}

#[test]
fn close_answers_every_waiter() {
    let bench = Bench::new();
    let token = bench.won(1);
    bench.lease(2);
    bench.gate(GateKind::Upsert, 3);
    bench.stable(4);
    bench.cache.close();
    for ticket in 1..=4 {
        assert_eq!(bench.inbox.next(ticket), Outcome::Ended(Error::Closed));
    }
    assert_eq!(bench.store(token, "late"), Err(Error::Closed));
    let late = bench.cache.lease(KEY, bench.request(GateKind::Load, 5), LeaseMode::IfMissing);
    assert_eq!(late, Err(Error::Closed));
}

#[test]
fn keys_beyond_the_limit_are_refused() {
    let bench = Bench::new();
    let key = vec![0; 65_536];
    let refused = bench.cache.gate(&key, bench.request(GateKind::Upsert, 1));
    assert_eq!(refused, Err(Error::KeyTooLong { bytes: 65_536 }));
}

/// Threads add to one number by upserts only: every one of them must count.
#[test]
fn upserts_of_many_threads_are_one_sequence() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 500;
    let options = Options { max_bytes: 4 << 20, compression: Compression::None, ..Options::default() };
    let cache = Arc::new(Cache::new(options).unwrap());
    let threads: Vec<_> = (1..=THREADS)
        .map(|owner| {
            let cache = Arc::clone(&cache);
            std::thread::spawn(move || {
                let inbox = Arc::new(Inbox::default());
                for ticket in 0..ROUNDS {
                    let request = Request { kind: GateKind::Upsert, owner, ticket, hold_ms: None, wake: inbox.clone() };
                    let token = match cache.gate(KEY, request).unwrap() {
                        Acquired::Granted { token } => token,
                        Acquired::Queued => match inbox.next(ticket) {
                            Outcome::Granted { token } => token,
                            other => panic!("{other:?}"),
                        },
                    };
                    let old = cache.read(KEY, ReadMode::Peek, |found| found.integer().unwrap()).unwrap_or(0);
                    let value = NewValue { kind: Kind::Integer, codec: 0, bytes: &(old + 1).to_le_bytes() };
                    let fill = Fill::Store { value, options: &WriteOptions::default() };
                    assert!(matches!(cache.fill(KEY, token, fill), Ok(Filled::Stored { .. })));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let sum = cache.read(KEY, ReadMode::Peek, |found| found.integer().unwrap());
    assert_eq!(sum, Some((THREADS * ROUNDS) as i64));
    assert_eq!(cache.stats().gates, 0);
}

/// 1,000 misses at once over 4 threads, again and again: one load each time.
#[test]
fn concurrent_misses_run_one_load() {
    const THREADS: u64 = 4;
    let cache = Arc::new(Cache::new(Options { max_bytes: 4 << 20, ..Options::default() }).unwrap());
    let loads = Arc::new(AtomicU64::new(0));
    let start = Arc::new(Barrier::new(THREADS as usize));
    let threads: Vec<_> = (1..=THREADS)
        .map(|owner| {
            let (cache, loads, start) = (Arc::clone(&cache), Arc::clone(&loads), Arc::clone(&start));
            std::thread::spawn(move || {
                let inbox = Arc::new(Inbox::default());
                for round in 0..20_u64 {
                    let key = round.to_le_bytes();
                    start.wait();
                    let mut won = None;
                    let mut queued = Vec::new();
                    for ticket in round * 250..(round + 1) * 250 {
                        let request =
                            Request { kind: GateKind::Load, owner, ticket, hold_ms: None, wake: inbox.clone() };
                        match cache.lease(&key, request, LeaseMode::IfMissing).unwrap() {
                            Lease::Won { token } => won = Some(token),
                            Lease::Queued => queued.push(ticket),
                            Lease::Hit => {}
                            Lease::Busy => panic!("busy without a refresh"),
                        }
                    }
                    if let Some(token) = won {
                        loads.fetch_add(1, Ordering::Relaxed);
                        let fill = Fill::Store { value: text_value("loaded"), options: &WriteOptions::default() };
                        assert!(matches!(cache.fill(&key, token, fill), Ok(Filled::Stored { .. })));
                    }
                    for ticket in queued {
                        assert!(matches!(inbox.next(ticket), Outcome::Value(Some(_))));
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(loads.load(Ordering::Relaxed), 20);
    assert_eq!(cache.stats().gates, 0);
}
