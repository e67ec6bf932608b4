//! The change stream, and what a panic under a shard's lock leaves behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tandem_engine::{
    Cache, Change, ChangeKind, ChangeLimits, ChangeStream, Condition, Expiry, Kind, NewValue, Options, Origin,
    PolicyKind, ReadMode, WriteOptions,
};

fn cache(shards: usize) -> Cache {
    Cache::new(Options { policy: PolicyKind::Lru, shards: Some(shards), max_bytes: 16 << 20, ..Options::default() })
        .unwrap()
}

fn set(cache: &Cache, key: &[u8], bytes: &[u8]) {
    cache.set(key, NewValue { kind: Kind::Bytes, codec: 0, bytes }, &WriteOptions::default()).unwrap();
}

fn listen(cache: &Cache, changes: usize, with_values: bool) -> ChangeStream {
    cache.changes(ChangeLimits { changes, bytes: usize::MAX }, with_values)
}

#[test]
fn changes_of_a_key_come_in_order_with_rising_versions() {
    let cache = Arc::new(cache(4));
    let stream = listen(&cache, 1 << 20, true);
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let cache = &cache;
            scope.spawn(move || {
                for round in 0..2_000u32 {
                    let key = [(round % 7) as u8];
                    match round % 5 {
                        0 => drop(cache.delete(&key, Condition::Always).unwrap()),
                        1 => drop(cache.set_expiry(&key, Expiry::In(1 << 30)).unwrap()),
                        _ => set(cache, &key, &[thread; 30]),
                    }
                }
            });
        }
    });
    let mut there = [false; 7];
    let mut versions = [0; 7];
    for change in stream.drain(usize::MAX) {
        let key = usize::from(change.key[0]);
        assert!(change.version > versions[key], "{change:?}");
        versions[key] = change.version;
        assert_eq!(there[key], change.kind != ChangeKind::Added, "{change:?}");
        assert_eq!(change.old.is_some(), matches!(change.kind, ChangeKind::Replaced | ChangeKind::Deleted));
        there[key] = change.kind != ChangeKind::Deleted;
    }
    for key in 0..7u8 {
        assert_eq!(cache.contains(&[key]), there[usize::from(key)]);
    }
}

#[test]
fn an_overflow_says_gap_and_goes_on() {
    let cache = cache(1);
    let stream = listen(&cache, 4, false);
    for key in 0..10u8 {
        set(&cache, &[key], b"v");
    }
    let changes = stream.drain(usize::MAX);
    assert_eq!(changes[0].kind, ChangeKind::Gap);
    assert!(changes.len() <= 4);
    assert_eq!(changes.last().map(|change| change.key.clone()), Some(vec![9]));
    set(&cache, &[1], b"w");
    assert_eq!(stream.drain(usize::MAX)[0].kind, ChangeKind::Replaced);
    drop(stream);
    set(&cache, &[2], b"w");
    assert!(listen(&cache, 4, false).drain(usize::MAX).is_empty(), "a new stream begins with what comes after it");
}

#[test]
fn bytes_that_wait_are_bounded_like_their_number() {
    let bytes = 10_000;
    let cache = cache(1);
    let stream = cache.changes(ChangeLimits { changes: 1_000, bytes }, true);
    let waiting = |drained: &[Change]| drained.iter().map(Change::bytes).sum::<usize>();
    for round in 0..100u8 {
        set(&cache, b"key", &[round; 700]);
    }
    let drained = stream.drain(usize::MAX);
    assert_eq!(drained[0].kind, ChangeKind::Gap);
    assert!(drained.len() > 2 && waiting(&drained) <= bytes, "{} changes", drained.len());
    assert_eq!(drained.last().unwrap().old.as_ref().unwrap().bytes, [98; 700]);
    // What was drained makes room again.
    for round in 0..8u8 {
        set(&cache, b"key", &[round; 700]);
    }
    assert!(stream.drain(3).iter().all(|change| change.kind == ChangeKind::Replaced));
    for round in 0..7u8 {
        set(&cache, b"key", &[round; 700]);
    }
    assert_eq!(stream.drain(usize::MAX).iter().filter(|change| change.kind == ChangeKind::Replaced).count(), 12);
    // A change that is too large by itself is a gap.
    set(&cache, b"key", &[1; 20_000]);
    set(&cache, b"key", b"small");
    let kinds: Vec<_> = stream.drain(usize::MAX).iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Gap]);
}

#[test]
fn a_reader_is_woken_once_between_two_drains() {
    let cache = cache(1);
    let stream = listen(&cache, 100, false);
    let wakes = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&wakes);
    stream.on_ready(Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    for round in 1..4 {
        set(&cache, b"a", b"v");
        set(&cache, b"b", b"v");
        assert_eq!(wakes.load(Ordering::Relaxed), round);
        assert_eq!(stream.drain(usize::MAX).len(), 2);
    }
    let _newer = listen(&cache, 100, false);
    stream.on_ready(Box::new(|| panic!("an ended stream was woken")));
    set(&cache, b"c", b"v");
}

