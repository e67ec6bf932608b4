//! The double-bar text protocol over real sockets.

mod support;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use support::{Client, IDLE, PATIENCE, Running, encode_parts, start, start_server, start_with, wait_until};
use tandem_server::{ClientLimits, Password, ServerOptions, TextFraming};

/// Sends lines and asserts all that is answered, up to the close that `exit` asks for.
fn converse(running: &Running, said: &[u8], answers: &str) {
    let mut client = running.connect();
    client.send(said);
    client.send(b"exit\n");
    assert_eq!(String::from_utf8_lossy(&client.receive_all()), answers, "{:?}", String::from_utf8_lossy(said));
}

fn start_messages() -> Running {
    start_server(ServerOptions { text_framing: TextFraming::Message, ..ServerOptions::default() })
}

/// Sends one message and asserts its answer: one of several would not be told apart, for lack of ends.
fn message(client: &mut Client, said: &[u8], answer: &[u8]) {
    client.send(said);
    client.receive(answer);
}

#[test]
fn values_are_stored_read_and_deleted() {
    let running = start();
    converse(
        &running,
        b"set||k||value\nget||k\nGET||k\ndel||k\nget||k\n",
        "0||\n0||value\n0||value\n0||\n2||key not found\n",
    );
    converse(&running, b"set||k||a||b||\nget||k\nset||k||\nget||k\n", "0||\n0||a||b||\n0||\n0||\n");
    converse(&running, b"set||||empty key\nget||\ndel||\ndel||\n", "0||\n0||empty key\n0||\n2||key not found\n");
    converse(&running, b"set||k||v\r\nget||k\r\nget||k\n", "0||\n0||v\n0||v\n");
    converse(&running, b"set||k||a\rb\r\r\nget||k\n", "0||\n0||a\rb\r\n");
}

#[test]
fn every_class_of_error_is_answered_and_the_connection_stays() {
    let running = start();
    let parsing = |why: &str| format!("1||the request cannot be parsed: {why}\n");
    let mut client = running.connect();
    for (said, answer) in [
        ("get||absent\n", "2||key not found\n".to_string()),
        ("del||absent\n", "2||key not found\n".to_string()),
        ("fetch||k\n", "3||invalid command; there are get, set, del, auth, exit and end\n".to_string()),
        ("\n", parsing("there is no || in it")),
        ("hello\n", parsing("there is no || in it")),
        ("get||a||b\n", parsing("a key holds no ||")),
        ("set||k\n", parsing("there is no || between key and value")),
        ("exit||\n", parsing("nothing may follow this command")),
        ("*1||\n", parsing("it does not begin with a command and ||")),
    ] {
        client.send(said.as_bytes());
        client.receive(answer.as_bytes());
    }
    let long_key = [b"get||".to_vec(), vec![b'k'; 70_000], b"\nset||k||v\n".to_vec()].concat();
    client.send(&long_key);
    client.receive(b"2||key not found\n0||\n");
    client.send(&[b"set||".to_vec(), vec![b'k'; 70_000], b"||v\n".to_vec()].concat());
    client.receive(b"4||KeyTooLong ");
}

#[test]
fn what_redis_clients_have_written_is_there() {
    let running = start();
    let mut redis = running.connect();
    redis.expect(&[("SET n 41", "+OK\r\n"), ("INCR n", ":42\r\n"), ("HSET h f v", ":1\r\n")]);
    redis.ask_bytes(&encode_parts(&[b"SET", b"lines", b"a\nb"]));
    redis.expect(&[("SELECT 1", "+OK\r\n"), ("SET other v", "+OK\r\n")]);
    converse(&running, b"get||n\nget||other\nset||s||x\n", "0||42\n2||key not found\n0||\n");
    converse(&running, b"get||h\n", "4||WRONGTYPE Operation against a key holding the wrong kind of value\n");
    converse(&running, b"get||lines\n", "4||the value holds a line break, which a line cannot\n");
    running.connect().expect(&[("GET s", "$1\r\nx\r\n"), ("TYPE h", "+hash\r\n")]);
    converse(&running, b"del||h\nset||lines||one\nget||lines\n", "0||\n0||\n0||one\n");
}

