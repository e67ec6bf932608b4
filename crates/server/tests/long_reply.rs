//! A reply that is too long, in a process of its own: it is the peak of the memory of all of it that is looked at.
#![cfg(target_os = "linux")]

mod support;

use support::{encode_parts, start_with, wait_until};
use tandem_server::ClientLimits;

/// The most memory that this process has had at once.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// One test: two would see each other's memory.
#[test]
fn it_is_cut_long_before_its_end() {
    for limits in [
        ClientLimits { reply_bytes: 1 << 20, ..ClientLimits::default() },
        // One reply must not take more than all clients together may have.
        ClientLimits { buffer_bytes: Some(1 << 20), ..ClientLimits::default() },
    ] {
        let running = start_with(1, limits);
        let mut client = running.connect();
        let value = vec![b'x'; 10_000];
        assert_eq!(client.ask_bytes(&encode_parts(&[b"SET", b"k", &value])), b"+OK\r\n");
        let mut request = vec![&b"MGET"[..]];
        request.resize(50_000, b"k");
        let before = peak_kib();
        client.send(&encode_parts(&request));
        client.receive_all();
        let grown = peak_kib() - before;
        assert!(grown < 100 << 10, "{grown} KiB for a reply of 500 MB");
        wait_until("it is cut", || running.server.stats().cut == 1 && running.server.stats().clients == 0);
    }
}