#[test]
fn a_panic_under_the_lock_empties_that_shard_and_no_other() {
    let cache = cache(4);
    let large = vec![7u8; 900_000];
    for key in 0..400u32 {
        set(&cache, &key.to_le_bytes(), b"value");
    }
    let noise: Vec<u8> = (0..300_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for key in 0..12u8 {
        set(&cache, &[key], &noise);
    }
    let stream = listen(&cache, 1_000, false);
    let before = cache.shard_stats();
    let read = catch_unwind(AssertUnwindSafe(|| {
        cache.read(&7u32.to_le_bytes(), ReadMode::Use, |_| -> () { panic!("a reader of the test gives up") })
    }));
    assert!(read.is_err());
    let after = cache.shard_stats();
    let emptied: Vec<usize> = (0..4).filter(|&shard| after[shard].resets == 1).collect();
    assert_eq!(emptied.len(), 1);
    for shard in 0..4 {
        let expected = if shard == emptied[0] { 0 } else { before[shard].entries };
        assert_eq!(after[shard].entries, expected);
    }
    assert_eq!(stream.drain(10).iter().map(|change| change.kind).collect::<Vec<_>>(), [ChangeKind::Reset]);
    cache.verify().unwrap();
    assert!(!cache.contains(&7u32.to_le_bytes()));
    // Nothing of what it held is lost for good: the cache can be filled with something else.
    while cache.maintain() {}
    for key in 0..40u8 {
        set(&cache, &[key, 1], &large[..]);
        set(&cache, &[key, 2], &noise);
    }
    cache.verify().unwrap();
    cache.close();
    let empty = Cache::new(cache.options().clone()).unwrap();
    empty.close();
    assert_eq!(cache.stats().bytes, empty.stats().bytes);
}

#[test]
fn a_write_while_the_thread_unwinds_harms_nobody() {
    struct WritesAtTheEnd<'a>(&'a Cache);
    impl Drop for WritesAtTheEnd<'_> {
        fn drop(&mut self) {
            set(self.0, b"last", b"words");
        }
    }
    let cache = cache(1);
    set(&cache, b"a", b"v");
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _guard = WritesAtTheEnd(&cache);
        panic!("somewhere else");
    }));
    assert!(unwound.is_err());
    assert_eq!((cache.stats().resets, cache.len()), (0, 2));
}

#[test]
fn several_readers_are_told_the_same_and_who_it_was() {
    let cache = cache(4);
    let (first, single) =
        (cache.subscribe(ChangeLimits { changes: 100, bytes: usize::MAX }), listen(&cache, 100, true));
    let second = cache.subscribe(ChangeLimits { changes: 2, bytes: usize::MAX });
    {
        let _origin = Origin { caller: 7, cause: 3 }.enter();
        set(&cache, b"a", b"1");
        let _inner = Origin { caller: 8, cause: 4 }.enter();
        set(&cache, b"a", b"2");
    }
    set(&cache, b"a", b"3");
    let told = |stream: &ChangeStream| {
        let changes = stream.drain(100).into_iter();
        changes.map(|change| (change.kind, change.origin.caller, change.old.is_some())).collect::<Vec<_>>()
    };
    use ChangeKind::{Added, Deleted, Gap, Replaced};
    assert_eq!(told(&first), [(Added, 7, false), (Replaced, 8, false), (Replaced, 0, false)]);
    assert_eq!(told(&single), [(Added, 7, false), (Replaced, 8, true), (Replaced, 0, true)]);
    assert_eq!(told(&second), [(Gap, 0, false), (Replaced, 0, false)]);
    // Another single one ends the first of them, and no other.
    let later = listen(&cache, 100, false);
    cache.delete(b"a", Condition::Always).unwrap();
    assert_eq!(told(&single), []);
    assert_eq!((told(&later), told(&first)), (vec![(Deleted, 0, false)], vec![(Deleted, 0, false)]));
}

/// What wakes may read there and then, on the thread that has made the change.
#[test]
fn a_change_is_told_before_its_caller_goes_on() {
    let cache = Arc::new(cache(4));
    let stream = Arc::new(cache.subscribe(ChangeLimits { changes: 100, bytes: usize::MAX }));
    let told = Arc::new(AtomicU32::new(0));
    let (own, count) = (Arc::downgrade(&stream), Arc::clone(&told));
    stream.on_ready(Box::new(move || {
        let drained = own.upgrade().map_or(0, |stream| stream.drain(usize::MAX).len());
        count.fetch_add(drained as u32, Ordering::Relaxed);
    }));
    for number in 1..50 {
        set(&cache, b"a", b"1");
        assert_eq!(told.load(Ordering::Relaxed), number);
    }
}