#[test]
fn the_cut_into_packets_does_not_matter() {
    let running = start();
    let stream = b"set||k||a||b\r\nget||k\nfetch||k\n\ndel||k\nget||k\nexit\r\nget||k\n";
    let answers = "0||\n0||a||b\n3||invalid command; there are get, set, del, auth, exit and end\n\
                   1||the request cannot be parsed: there is no || in it\n0||\n2||key not found\n";
    for cut in 1..stream.len() {
        let mut client = running.connect();
        client.send(&stream[..cut]);
        // A round trip on another connection of the same loop: the first part has been read by then.
        running.connect().expect(&[("PING", "+PONG\r\n")]);
        // The server may have closed after the exit.
        let _ = client.stream.write_all(&stream[cut..]);
        assert_eq!(String::from_utf8_lossy(&client.receive_all()), answers, "cut at {cut}");
    }
}

#[test]
fn the_first_request_may_come_byte_by_byte() {
    let running = start();
    for (stream, answer) in [
        (&b"get||k\nexit\n"[..], &b"2||key not found\n"[..]),
        (b"end\n", b""),
        (b"Exit\r\n", b""),
        (b"PING\r\nQUIT\r\n", b"+PONG\r\n+OK\r\n"),
        (b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n", b"+PONG\r\n+OK\r\n"),
    ] {
        let mut client = running.connect();
        for byte in stream {
            let before = running.server.stats().bytes_in;
            client.send(&[*byte]);
            wait_until("the byte is read", || running.server.stats().bytes_in > before);
        }
        assert_eq!(client.receive_all(), answer);
    }
}

#[test]
fn both_protocols_share_the_port_and_do_not_change() {
    let running = start();
    let mut redis = running.connect();
    redis.send(b"PING\r\nget||k\r\n");
    redis.receive(b"+PONG\r\n-ERR unknown command 'get||k', with args beginning with: \r\n");
    let mut text = running.connect();
    text.send(b"get||k\nPING\n");
    text.receive(b"2||key not found\n1||the request cannot be parsed: there is no || in it\n");
    redis.expect(&[("SET k v", "+OK\r\n")]);
    text.send(b"get||k\n");
    text.receive(b"0||v\n");
}

#[test]
fn a_deep_pipeline_is_answered_in_order() {
    for threads in [1, 2] {
        let running = start_with(threads, ClientLimits::default());
        let count = 20_000;
        let requests: String = (0..count).map(|number| format!("set||k||{number}\nget||k\n")).collect();
        let answers: String = (0..count).map(|number| format!("0||\n0||{number}\n")).collect();
        let mut client = running.connect();
        let mut writer = client.stream.try_clone().unwrap();
        let sender = std::thread::spawn(move || writer.write_all(requests.as_bytes()).unwrap());
        client.receive(answers.as_bytes());
        sender.join().unwrap();
    }
}

#[test]
fn large_values_go_both_ways() {
    let running = start();
    for size in [100_000, 16 << 20] {
        let value = vec![b'x'; size];
        let mut client = running.connect();
        let mut writer = client.stream.try_clone().unwrap();
        let request = [b"set||large||", &value[..], b"\r\nget||large\n"].concat();
        let sender = std::thread::spawn(move || writer.write_all(&request).unwrap());
        client.receive(b"0||\n0||");
        let mut seen = vec![0; size + 1];
        client.stream.read_exact(&mut seen).unwrap();
        assert!(seen[..size] == value && seen[size] == b'\n');
        sender.join().unwrap();
    }
}

#[test]
fn a_line_that_is_too_long_costs_no_memory_and_not_the_connection() {
    let running = start();
    let mut client = running.connect();
    let mut writer = client.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        writer.write_all(b"set||k||").unwrap();
        for _ in 0..64 {
            writer.write_all(&[b'x'; 1 << 20]).unwrap();
        }
        writer.write_all(b"\nget||k\n").unwrap();
    });
    client.receive(b"4||the request is longer than the 16842816 bytes that are allowed\n2||key not found\n");
    sender.join().unwrap();
    wait_until("nothing is held", || running.server.stats().buffer_bytes == 0);
    client.send(&[b"set||k||".to_vec(), vec![b'x'; (16 << 20) + 1], b"\nget||k\n".to_vec()].concat());
    client.receive(b"4||TooLarge ");
}

