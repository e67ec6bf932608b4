//! Memory of client buffers, in a process of its own: it is the resident memory of all of it that is looked at.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod support;
use std::time::{Duration, Instant};

use support::{encode_parts, start};

#[test]
fn the_memory_of_large_requests_goes_back_to_the_system() {
    let wait_until = |what: &str, condition: &dyn Fn() -> bool| {
        let give_up = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < give_up, "waited in vain until {what}");
            std::thread::yield_now();
        }
    };
    let resident = || {
        let pages: usize =
            std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4096
    };
    let running = start();
    // Memory of this size came straight from the system and has gone back there: from now on, the C library keeps it.
    let whole = encode_parts(&[b"SET", b"k", &[b'x'; 8 << 20]]);
    assert_eq!(running.connect().ask_bytes(&whole), b"+OK\r\n");
    let before = resident();
    let clients: Vec<_> = (0..60)
        .map(|_| {
            let mut client = running.connect();
            client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9000000\r\n");
            client.send(&vec![b'x'; 500_000]);
            client
        })
        .collect();
    wait_until("all is read", &|| running.server.stats().buffer_bytes >= 60 * 500_000);
    assert!(resident() > before + (25 << 20));
    // A buffer behind all others: what is freed in front of it is not the end of the heap.
    let mut last = running.connect();
    last.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9000000\r\n");
    last.send(&[b'x'; 20_000]);
    drop(clients);
    // The C library is asked for it once 16 MiB were freed: as much may stay.
    wait_until("it is back", &|| resident() < before + (18 << 20));
}
