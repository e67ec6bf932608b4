//! Large values that are stored where they were received, and the memory that values leave to those behind them.

use tandem_engine::{Cache, Compression, Draft, Kind, NewValue, Options, ReadMode, WriteOptions};

/// Bytes of the values.
const LEN: usize = 1_000_000;
const HEAD: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n";

fn open(max_bytes: u64, compression: Compression) -> Cache {
    Cache::new(Options { max_bytes, compression, ..Options::default() }).unwrap()
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(len)
    .collect()
}

/// A draft that holds the beginning of a request and `value`, as a server fills it: piece by piece.
fn receive(cache: &Cache, value: &[u8]) -> Draft {
    let mut draft = cache.draft(HEAD.len() + value.len() + 2).unwrap();
    for piece in HEAD.chunks(7).chain(value.chunks(4_099)) {
        draft.room(piece.len()).copy_from_slice(piece);
        draft.advance(piece.len());
    }
    draft
}

fn store(cache: &Cache, key: &[u8], draft: &Draft, value: &[u8]) {
    let value = NewValue { kind: Kind::Wire, codec: 0, bytes: value };
    assert!(cache.set_received(key, value, draft, &WriteOptions::default()).unwrap().stored());
}

/// Where the value under `key` is, which is `expected`.
fn place(cache: &Cache, key: &[u8], expected: &[u8]) -> *const u8 {
    let check = |found: &tandem_engine::Found<'_>| {
        assert!(found.bytes == expected, "other bytes under {key:?}");
        found.bytes.as_ptr()
    };
    cache.read(key, ReadMode::Use, check).expect("it is there")
}

#[test]
fn a_value_stays_where_it_was_received() {
    let cache = open(64 << 20, Compression::None);
    let bytes = noise(1, LEN);
    let empty = cache.stats().bytes;
    let mut draft = receive(&cache, &bytes);
    assert!(cache.stats().bytes < empty + 4_096, "the receiver answers for a draft");
    assert!((LEN..LEN + 8_192).contains(&draft.memory()), "{} bytes", draft.memory());
    let value = &draft.bytes()[HEAD.len()..];
    store(&cache, b"k", &draft, value);
    assert_eq!(place(&cache, b"k", &bytes), value.as_ptr());
    assert!(cache.stats().bytes >= empty + LEN as u64, "the cache answers for a value");

    // From now on nobody changes it.
    assert!(draft.room(1).is_empty());
    draft.advance(1);
    assert_eq!(draft.bytes().len(), HEAD.len() + LEN);
    drop(draft);
    place(&cache, b"k", &bytes);

    cache.close();
    assert!(cache.stats().bytes < 1 << 20, "{} bytes after close", cache.stats().bytes);
}

#[test]
fn what_does_not_fit_is_copied() {
    let cache = open(64 << 20, Compression::None);
    let bytes = noise(2, LEN);
    let draft = receive(&cache, &bytes);
    let received = &draft.bytes()[HEAD.len()..];
    // Too little of the draft, something else, and a key that has to be in front of the value.
    store(&cache, b"half", &draft, &received[..LEN / 2]);
    assert_ne!(place(&cache, b"half", &bytes[..LEN / 2]), received.as_ptr());
    store(&cache, b"other", &draft, &bytes);
    assert_ne!(place(&cache, b"other", &bytes), received.as_ptr());
    let long_key = [b'k'; 60_000];
    store(&cache, &long_key, &draft, received);
    assert_ne!(place(&cache, &long_key, &bytes), received.as_ptr());
    // Twice the same: the memory has one owner.
    store(&cache, b"first", &draft, received);
    store(&cache, b"second", &draft, received);
    assert_eq!(place(&cache, b"first", &bytes), received.as_ptr());
    assert_ne!(place(&cache, b"second", &bytes), received.as_ptr());
}

#[test]
fn a_value_that_compresses_is_compressed() {
    let cache = open(64 << 20, Compression::Lz4 { min_bytes: 1_024 });
    let text: Vec<u8> = b"the same words, the same words, ".iter().copied().cycle().take(LEN).collect();
    let draft = receive(&cache, &text);
    let before = cache.stats().bytes;
    store(&cache, b"k", &draft, &draft.bytes()[HEAD.len()..]);
    place(&cache, b"k", &text);
    assert!(cache.stats().bytes < before + (LEN / 10) as u64);
    let bytes = noise(3, LEN);
    let draft = receive(&cache, &bytes);
    let received = &draft.bytes()[HEAD.len()..];
    store(&cache, b"noise", &draft, received);
    assert_eq!(place(&cache, b"noise", &bytes), received.as_ptr());
}

#[test]
fn the_next_value_goes_where_one_was() {
    for max_bytes in [64 << 20, 256 << 20] {
        let cache = open(max_bytes, Compression::None);
        // More than the cache holds, so that the memory that is kept counts against the others.
        let keys = (max_bytes as usize / LEN / 2..).take(2 * max_bytes as usize / LEN);
        for (number, key) in keys.enumerate() {
            let bytes = noise(key as u64, LEN);
            let draft = receive(&cache, &bytes);
            store(&cache, &key.to_le_bytes(), &draft, &draft.bytes()[HEAD.len()..]);
            assert!(cache.stats().bytes <= max_bytes, "value {number}");
        }
        let (full, mut warm) = (cache.stats(), 0);
        // Overwriting and inserting both find memory that the one before has left, and evict one for one.
        for round in 0..40u64 {
            let draft = cache.draft(HEAD.len() + LEN + 2).unwrap();
            warm += u32::from(draft.memory() >= LEN);
            drop(draft);
            let bytes = noise(round, LEN);
            let draft = receive(&cache, &bytes);
            let key = if round % 2 == 0 { [7; 8] } else { (1 << 40 | round).to_le_bytes() };
            store(&cache, &key, &draft, &draft.bytes()[HEAD.len()..]);
            place(&cache, &key, &bytes);
            assert!(cache.stats().bytes <= max_bytes, "round {round}");
        }
        assert_eq!(warm, 40, "rounds that found memory");
        let evicted = cache.stats().evictions - full.evictions;
        // One for each, and those whose memory is kept: at first less of it is than may be.
        assert!((20..=21 + 4).contains(&evicted), "{evicted} evictions for 21 new keys");

        cache.clear();
        while cache.maintain() {}
        assert!(cache.stats().bytes < 2 << 20, "{} bytes after clear", cache.stats().bytes);
        assert_eq!(cache.draft(LEN).unwrap().memory(), 0, "memory was kept");
    }
}

#[test]
fn what_was_kept_goes_when_no_more_values_come() {
    let cache = open(64 << 20, Compression::None);
    let value = NewValue { kind: Kind::Bytes, codec: 0, bytes: &noise(5, LEN) };
    cache.set(b"k", value, &WriteOptions::default()).unwrap();
    cache.set(b"k", value, &WriteOptions::default()).unwrap();
    assert!(cache.stats().bytes > 2 * LEN as u64, "nothing was kept");
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while cache.stats().bytes > 2 * LEN as u64 {
        assert!(std::time::Instant::now() < give_up, "it is kept for ever");
        if !cache.maintain() {
            std::thread::yield_now();
        }
    }
}
