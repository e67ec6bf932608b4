//! An empty cache takes little, however large it may become. A process of its own, so that nothing else moves its resident
//! set.
#![cfg(target_os = "linux")]

use tandem_engine::{Cache, Kind, NewValue, Options, WriteOptions};

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn an_empty_cache_of_a_gibibyte_takes_little() {
    const CACHES: u64 = 200;
    let open = || Cache::new(Options { max_bytes: 1 << 30, ..Options::default() }).unwrap();
    drop(open());
    let before = resident_bytes();
    let caches: Vec<Cache> = (0..CACHES).map(|_| open()).collect();
    let each = (resident_bytes() - before) / CACHES;
    println!("an empty cache: {each} bytes");
    assert!(each < 112 << 10, "{each} bytes");
    // They are caches all the same.
    for cache in &caches {
        let value = NewValue { kind: Kind::Bytes, codec: 0, bytes: b"value" };
        cache.set(b"key", value, &WriteOptions::default()).unwrap();
        assert!(cache.contains(b"key") && !cache.contains(b"another key"));
    }
    let each = (resident_bytes() - before) / CACHES;
    println!("with one entry: {each} bytes");
}
