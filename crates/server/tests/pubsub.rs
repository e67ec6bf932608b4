//! Publish and subscribe, in both protocols and over several loops.

mod support;
use std::collections::HashMap;
use std::io::Read;

use support::{Client, IDLE, Running, encode, encode_parts, start, start_with, wait_until};
use tandem_server::ClientLimits;

/// Sends a request and reads exactly the reply.
fn say(client: &mut Client, words: &str, reply: &str) {
    client.send(&encode(words));
    client.receive(reply.as_bytes());
}

fn frame(mark: char, parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("${}\r\n{part}\r\n", part.len())).collect();
    format!("{mark}{}\r\n{parts}", parts.matches("\r\n").count() / 2)
}

fn confirmed(mark: char, word: &str, name: &str, count: usize) -> String {
    format!("{mark}3\r\n${}\r\n{word}\r\n${}\r\n{name}\r\n:{count}\r\n", word.len(), name.len())
}

/// A client that listens to channel `c`.
fn listener(running: &Running, protocol: u8) -> Client {
    let mut client = running.connect();
    let mark = if protocol == 3 { '>' } else { '*' };
    client.ask(&format!("HELLO {protocol}"));
    say(&mut client, "SUBSCRIBE c", &confirmed(mark, "subscribe", "c", 1));
    client
}

