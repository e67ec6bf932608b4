//! Connections: protocol errors, limits, slow and hostile peers, stopping.

mod support;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use support::{IDLE, PATIENCE, encode, encode_parts, start, start_with, wait_until};
use tandem_engine::{Cache, Options};
use tandem_server::{ClientLimits, Password, Server, ServerOptions, StartError};
use tandem_wire::Limits;

#[test]
fn the_cut_into_packets_does_not_matter() {
    let running = start();
    let stream = [encode("SET key value"), b"PING\r\n".to_vec(), encode("GET key"), encode("MGET key no key")].concat();
    let reply = b"+OK\r\n+PONG\r\n$5\r\nvalue\r\n*3\r\n$5\r\nvalue\r\n$-1\r\n$5\r\nvalue\r\n";
    for cut in 1..stream.len() {
        let mut client = running.connect();
        client.send(&stream[..cut]);
        // A round trip on another connection of the same loop: the first part has been read by then.
        running.connect().expect(&[("PING", "+PONG\r\n")]);
        client.send(&stream[cut..]);
        client.receive(reply);
    }
}

#[test]
fn connections_that_are_ready_together_do_not_mix() {
    let running = start();
    let mut clients: Vec<_> = (0..40).map(|_| running.connect()).collect();
    let stream = |number: usize| {
        (0..50)
            .flat_map(|round| {
                [encode(&format!("SET key:{number} {number}-{round}")), encode(&format!("GET key:{number}"))].concat()
            })
            .collect::<Vec<u8>>()
    };
    let streams: Vec<Vec<u8>> = (0..clients.len()).map(stream).collect();
    // In portions that cut requests anywhere, each client's as long as its number says, all in turn.
    let mut sent = vec![0; clients.len()];
    while sent.iter().zip(&streams).any(|(sent, stream)| *sent < stream.len()) {
        for (number, client) in clients.iter_mut().enumerate() {
            let end = (sent[number] + 11 + 3 * number).min(streams[number].len());
            client.send(&streams[number][sent[number]..end]);
            sent[number] = end;
        }
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let expected: String = (0..50)
            .map(|round| {
                let value = format!("{number}-{round}");
                format!("+OK\r\n${}\r\n{value}\r\n", value.len())
            })
            .collect();
        client.receive(expected.as_bytes());
    }
}

#[test]
fn a_deep_pipeline_is_answered_in_order() {
    let running = start();
    let mut client = running.connect();
    let count = 50_000;
    let requests = b"INCR n\r\n".repeat(count);
    let mut writer = client.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || writer.write_all(&requests).unwrap());
    let expected: String = (1..=count).map(|number| format!(":{number}\r\n")).collect();
    client.receive(expected.as_bytes());
    sender.join().unwrap();
}

#[test]
fn empty_requests_get_no_answer() {
    let running = start();
    let mut client = running.connect();
    client.send(b"\r\n*0\r\n*-1\r\n   \r\nPING\r\n");
    client.receive(b"+PONG\r\n");
}

#[test]
fn protocol_errors_are_answered_and_end_the_connection() {
    let running = start();
    for (input, answer) in [
        (&b"*x\r\n"[..], "-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"),
        (b"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        (b"*1\r\n$99999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        (b"*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        (b"SET k \"v\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
    ] {
        let mut client = running.connect();
        client.send(b"PING\r\n");
        client.send(input);
        // What follows is not looked at.
        client.send(b"PING\r\n");
        assert_eq!(String::from_utf8_lossy(&client.receive_all()), format!("+PONG\r\n{answer}"));
    }
    for start_of_line in [&b""[..], b"*", b"*1\r\n$"] {
        let mut client = running.connect();
        client.send(start_of_line);
        client.send(&[b'1'; 70_000]);
        let answer = String::from_utf8(client.receive_all()).unwrap();
        assert!(answer.starts_with("-ERR Protocol error: too big "), "{answer}");
    }
}

#[test]
fn web_requests_are_cut_off() {
    let running = start();
    for request in ["POST / HTTP/1.1\r\nHost: x\r\n\r\nFLUSHALL\r\n", "Host: x\r\nFLUSHALL\r\n"] {
        running.connect().expect(&[("SET k v", "+OK\r\n")]);
        let mut client = running.connect();
        client.send(request.as_bytes());
        assert_eq!(client.receive_all(), b"");
        running.connect().expect(&[("GET k", "$1\r\nv\r\n")]);
    }
}

#[test]
fn random_bytes_never_hurt() {
    let running = start();
    let mut state = 7u64;
    for _ in 0..300 {
        let mut bytes = vec![0; 600];
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Every other byte is one that means something.
            *byte = if state >> 63 == 0 {
                b"*$\r\n0123\"' GETSP"[(state >> 40) as usize % 16]
            } else {
                (state >> 33) as u8
            };
        }
        let mut client = running.connect();
        // The server may close before it has read everything.
        let _ = client.stream.write_all(&bytes);
        let _ = client.stream.shutdown(Shutdown::Write);
        client.receive_all();
    }
    running.connect().expect(&[("PING", "+PONG\r\n")]);
    wait_until("all are closed", || running.server.stats().clients == 0);
    assert_eq!(running.server.stats().buffer_bytes, 0);
}

#[test]
fn a_half_closed_connection_gets_its_answers() {
    let running = start();
    let mut client = running.connect();
    client.send(b"SET k v\r\nGET k\r\n");
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.receive_all(), b"+OK\r\n$1\r\nv\r\n");
    let mut client = running.connect();
    client.send(b"GET k\r\n*2\r\n$3\r\nGET\r\n$1");
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.receive_all(), b"$1\r\nv\r\n");
}

