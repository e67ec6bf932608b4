//! Memory comes back. A process of its own, so that nothing else moves its resident set.
#![cfg(target_os = "linux")]

use tandem_engine::{Cache, Kind, NewValue, Options, WriteOptions};

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn fill(cache: &Cache) {
    let noise: Vec<u8> = (0..200_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for key in 0..60_000u32 {
        let len = if key.is_multiple_of(1_000) { noise.len() } else { 400 };
        let value = NewValue { kind: Kind::Bytes, codec: 0, bytes: &noise[..len] };
        cache.set(&key.to_le_bytes(), value, &WriteOptions::default()).unwrap();
    }
}

#[test]
fn twenty_caches_leave_nothing_behind() {
    let open = || Cache::new(Options { max_bytes: 24 << 20, ..Options::default() }).unwrap();
    fill(&open());
    let before = resident_bytes();
    for round in 0..20 {
        let cache = open();
        fill(&cache);
        let full = cache.stats().bytes;
        assert!(full > 18 << 20);
        if round % 2 == 0 {
            cache.close();
            assert!(cache.stats().bytes < 1 << 20, "{} bytes after close", cache.stats().bytes);
            assert!(resident_bytes() < before + (4 << 20), "closed, but still in memory");
        }
        // The others are dropped as they are.
    }
    let cleared = open();
    fill(&cleared);
    cleared.clear();
    while cleared.maintain() {}
    assert!(cleared.stats().bytes < 2 << 20, "{} bytes after clear", cleared.stats().bytes);
    assert!(resident_bytes() < before + (4 << 20), "cleared, but still in memory");
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 6 << 20, "{grown} bytes more than after the first cache");
}
