//! Clearing faster than the background work gives memory back.

use tandem_engine::{Cache, Kind, NewValue, Options, WriteOptions};

#[test]
fn a_clear_always_clears() {
    let cache = Cache::new(Options { max_bytes: 16 << 20, ..Options::default() }).unwrap();
    for round in 0..20_000u32 {
        for key in 0..3u32 {
            let value = NewValue { kind: Kind::Bytes, codec: 0, bytes: &round.to_le_bytes() };
            cache.set(&key.to_le_bytes(), value, &WriteOptions::default()).unwrap();
        }
        cache.clear();
        assert!(cache.is_empty(), "round {round}");
        assert!(cache.stats().bytes <= cache.stats().max_bytes, "round {round}");
    }
}

#[test]
fn what_clears_leave_behind_evicts_nothing() {
    let cache = Cache::new(Options { max_bytes: 16 << 20, ..Options::default() }).unwrap();
    for round in 0..20_000 {
        cache.clear();
        for key in 0..8_u8 {
            let value = NewValue { kind: Kind::Bytes, codec: 0, bytes: b"value" };
            cache.set(&[key], value, &WriteOptions::default()).unwrap();
        }
        // Work in the background does not keep up.
        assert_eq!((cache.len(), cache.stats().evictions), (8, 0), "round {round}");
    }
}