#[test]
fn quit_ends_the_connection_after_its_answers() {
    let running = start();
    let mut client = running.connect();
    client.send(b"PING\r\nQUIT\r\nPING\r\n");
    assert_eq!(client.receive_all(), b"+PONG\r\n+OK\r\n");
    wait_until("it is closed", || running.server.stats().clients == 0);
}

#[test]
fn a_client_too_many_is_told_so() {
    let running = start_with(2, ClientLimits { clients: 2, ..ClientLimits::default() });
    let (mut one, mut two) = (running.connect(), running.connect());
    one.expect(&[("PING", "+PONG\r\n")]);
    two.expect(&[("PING", "+PONG\r\n")]);
    assert_eq!(running.connect().receive_all(), b"-ERR max number of clients reached\r\n");
    drop(one);
    wait_until("a place is free", || running.server.stats().clients == 1);
    running.connect().expect(&[("PING", "+PONG\r\n")]);
    assert_eq!(running.server.stats().rejected, 1);
}

#[test]
fn requests_are_bounded_in_every_direction() {
    let request =
        Limits { args: 10, bulk_bytes: 1 << 20, line_bytes: 1 << 10, request_bytes: 2 << 20, ..Limits::default() };
    let running = start_with(1, ClientLimits { request, ..ClientLimits::default() });
    running.connect().expect(&[("DEL 1 2 3 4 5 6 7 8 9", ":0\r\n")]);
    for (head, answer) in [
        (&b"*11\r\n"[..], "-ERR Protocol error: invalid multibulk length\r\n"),
        // The largest value of the cache sets the least bound.
        (b"*2\r\n$3\r\nGET\r\n$16777217\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
    ] {
        let mut client = running.connect();
        client.send(head);
        assert_eq!(String::from_utf8_lossy(&client.receive_all()), answer);
    }
}

#[test]
fn an_announced_argument_takes_no_memory_until_it_comes() {
    let running = start();
    let beginning = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$60000000\r\n0123456789";
    let mut clients: Vec<_> = (0..50).map(|_| running.connect()).collect();
    clients.iter_mut().for_each(|client| client.send(beginning));
    let mut sent = 50 * beginning.len() as u64;
    wait_until("the beginnings are read", || running.server.stats().bytes_in >= sent);
    // Room is made when there is more of a request that is known not to be complete.
    clients.iter_mut().for_each(|client| client.send(&[b'x'; 100]));
    sent += 50 * 100;
    wait_until("more of them is read", || running.server.stats().bytes_in >= sent);
    assert!(running.server.stats().buffer_bytes < (50 * 32) << 10, "{:?}", running.server.stats());
    drop(clients);
    wait_until("the buffers are given back", || running.server.stats().buffer_bytes == 0);
}

#[test]
fn idle_connections_own_no_buffers() {
    let running = start();
    let mut clients: Vec<_> = (0..100).map(|_| running.connect()).collect();
    let value = vec![b'x'; 500_000];
    for client in &mut clients {
        assert_eq!(client.ask_bytes(&encode_parts(&[b"SET", b"k", &value])), b"+OK\r\n");
        client.expect(&[("STRLEN k", ":500000\r\n")]);
        assert_eq!(client.ask("GET k").len(), 500_000 + 11);
    }
    wait_until("every buffer is given back", || running.server.stats().buffer_bytes == 0);
}

/// A peer that asks for far more than its socket takes and reads nothing.
fn greedy(running: &support::Running, requests: usize) -> support::Client {
    let mut client = running.connect();
    let value = vec![b'x'; 30_000];
    assert_eq!(client.ask_bytes(&encode_parts(&[b"SET", b"k", &value])), b"+OK\r\n");
    client.send(&encode("GET k").repeat(requests));
    client
}

#[test]
fn a_slow_reader_is_paused_and_loses_nothing() {
    let limits = ClientLimits { reply_pause_bytes: 1 << 20, ..ClientLimits::default() };
    let running = start_with(1, limits);
    let count = 2_000;
    let mut slow = greedy(&running, count);
    // 60 MB are asked for; what is held for the peer stays near the pause limit.
    running.connect().expect(&[("PING", "+PONG\r\n")]);
    assert!(running.server.stats().buffer_bytes < 8 << 20, "{:?}", running.server.stats());
    let one = [&b"$30000\r\n"[..], &[b'x'; 30_000], b"\r\n"].concat();
    for number in 0..count {
        let mut seen = vec![0; one.len()];
        slow.stream.read_exact(&mut seen).unwrap();
        assert!(seen == one, "reply {number}");
    }
    slow.expect(&[("PING", "+PONG\r\n")]);
    assert_eq!(running.server.stats().cut, 0);
}

#[test]
fn a_reader_that_takes_nothing_is_cut() {
    let limits = ClientLimits {
        reply_pause_bytes: 1 << 20,
        stalled_reader: Duration::from_millis(200),
        ..ClientLimits::default()
    };
    let running = start_with(1, limits);
    let stalled = greedy(&running, 2_000);
    wait_until("it is cut", || running.server.stats().cut == 1);
    wait_until("its memory is back", || running.server.stats().buffer_bytes == 0);
    running.connect().expect(&[("PING", "+PONG\r\n")]);
    drop(stalled);
}

#[test]
fn new_clients_are_refused_while_all_buffers_together_are_full() {
    let limits = ClientLimits { buffer_bytes: Some(4 << 20), ..ClientLimits::default() };
    let running = start_with(1, limits);
    let mut large = running.connect();
    large.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4000000\r\n");
    large.send(&[b'x'; 3_500_000]);
    wait_until("the buffers are nearly full", || running.server.stats().buffer_bytes > 3 << 20);
    let answer = String::from_utf8(running.connect().receive_all()).unwrap();
    assert!(answer.starts_with("-ERR the buffers of all clients together"), "{answer}");
    large.send(&[b'x'; 500_000]);
    large.send(b"\r\n");
    large.receive(b"+OK\r\n");
    wait_until("the buffers are empty", || running.server.stats().buffer_bytes == 0);
    running.connect().expect(&[("STRLEN k", ":4000000\r\n")]);
}

#[test]
fn who_takes_more_than_its_share_of_full_buffers_is_cut() {
    let limits = ClientLimits { buffer_bytes: Some(4 << 20), ..ClientLimits::default() };
    let running = start_with(1, limits);
    let begin = |value: usize, sent: usize| {
        let mut client = running.connect();
        client.send(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${value}\r\n").as_bytes());
        client.send(&vec![b'x'; sent]);
        client
    };
    let mut modest = begin(1_000_000, 900_000);
    let mut idle = running.connect();
    idle.expect(&[("PING", "+PONG\r\n")]);
    let mut greedy = running.connect();
    greedy.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9000000\r\n");
    // The server closes in the middle of it.
    let _ = greedy.stream.write_all(&vec![b'x'; 9_000_000]);
    wait_until("it is cut", || running.server.stats().cut == 1);
    wait_until("its buffers are gone", || running.server.stats().buffer_bytes < 2 << 20);
    modest.send(&[b'x'; 100_000]);
    modest.send(b"\r\n");
    modest.receive(b"+OK\r\n");
    idle.expect(&[("STRLEN k", ":1000000\r\n")]);
}

#[test]
fn stopping_answers_what_was_received() {
    for threads in [1, 3] {
        let running = start_with(threads, ClientLimits::default());
        let mut clients: Vec<_> = (0..20).map(|_| running.connect()).collect();
        for client in &mut clients {
            client.expect(&[("PING", "+PONG\r\n")]);
            client.send(&encode("SET k v").repeat(100));
        }
        // Everything sent above is in the server's sockets: the loopback delivers at once.
        running.server.stop(PATIENCE);
        for client in &mut clients {
            assert_eq!(client.receive_all(), b"+OK\r\n".repeat(100));
        }
        assert!(TcpStream::connect(running.server.local_addr()).is_err());
        assert_eq!(running.server.stats().clients, 0);
    }
}

#[test]
fn stopping_is_announced_in_resp3() {
    let running = start();
    let mut client = running.connect();
    client.ask("HELLO 3");
    client.expect(&[("SET k v", "+OK\r\n")]);
    client.send(&encode("GET k").repeat(2));
    running.server.stop(PATIENCE);
    let said = String::from_utf8(client.receive_all()).unwrap();
    assert_eq!(said.matches(">1\r\n$6\r\ngoaway\r\n").count(), 1, "{said:?}");
    assert_eq!(said.replace(">1\r\n$6\r\ngoaway\r\n", ""), "$1\r\nv\r\n".repeat(2));
}

#[test]
fn stopping_gives_up_on_peers_that_take_nothing() {
    let running = start();
    let _stalled = greedy(&running, 2_000);
    let begun = Instant::now();
    running.server.stop(Duration::from_millis(300));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(running.server.stats().clients, 0);
}

#[test]
fn a_peer_that_takes_nothing_does_not_use_up_the_time_to_stop() {
    let running = start();
    let _stalled = greedy(&running, 2_000);
    let begun = Instant::now();
    running.server.stop(Duration::from_secs(60));
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(running.server.stats().cut, 1);
}

#[test]
fn a_taken_port_is_an_error() {
    let running = start();
    let port = running.server.local_addr().port();
    let options = ServerOptions { port, ..ServerOptions::default() };
    let Err(error) = Server::start(running.cache.clone(), options) else { panic!("two servers on one port") };
    assert!(matches!(error, StartError::Listen { .. }));
    assert!(error.to_string().contains("the port is taken"), "{error}");
}

#[test]
fn many_connections_come_and_go() {
    let running = start_with(2, ClientLimits::default());
    for _ in 0..2_000 {
        let mut stream = TcpStream::connect(running.server.local_addr()).unwrap();
        stream.write_all(b"*2\r\n$3\r\nGET\r\n$1").unwrap();
    }
    wait_until("all are gone", || running.server.stats().clients == 0 && running.server.stats().accepted == 2_000);
    assert_eq!(running.server.stats().buffer_bytes, 0);
}

#[test]
fn an_address_that_others_can_reach_needs_a_password() {
    let start = |bind: &str, password: Option<&[u8]>| {
        let cache = Arc::new(Cache::new(Options { max_bytes: 64 << 20, ..Options::default() }).unwrap());
        let password = password.map(|word| Password::new(word).unwrap());
        Server::start(
            cache,
            ServerOptions { bind: bind.parse().unwrap(), port: 0, password, ..ServerOptions::default() },
        )
    };
    for bind in ["0.0.0.0", "::", "::ffff:0.0.0.0", "192.0.2.1"] {
        let error = start(bind, None).err().unwrap();
        assert!(matches!(error, StartError::BadOption { option: "bind", .. }), "{bind}: {error}");
        assert!(error.to_string().contains("there is no password"), "{error}");
    }
    for bind in ["127.0.0.1", "127.1.2.3", "::ffff:127.0.0.1"] {
        assert!(start(bind, None).is_ok(), "{bind}");
    }
    assert!(start("0.0.0.0", Some(b"secret")).is_ok());
}

#[test]
fn a_silent_client_is_closed_and_a_talking_one_is_not() {
    let running = start_with(2, ClientLimits { idle: Some(IDLE), ..ClientLimits::default() });
    let (mut silent, mut talking) = (running.connect(), running.connect());
    let begun = Instant::now();
    assert_eq!(silent.ask("PING"), "+PONG\r\n");
    silent.stream.set_nonblocking(true).unwrap();
    let closed = |stream: &mut TcpStream| matches!(stream.read(&mut [0; 16]), Ok(0));
    while !closed(&mut silent.stream) {
        assert!(begun.elapsed() < PATIENCE, "the silent client is still there");
        assert_eq!(talking.ask("PING"), "+PONG\r\n");
    }
    assert!(begun.elapsed() >= IDLE * 3 / 4, "{:?}", begun.elapsed());
    assert_eq!(talking.ask("PING"), "+PONG\r\n");
    assert_eq!((running.server.stats().silent, running.server.stats().clients), (1, 1));
}
