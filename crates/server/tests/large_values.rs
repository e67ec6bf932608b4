//! Large values, which are stored where they were received.

mod support;

use std::io::Write;

use support::{Running, encode_parts, start, wait_until};

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(len)
    .collect()
}

/// The stored bytes are `expected`, and come as such.
fn holds(running: &Running, key: &[u8], expected: &[u8]) {
    let reply = running.connect().ask_bytes(&encode_parts(&[b"GET", key]));
    let head = format!("${}\r\n", expected.len());
    assert!(reply.starts_with(head.as_bytes()), "{key:?}: {:?}", &reply[..reply.len().min(40)]);
    assert!(reply[head.len()..].strip_suffix(b"\r\n") == Some(expected), "other bytes under {key:?}");
}

/// Requests with large arguments at every place, cut into pieces of every size, with small ones before and behind them.
#[test]
fn large_arguments_arrive_however_they_are_cut() {
    let running = start();
    let (short, long) = (noise(1, 40_000), noise(2, 1_000_000));
    let text = b"the same words, the same words, ".repeat(20_000);
    let requests = [
        encode_parts(&[b"SET", b"small", b"1"]),
        encode_parts(&[b"SET", b"long", &long]),
        encode_parts(&[b"INCR", b"small"]),
        encode_parts(&[b"SET", b"ex", &long, b"EX", b"100", b"NX"]),
        encode_parts(&[b"SET", b"ex", &short, b"NX"]),
        encode_parts(&[b"MSET", b"m1", &long, b"m2", &short, b"m3", &text, b"m4", &long]),
        encode_parts(&[b"SETEX", b"setex", b"100", &text]),
        encode_parts(&[b"APPEND", b"appended", &long]),
        encode_parts(&[b"APPEND", b"appended", &short]),
        encode_parts(&[b"HSET", b"hash", b"f", &long]),
        encode_parts(&[b"HGET", b"hash", b"nothing"]),
        encode_parts(&[b"SET", &short, &long]),
        encode_parts(&[b"MULTI"]),
        encode_parts(&[b"SET", b"queued", &long]),
        encode_parts(&[b"EXEC"]),
        encode_parts(&[b"INCR", b"small"]),
    ]
    .concat();
    let replies =
        b"+OK\r\n+OK\r\n:2\r\n+OK\r\n$-1\r\n+OK\r\n+OK\r\n:1000000\r\n:1040000\r\n:1\r\n$-1\r\n+OK\r\n+OK\r\n\
        +QUEUED\r\n*1\r\n+OK\r\n:3\r\n";
    for piece in [requests.len(), 1_000_003, 65_536, 40_011, 4_096] {
        running.cache.clear();
        let mut client = running.connect();
        let mut sender = client.stream.try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| requests.chunks(piece).for_each(|piece| sender.write_all(piece).unwrap()));
            client.receive(replies);
        });
        for key in [&b"long"[..], b"ex", b"m1", b"m4", b"queued", &short] {
            holds(&running, key, &long);
        }
        holds(&running, b"m2", &short);
        holds(&running, b"m3", &text);
        holds(&running, b"setex", &text);
        holds(&running, b"appended", &[&long[..], &short].concat());
    }
    wait_until("the books are empty", || running.server.stats().buffer_bytes == 0);
}

#[test]
fn a_large_value_is_not_copied() {
    let running = start();
    let mut client = running.connect();
    let long = noise(3, 1_000_000);
    for round in 0..20 {
        assert_eq!(client.ask_bytes(&encode_parts(&[b"SET", b"k", &long])), b"+OK\r\n");
        // A copy begins with a page, a value that was received has the head of its request in front of it.
        let is_copy = |found: &tandem_engine::Found<'_>| (found.bytes.as_ptr() as usize).is_multiple_of(4096);
        assert_eq!(running.cache.read(b"k", tandem_engine::ReadMode::Peek, is_copy), Some(false), "round {round}");
    }
}

/// What is announced takes no memory before it comes, and counts as a buffer of the client when it has.
#[test]
fn half_a_value_counts_with_the_client() {
    let running = start();
    let mut client = running.connect();
    client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$50000000\r\n");
    client.send(&noise(4, 2_000_000));
    wait_until("it is read", || running.server.stats().buffer_bytes >= 2_000_000);
    assert!(running.server.stats().buffer_bytes < 4_200_000, "{}", running.server.stats().buffer_bytes);
    assert!(running.cache.stats().bytes < 1 << 20, "{}", running.cache.stats().bytes);
    drop(client);
    wait_until("the books are empty", || running.server.stats().buffer_bytes == 0);
    wait_until("its memory is back", || running.cache.maintain() || running.cache.stats().bytes < 1 << 20);
}