#[test]
fn the_beginning_of_a_line_is_counted_and_given_back() {
    let limits = ClientLimits { buffer_bytes: Some(1 << 20), ..ClientLimits::default() };
    let running = start_with(1, limits);
    let mut client = running.connect();
    client.send(b"set||k||");
    let _ = client.stream.write_all(&vec![b'x'; 4 << 20]);
    let said = client.receive_all();
    assert_eq!(
        String::from_utf8_lossy(&said),
        "4||the buffers of all clients together have reached their limit, try again later\n"
    );
    wait_until("its memory is back", || running.server.stats().buffer_bytes == 0 && running.server.stats().cut == 1);
}

#[test]
fn web_requests_are_cut_off() {
    let running = start();
    for request in
        ["POST / HTTP/1.1\r\nHost: x\r\n\r\n", "Host:x\r\n", "host: x\r\n", "get||k\nPOST /x\n", "get||k\nHost:x\n"]
    {
        let mut client = running.connect();
        client.send(request.as_bytes());
        client.send(b"set||k||v\n");
        let answer = if request.starts_with("get") { "2||key not found\n" } else { "" };
        assert_eq!(String::from_utf8_lossy(&client.receive_all()), answer, "{request:?}");
    }
    converse(&running, b"get||k\n", "2||key not found\n");
}

#[test]
fn an_unfinished_line_is_not_run() {
    let running = start();
    let mut client = running.connect();
    client.send(b"set||k||v\nset||k||half of a val");
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.receive_all(), b"0||\n");
    converse(&running, b"get||k\n", "0||v\n");
}

#[test]
fn messages_hold_anything() {
    let running = start_messages();
    let mut client = running.connect();
    message(&mut client, b"set||k||a\r\nb||\n", b"0||");
    message(&mut client, b"get||k", b"0||a\r\nb||\n");
    message(&mut client, b"set||k||", b"0||");
    message(&mut client, b"get||k", b"0||");
    message(&mut client, b"set||k\n||x", b"0||");
    message(&mut client, b"del||k\n", b"0||");
    message(&mut client, b"del||k\n", b"2||key not found");
    message(&mut client, b"get||a||b", b"1||the request cannot be parsed: a key holds no ||");
    message(&mut client, b"\n", b"1||the request cannot be parsed: there is no || in it");
    message(&mut client, b"fetch||k", b"3||invalid command; there are get, set, del, auth, exit and end");
    running.connect().expect(&[("HSET h f v", ":1\r\n")]);
    message(&mut client, b"get||h", b"4||WRONGTYPE Operation against a key holding the wrong kind of value");
    client.send(b"exit\r\n");
    assert_eq!(client.receive_all(), b"");
}

#[test]
fn the_first_message_may_come_in_two_reads_and_later_ones_may_not() {
    let running = start_messages();
    let first = b"get||k";
    for cut in 1..5 {
        let mut client = running.connect();
        let before = running.server.stats().bytes_in;
        client.send(&first[..cut]);
        wait_until("it is read", || running.server.stats().bytes_in > before);
        message(&mut client, &first[cut..], b"2||key not found");
        // From now on a read is a request.
        for cut in 1..first.len() {
            let (one, two) = first.split_at(cut);
            let kind = |part: &[u8]| match part {
                b"get||" => &b"2||key not found"[..],
                [b'a'..=b'z', b'|', b'|', ..] | [_, b'a'..=b'z', b'|', b'|', ..] => {
                    b"3||invalid command; there are get, set, del, auth, exit and end"
                }
                [b'|', b'|', ..] => b"1||the request cannot be parsed: it does not begin with a command and ||",
                _ => b"1||the request cannot be parsed: there is no || in it",
            };
            message(&mut client, one, kind(one));
            message(&mut client, two, kind(two));
        }
    }
    let mut client = running.connect();
    client.send(b"end");
    assert_eq!(client.receive_all(), b"");
    running.connect().expect(&[("PING", "+PONG\r\n")]);
}

#[test]
fn a_message_that_is_too_long_ends_the_connection() {
    let limits = ClientLimits { unauthenticated_bytes: 1_000, ..ClientLimits::default() };
    let running = start_server(ServerOptions {
        password: Password::new(b"word"),
        text_framing: TextFraming::Message,
        limits,
        ..ServerOptions::default()
    });
    let mut client = running.connect();
    let long = [&b"set||k||"[..], &[b'x'; 10_000]].concat();
    message(&mut client, b"auth||word", b"0||");
    message(&mut client, &long, b"0||");
    // Where it ends and the next one begins cannot be told.
    let mut client = running.connect();
    client.send(&long);
    let answer = client.receive_all();
    assert_eq!(String::from_utf8_lossy(&answer), "4||the request is longer than the 1000 bytes that are allowed");
}

