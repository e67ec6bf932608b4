//! What others learn of a transaction: the change stream, those who watch, those who wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tandem_engine::gates::{GateKind, Outcome, Request, Wake};
use tandem_engine::{
    Cache, ChangeKind, ChangeLimits, Condition, Error, Expiry, ManualClock, Options, Scope, WatchFlag,
};

use super::{cache, set};

#[test]
fn the_stream_tells_of_it_at_the_end_and_only_if_it_holds() {
    let cache = cache(4, 16 << 20);
    set(&cache, b"a", b"1");
    let stream = cache.changes(ChangeLimits { changes: 100, bytes: usize::MAX }, true);
    let write = |outcome: Result<(), Error>| {
        cache.transaction(Scope::All, |_| {
            set(&cache, b"a", b"2");
            set(&cache, b"b", b"3");
            cache.delete(b"a", Condition::Always)?;
            assert_eq!(stream.drain(10), Vec::new());
            outcome
        })
    };
    write(Err(Error::Timeout)).unwrap_err();
    assert_eq!(stream.drain(10), Vec::new());
    write(Ok(())).unwrap();
    let told: Vec<_> = stream.drain(10).into_iter().map(|change| (change.key, change.kind)).collect();
    // In the order of what was done, whichever shards the keys belong to.
    assert_eq!(
        told,
        [
            (b"a".to_vec(), ChangeKind::Replaced),
            (b"b".to_vec(), ChangeKind::Added),
            (b"a".to_vec(), ChangeKind::Deleted)
        ]
    );
}

#[test]
fn what_goes_by_itself_is_told_even_if_the_rest_is_undone() {
    let clock = Arc::new(ManualClock::new(1_000));
    let cache = Cache::new(Options { clock: clock.clone(), max_bytes: 16 << 20, ..Options::default() }).unwrap();
    set(&cache, b"gone", b"1");
    cache.set_expiry(b"gone", Expiry::In(10)).unwrap();
    clock.advance(20);
    let stream = cache.changes(ChangeLimits { changes: 100, bytes: usize::MAX }, false);
    let undone = cache.transaction(Scope::All, |_| {
        set(&cache, b"gone", b"2");
        Err::<(), _>(Error::Timeout)
    });
    undone.unwrap_err();
    let told: Vec<_> = stream.drain(10).into_iter().map(|change| (change.key, change.kind)).collect();
    assert_eq!(told, [(b"gone".to_vec(), ChangeKind::Expired)]);
    assert!(!cache.contains(b"gone"));
}

#[test]
fn a_watched_key_marks_its_flag_once_a_change_is_committed() {
    let clock = Arc::new(ManualClock::new(1_000));
    let cache = Cache::new(Options { clock: clock.clone(), max_bytes: 16 << 20, ..Options::default() }).unwrap();
    let watched = |change: &dyn Fn(&Cache)| {
        cache.clear();
        set(&cache, b"key", b"1");
        cache.set_expiry(b"key", Expiry::In(100)).unwrap();
        let flag = Arc::new(WatchFlag::default());
        cache.watch(b"key", &flag).unwrap();
        change(&cache);
        cache.unwatch(b"key", &flag);
        let is_dirty = flag.is_dirty();
        set(&cache, b"key", b"2");
        assert_eq!(flag.is_dirty(), is_dirty, "nobody watches any more");
        is_dirty
    };
    assert!(!watched(&|_| {}));
    assert!(!watched(&|cache| set(cache, b"other", b"2")));
    assert!(watched(&|cache| set(cache, b"key", b"2")));
    assert!(watched(&|cache| drop(cache.delete(b"key", Condition::Always))));
    assert!(watched(&|cache| drop(cache.set_expiry(b"key", Expiry::Never))));
    assert!(watched(&|cache| cache.clear()));
    assert!(watched(&|cache| {
        clock.advance(100);
        assert!(!cache.contains(b"key"));
    }));
    let within = |outcome: Result<(), Error>| {
        watched(&|cache| {
            drop(cache.transaction(Scope::All, |_| {
                set(cache, b"key", b"2");
                outcome.clone()
            }));
        })
    };
    assert!(within(Ok(())));
    assert!(!within(Err(Error::Timeout)), "what was undone has not happened");
}

#[test]
fn an_eviction_marks_those_who_watch() {
    let cache = cache(1, 1 << 20);
    set(&cache, b"key", b"1");
    let flag = Arc::new(WatchFlag::default());
    cache.watch(b"key", &flag).unwrap();
    for key in 0..5_000u32 {
        set(&cache, &key.to_le_bytes(), &[0; 1_000]);
    }
    assert_eq!(flag.is_dirty(), !cache.contains(b"key"));
    assert!(flag.is_dirty());
}

#[derive(Default)]
struct Posts(AtomicUsize);

impl Wake for Posts {
    fn wake(&self, _ticket: u64, outcome: Outcome) {
        assert_eq!(outcome, Outcome::Ended(Error::Preempted));
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn an_upsert_in_flight_is_overtaken_by_a_commit_alone() {
    let cache = cache(4, 16 << 20);
    let posts = Arc::new(Posts::default());
    let request = Request { kind: GateKind::Upsert, owner: 1, ticket: 1, hold_ms: None, wake: posts.clone() };
    cache.gate(b"key", request).unwrap();
    let write = |outcome: Result<(), Error>| {
        cache.transaction(Scope::All, |_| {
            set(&cache, b"key", b"1");
            outcome
        })
    };
    write(Err(Error::Timeout)).unwrap_err();
    assert_eq!(posts.0.load(Ordering::SeqCst), 0);
    write(Ok(())).unwrap();
    assert_eq!(posts.0.load(Ordering::SeqCst), 1);
}
