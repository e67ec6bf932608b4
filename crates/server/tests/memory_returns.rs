//! Memory beside the cache, in a process of its own: it is the resident memory of all of it that is looked at.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod support;
use std::time::Instant;

use support::{Client, PATIENCE, Running, encode, encode_parts, start};

/// Bytes of client buffers of the server that is started here, all clients together: what is the default.
const BUFFER_BYTES: usize = 64 << 20;

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "waited in vain until {what}: {} MiB", resident() >> 20);
        std::thread::yield_now();
    }
}

/// Waits until all that remains is what was there `before`, and a little.
fn is_back(running: &Running, before: usize) {
    running.cache.clear();
    while running.cache.maintain() {}
    wait_until("the memory is back", || resident() < before + (5 << 20));
}

/// A client that has sent `bytes` of a request that is longer.
fn half_a_request(running: &Running, bytes: usize) -> Client {
    let mut client = running.connect();
    client.try_send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9000000\r\n");
    client.try_send(&vec![b'x'; bytes]);
    client
}

/// One test: two would see each other's memory.
#[test]
fn what_large_requests_and_slow_readers_take_is_bounded_and_goes_back() {
    let running = start();
    let mut client = running.connect();
    client.ask("SET k v");
    let large = vec![b'y'; 12 << 20];
    let before = resident();

    // As many half requests as buffers may come to, and a few more.
    let clients: Vec<_> = (0..200).map(|_| half_a_request(&running, 500_000)).collect();
    wait_until("they are read", || running.server.stats().buffer_bytes > BUFFER_BYTES / 4 * 3);
    assert!(resident() < before + BUFFER_BYTES + (8 << 20), "{} MiB", (resident() - before) >> 20);
    // A buffer behind all others: what is freed in front of it is not the end of the heap.
    let last = half_a_request(&running, 20_000);
    drop(clients);
    is_back(&running, before);
    drop(last);

    // Large values, made anew with every change.
    for number in 0..12u8 {
        let key = [b'k', number % 3];
        assert_eq!(client.ask_bytes(&encode_parts(&[b"SET", &key, &large])), b"+OK\r\n");
        for part in [&large[..1_000], &large[..70_000]] {
            assert!(client.ask_bytes(&encode_parts(&[b"APPEND", &key, part])).starts_with(b":1"));
        }
        assert!(client.ask_bytes(&encode_parts(&[b"SETRANGE", &key, b"5", b"part"])).starts_with(b":1"));
    }
    is_back(&running, before);

    // Subscribers that read nothing, with more for them than buffers may come to.
    let listeners: Vec<_> = (0..150)
        .map(|_| {
            let mut listener = running.connect();
            listener.send(&encode("SUBSCRIBE c"));
            listener.receive(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
            listener
        })
        .collect();
    let message = encode_parts(&[b"PUBLISH", b"c", &large[..100_000]]);
    // The system takes some megabytes for each of them before the server has to.
    let had_enough = (0..400).any(|_| {
        client.ask_bytes(&message);
        let taken = resident().saturating_sub(before);
        assert!(taken < BUFFER_BYTES + BUFFER_BYTES / 8 + (8 << 20), "{} MiB", taken >> 20);
        running.server.stats().cut > 0
    });
    assert!(had_enough, "it was to be too much");
    drop(listeners);
    is_back(&running, before);
    wait_until("the books are empty", || running.server.stats().buffer_bytes == 0);
}