#[test]
fn the_password_comes_first() {
    for (text_framing, end) in [(TextFraming::Line, "\n"), (TextFraming::Message, "")] {
        let running =
            start_server(ServerOptions { password: Password::new(b"a||b"), text_framing, ..ServerOptions::default() });
        let mut client = running.connect();
        let mut ask = |said: &str, answer: &str| {
            client.send(format!("{said}{end}").as_bytes());
            client.receive(format!("{answer}{end}").as_bytes());
        };
        for said in ["get||k", "set||k||v", "del||k"] {
            ask(said, "4||no password yet, send auth||PASSWORD first");
        }
        ask("fetch||k", "3||invalid command; there are get, set, del, auth, exit and end");
        ask("auth||wrong", "4||wrong password");
        ask("get||k", "4||no password yet, send auth||PASSWORD first");
        ask("auth||a||b", "0||");
        ask("get||k", "2||key not found");
        ask("auth||wrong", "4||wrong password");
        ask("get||k", "2||key not found");
        assert_eq!(running.server.stats().refused_passwords, 2);
    }
    // Without a password any word will do.
    converse(&start(), b"auth||x\n", "0||\n");
}

#[test]
fn little_is_taken_before_the_password() {
    let running = start_server(ServerOptions { password: Password::new(b"word"), ..ServerOptions::default() });
    let mut client = running.connect();
    client.send(&[b"set||k||".to_vec(), vec![b'x'; 100_000], b"\nauth||word\n".to_vec()].concat());
    client.receive(b"4||the request is longer than the 65536 bytes that are allowed\n0||\n");
    client.send(&[b"set||k||".to_vec(), vec![b'x'; 100_000], b"\n".to_vec()].concat());
    client.receive(b"0||\n");
}

#[test]
fn a_slow_reader_is_paused_and_loses_nothing() {
    let running = start_with(1, ClientLimits { reply_pause_bytes: 1 << 20, ..ClientLimits::default() });
    let value = vec![b'x'; 30_000];
    let mut client = running.connect();
    client.send(&[b"set||k||", &value[..], b"\n"].concat());
    client.receive(b"0||\n");
    let count = 2_000;
    client.send(&b"get||k\n".repeat(count));
    running.connect().expect(&[("PING", "+PONG\r\n")]);
    assert!(running.server.stats().buffer_bytes < 8 << 20, "{:?}", running.server.stats());
    let one = [b"0||", &value[..], b"\n"].concat();
    for number in 0..count {
        let mut seen = vec![0; one.len()];
        client.stream.read_exact(&mut seen).unwrap();
        assert!(seen == one, "answer {number}");
    }
}

#[test]
fn a_pause_holds_writes_up_and_then_lets_them_go_on() {
    let running = start();
    let (mut text, mut redis) = (running.connect(), running.connect());
    text.send(b"set||k||1\n");
    text.receive(b"0||\n");
    redis.expect(&[("CLIENT PAUSE 100000 WRITE", "+OK\r\n")]);
    text.send(b"get||k\nset||k||2\nget||k\n");
    text.receive(b"0||1\n");
    redis.expect(&[("GET k", "$1\r\n1\r\n"), ("CLIENT UNPAUSE", "+OK\r\n")]);
    text.receive(b"0||\n0||2\n");
}

