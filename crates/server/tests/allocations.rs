//! How much memory a request takes from the allocator in steady state: nothing.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use support::{encode_parts, start};

/// The system's allocator, which counts.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promises are those of this call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those of this call.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promises are those of this call.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// Sends `request` from every client at once, `rounds` times, waits for `reply` each time, and returns the allocations of
/// the whole process.
fn allocations(clients: &mut [support::Client], request: &[u8], reply: &[u8], rounds: usize) -> u64 {
    let mut seen = vec![0; reply.len()];
    let before = ALLOCATIONS.load(Relaxed);
    for _ in 0..rounds {
        for client in &mut *clients {
            client.stream.write_all(request).unwrap();
        }
        for client in &mut *clients {
            client.stream.read_exact(&mut seen).unwrap();
            assert!(seen == reply);
        }
    }
    ALLOCATIONS.load(Relaxed) - before
}

#[test]
fn reads_and_writes_take_nothing_from_the_allocator() {
    const ROUNDS: usize = 2_000;
    let running = start();
    let value = [b'v'; 300];
    let value_reply = [&b"$300\r\n"[..], &value, b"\r\n"].concat();
    let set = encode_parts(&[b"SET", b"key", &value]);
    let get = encode_parts(&[b"GET", b"key"]);
    let mget = encode_parts(&[b"MGET", b"key", b"none", b"key"]);
    let mget_reply = [&b"*3\r\n"[..], &value_reply, b"$-1\r\n", &value_reply].concat();
    for (connections, depth) in [(1, 1), (1, 16), (1, 50), (20, 1), (20, 16)] {
        let mut clients: Vec<_> = (0..connections).map(|_| running.connect()).collect();
        let rounds = ROUNDS / connections;
        for (request, reply) in [
            (&set, &b"+OK\r\n"[..]),
            (&get, &value_reply),
            (&mget, &mget_reply),
            (&encode_parts(&[b"EXISTS", b"key"]), b":1\r\n"),
            (&encode_parts(&[b"INCRBY", b"number", b"0"]), b":0\r\n"),
            (&encode_parts(&[b"SET", b"key", &value, b"PX", b"100000"]), b"+OK\r\n"),
            (&encode_parts(&[b"TTL", b"key"]), b":100\r\n"),
        ] {
            let (requests, replies) = (request.repeat(depth), reply.repeat(depth));
            // Long enough for every segment of the log to have been touched once.
            allocations(&mut clients, &requests, &replies, rounds);
            let count = allocations(&mut clients, &requests, &replies, rounds);
            let name = String::from_utf8_lossy(&request[..20.min(request.len())]).replace("\r\n", " ");
            let all = ROUNDS * depth;
            println!(
                "{name:?}, {connections} connections, pipelines of {depth}: {count} allocations in {all} requests"
            );
            // A few may belong to the log growing on or to the background work.
            assert!(count < 20, "{count} allocations in {all} of {name:?}: {connections} times pipelines of {depth}");
        }
    }
}