#[test]
fn subscriptions_are_confirmed_and_counted() {
    let running = start();
    let mut client = running.connect();
    let both = confirmed('*', "subscribe", "a", 1) + &confirmed('*', "subscribe", "b", 2);
    say(&mut client, "SUBSCRIBE a b a", &(both + &confirmed('*', "subscribe", "a", 2)));
    say(&mut client, "PSUBSCRIBE a*", &confirmed('*', "psubscribe", "a*", 3));
    let mut other = running.connect();
    other.expect(&[
        ("PUBSUB NUMSUB a b c", "*6\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:1\r\n$1\r\nc\r\n:0\r\n"),
        ("PUBSUB NUMPAT", ":1\r\n"),
        ("PUBSUB CHANNELS b*", "*1\r\n$1\r\nb\r\n"),
        (
            "PUBSUB CHANNELS a b",
            "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.\r\n",
        ),
    ]);
    say(&mut client, "UNSUBSCRIBE q", &confirmed('*', "unsubscribe", "q", 3));
    say(&mut client, "UNSUBSCRIBE", &(confirmed('*', "unsubscribe", "a", 2) + &confirmed('*', "unsubscribe", "b", 1)));
    say(&mut client, "PUNSUBSCRIBE a*", &confirmed('*', "punsubscribe", "a*", 0));
    say(&mut client, "UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
    client.expect(&[("GET k", "$-1\r\n")]);
    other.expect(&[("PUBSUB CHANNELS", "*0\r\n"), ("PUBSUB NUMPAT", ":0\r\n"), ("PUBLISH a x", ":0\r\n")]);
}

#[test]
fn a_listener_of_resp2_may_do_little_else() {
    let running = start();
    let mut client = listener(&running, 2);
    let refused = |name: &str| {
        format!(
            "-ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
             this context\r\n"
        )
    };
    say(&mut client, "GET k", &refused("get"));
    say(&mut client, "CLIENT ID", &refused("client|id"));
    say(&mut client, "GET", "-ERR wrong number of arguments for 'get' command\r\n");
    say(&mut client, "PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    say(&mut client, "PING x", "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
    say(&mut client, "RESET", "+RESET\r\n");
    client.expect(&[("PUBSUB CHANNELS", "*0\r\n"), ("PING", "+PONG\r\n")]);
    let mut client = listener(&running, 3);
    say(&mut client, "GET k", "_\r\n");
    say(&mut client, "PING", "+PONG\r\n");
}

#[test]
fn messages_reach_listeners_of_every_loop_and_protocol() {
    let running = start_with(3, ClientLimits::default());
    let mut listeners: Vec<_> = (0..12).map(|number| (listener(&running, 2 + number % 2), number % 2 == 1)).collect();
    let mut publisher = running.connect();
    let bytes = b"\0\r\n\xFF bytes";
    for _ in 0..3 {
        assert_eq!(publisher.ask_bytes(&encode_parts(&[b"PUBLISH", b"c", bytes])), b":12\r\n");
    }
    for (client, third) in &mut listeners {
        let mark = if *third { b'>' } else { b'*' };
        let push = [&[mark][..], b"3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$10\r\n", bytes, b"\r\n"].concat();
        client.receive(&push.repeat(3));
    }
    drop(listeners);
    wait_until("closed listeners are forgotten", || publisher.ask("PUBSUB NUMSUB c").ends_with(":0\r\n"));
}

#[test]
fn patterns_get_messages_of_their_own() {
    let running = start();
    let mut client = running.connect();
    say(&mut client, "SUBSCRIBE news", &confirmed('*', "subscribe", "news", 1));
    say(&mut client, "PSUBSCRIBE n?ws", &confirmed('*', "psubscribe", "n?ws", 2));
    let mut publisher = running.connect();
    publisher.expect(&[("PUBLISH news hi", ":2\r\n"), ("PUBLISH nows ho", ":1\r\n"), ("PUBLISH news2 hu", ":0\r\n")]);
    client.receive(
        (frame('*', &["message", "news", "hi"])
            + &frame('*', &["pmessage", "n?ws", "news", "hi"])
            + &frame('*', &["pmessage", "n?ws", "nows", "ho"]))
            .as_bytes(),
    );
}

#[test]
fn a_listener_that_publishes_gets_the_reply_first() {
    let running = start();
    let mut client = listener(&running, 3);
    client.send(&[encode("PUBLISH c 1"), encode("GET k"), encode("PUBLISH c 2")].concat());
    let said = format!(":1\r\n_\r\n:1\r\n{}{}", frame('>', &["message", "c", "1"]), frame('>', &["message", "c", "2"]));
    client.receive(said.as_bytes());
}

#[test]
fn nothing_comes_after_the_end_of_a_subscription() {
    let running = start_with(2, ClientLimits::default());
    let mut publisher = running.connect();
    let mut sender = running.connect();
    let flood = std::thread::spawn(move || {
        for _ in 0..3_000 {
            sender.send(&encode("PUBLISH c x"));
            sender.stream.read_exact(&mut [0; 4]).unwrap();
        }
    });
    for _ in 0..300 {
        let mut client = running.connect();
        client.send(&[encode("SUBSCRIBE c"), encode("UNSUBSCRIBE"), encode("GET nothing")].concat());
        let end = b"unsubscribe\r\n$1\r\nc\r\n:0\r\n$-1\r\n";
        let mut seen = Vec::new();
        while !seen.ends_with(end) {
            let mut byte = [0];
            client.stream.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        client.expect(&[("PING", "+PONG\r\n")]);
    }
    flood.join().unwrap();
    publisher.expect(&[("PUBSUB CHANNELS", "*0\r\n")]);
}

#[test]
fn a_message_that_is_under_way_when_its_subscription_ends_does_not_come() {
    let running = start();
    let mut client = running.connect();
    client.ask("HELLO 3");
    for (subscribe, unsubscribe) in [("subscribe", "unsubscribe"), ("psubscribe", "punsubscribe")] {
        client.send(
            &[
                encode(&format!("{subscribe} c")),
                encode("PUBLISH c x"),
                encode(&format!("{unsubscribe} c")),
                encode("GET nothing"),
            ]
            .concat(),
        );
        let begun = confirmed('>', subscribe, "c", 1);
        client.receive(format!("{begun}:1\r\n{}_\r\n", confirmed('>', unsubscribe, "c", 0)).as_bytes());
        client.expect(&[("PING", "+PONG\r\n")]);
    }
}

#[test]
fn a_listener_may_be_silent_as_long_as_it_listens() {
    let running = start_with(1, ClientLimits { idle: Some(IDLE), ..ClientLimits::default() });
    let mut listeners = [listener(&running, 2), listener(&running, 3)];
    for _ in 0..2 {
        // Closed for being silent, so the listeners have been silent for as long.
        assert_eq!(running.connect().receive_all(), b"");
    }
    running.connect().expect(&[("PUBLISH c x", ":2\r\n")]);
    for (client, mark) in listeners.iter_mut().zip(['*', '>']) {
        client.receive(frame(mark, &["message", "c", "x"]).as_bytes());
        say(client, "UNSUBSCRIBE", &confirmed(mark, "unsubscribe", "c", 0));
    }
    for client in &mut listeners {
        assert_eq!(client.receive_all(), b"");
    }
    assert_eq!(running.server.stats().silent, 4);
}

#[test]
fn a_listener_that_takes_nothing_is_cut_and_the_others_are_not() {
    let running = start();
    let _stalled = listener(&running, 2);
    let mut reader = listener(&running, 3);
    let mut publisher = running.connect();
    let payload = vec![b'x'; 1 << 20];
    let request = encode_parts(&[b"PUBLISH", b"c", &payload]);
    let push = [&b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1048576\r\n"[..], &payload, b"\r\n"].concat();
    let mut answers = HashMap::new();
    for _ in 0..64 {
        *answers.entry(publisher.ask_bytes(&request)).or_insert(0) += 1;
        let mut seen = vec![0; push.len()];
        reader.stream.read_exact(&mut seen).unwrap();
        assert!(seen == push);
    }
    wait_until("it is cut", || running.server.stats().cut == 1);
    assert!(answers[&b":2\r\n"[..]] >= 32, "{answers:?}");
    publisher.expect(&[("PUBLISH c y", ":1\r\n")]);
    drop((reader, _stalled));
    wait_until("its memory is back", || running.server.stats().buffer_bytes == 0);
}

#[test]
fn subscriptions_are_bounded_and_count_as_buffers() {
    let running = start();
    let mut client = running.connect();
    client.ask("HELLO 3");
    let name = vec![b'n'; 1 << 20];
    for number in 1..16u8 {
        let own = [&[number][..], &name].concat();
        client.send(&encode_parts(&[b"SUBSCRIBE", &own]));
        let begin = b">3\r\n$9\r\nsubscribe\r\n$1048577\r\n";
        client.receive(&[&begin[..], &own, format!("\r\n:{number}\r\n").as_bytes()].concat());
    }
    client.send(&encode_parts(&[b"SUBSCRIBE", b"1", &name, b"3"]));
    client.receive(b"-ERR too many subscriptions: a client may have 100000, with names of 16 MiB in all\r\n");
    assert!(running.server.stats().buffer_bytes > 15 << 20);
    drop(client);
    wait_until("its memory is back", || running.server.stats().buffer_bytes == 0);
}