#[test]
fn silence_ends_a_text_client_and_no_other() {
    let running = start_with(2, ClientLimits { text_idle: Some(IDLE), ..ClientLimits::default() });
    let mut redis: Vec<_> = (0..2).map(|_| running.connect()).collect();
    redis.iter_mut().for_each(|client| client.expect(&[("PING", "+PONG\r\n")]));
    let mut undecided = running.connect();
    undecided.send(b"PIN");
    let begun = Instant::now();
    let (mut silent, mut talking) = (running.connect(), running.connect());
    silent.send(b"get||k\n");
    silent.receive(b"2||key not found\n");
    silent.stream.set_nonblocking(true).unwrap();
    let mut said = Vec::new();
    let closed = |stream: &mut TcpStream, said: &mut Vec<u8>| loop {
        let mut chunk = [0; 64];
        match stream.read(&mut chunk) {
            Ok(0) => return true,
            Ok(count) => said.extend_from_slice(&chunk[..count]),
            Err(_) => return false,
        }
    };
    while !closed(&mut silent.stream, &mut said) {
        assert!(begun.elapsed() < PATIENCE, "the silent client is still there");
        talking.send(b"get||k\n");
        talking.receive(b"2||key not found\n");
    }
    assert_eq!(String::from_utf8_lossy(&said), "4||silent for too long\n");
    assert!(begun.elapsed() >= IDLE * 3 / 4, "{:?}", begun.elapsed());
    drop(talking);
    redis.iter_mut().for_each(|client| client.expect(&[("PING", "+PONG\r\n")]));
    undecided.send(b"G\r\n");
    undecided.receive(b"+PONG\r\n");
    assert_eq!(running.server.stats().silent, 1);
}

#[test]
fn stopping_answers_what_was_received_and_says_so() {
    for (text_framing, end) in [(TextFraming::Line, "\n"), (TextFraming::Message, "")] {
        let running = start_server(ServerOptions { text_framing, threads: 2, ..ServerOptions::default() });
        let mut clients: Vec<_> = (0..10).map(|_| running.connect()).collect();
        for client in &mut clients {
            client.send(format!("set||k||v{end}").as_bytes());
            client.receive(format!("0||{end}").as_bytes());
            client.send(format!("get||k{end}").as_bytes());
        }
        running.server.stop(PATIENCE);
        for client in &mut clients {
            let said = client.receive_all();
            assert_eq!(String::from_utf8_lossy(&said), format!("0||v{end}4||server is stopping{end}"));
        }
    }
}

#[test]
fn a_client_too_many_is_told_so_in_its_protocol() {
    let running = start_with(1, ClientLimits { clients: 1, ..ClientLimits::default() });
    let mut one = running.connect();
    one.expect(&[("PING", "+PONG\r\n")]);
    let mut refused = 200;
    for (said, answer) in [
        (&b"get||k\n"[..], &b"4||max number of clients reached\n"[..]),
        (b"end\n", b"4||max number of clients reached\n"),
        (b"PING\r\n", b"-ERR max number of clients reached\r\n"),
        (b"", b"-ERR max number of clients reached\r\n"),
        (b"POST / HTTP/1.1\r\n", b""),
    ] {
        // Who says nothing within 100 ms is answered in RESP: this thread may not have been run in time.
        let heard = loop {
            let begun = Instant::now();
            let mut client = running.connect();
            client.try_send(said);
            let was_quick = begun.elapsed() < Duration::from_millis(50);
            let heard = client.receive_all();
            refused += 1;
            if was_quick {
                break heard;
            }
        };
        assert_eq!(String::from_utf8_lossy(&heard), String::from_utf8_lossy(answer));
    }
    // More at once than are listened to: the others are told in RESP.
    let mut many: Vec<_> = (0..200).map(|_| running.connect()).collect();
    for client in &mut many {
        assert_eq!(client.receive_all(), b"-ERR max number of clients reached\r\n");
    }
    one.expect(&[("PING", "+PONG\r\n")]);
    assert_eq!((running.server.stats().clients, running.server.stats().rejected), (1, refused));
}

#[test]
fn random_lines_never_hurt() {
    let running = start();
    let mut state = 11u64;
    for _ in 0..300 {
        let mut bytes = b"get||k\n".to_vec();
        for _ in 0..600 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let meant = b"||||\n\rgetsdlauhxi ";
            bytes.push(if state >> 62 == 0 {
                (state >> 33) as u8
            } else {
                meant[(state >> 40) as usize % meant.len()]
            });
        }
        let mut client = running.connect();
        let _ = client.stream.write_all(&bytes);
        let _ = client.stream.shutdown(Shutdown::Write);
        let answer = client.receive_all();
        for line in answer.split_inclusive(|&byte| byte == b'\n') {
            assert!(line.len() > 3 && (b'0'..=b'4').contains(&line[0]) && line.ends_with(b"\n"), "{line:?}");
        }
    }
    running.connect().expect(&[("PING", "+PONG\r\n")]);
    wait_until("all are closed", || running.server.stats().clients == 0);
    assert_eq!(running.server.stats().buffer_bytes, 0);
}
