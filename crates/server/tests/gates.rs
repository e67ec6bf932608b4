//! Key gates on the wire: who loads, who waits, who is overtaken.

mod support;
use std::io::Read;
use std::time::Duration;

use support::{Client, IDLE, PATIENCE, Running, encode, start, start_with, wait_until};
use tandem_server::ClientLimits;

/// Asks for something that is granted at once and returns the token in the reply.
fn token(client: &mut Client, words: &str, how: &str) -> String {
    let reply = client.ask(words);
    let lines: Vec<&str> = reply.lines().collect();
    assert_eq!(lines[2], how, "{words}: {reply:?}");
    lines[4].to_owned()
}

fn client(running: &Running, protocol: u8) -> Client {
    let mut client = running.connect();
    client.ask(&format!("HELLO {protocol}"));
    client
}

/// What a client gets that waited: in RESP2 the reply, in RESP3 a push.
fn outcome(protocol: u8, id: u64, reply: &str) -> String {
    if protocol == 3 { format!(">3\r\n$4\r\ngate\r\n:{id}\r\n{reply}") } else { reply.to_owned() }
}

/// Sends a request that has to wait.
fn wait(client: &mut Client, protocol: u8, id: u64, words: &str) {
    client.send(&encode(words));
    if protocol == 3 {
        client.receive(format!("*2\r\n$6\r\nQUEUED\r\n:{id}\r\n").as_bytes());
    } else {
        client.stream.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
        assert!(client.stream.peek(&mut [0]).is_err(), "{words}");
        client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }
}

#[test]
fn one_of_many_loads_and_all_get_the_value() {
    for protocol in [2, 3] {
        let running = start_with(3, ClientLimits::default());
        let mut loader = client(&running, protocol);
        let token = token(&mut loader, "TANDEM.LEASE k", "WON");
        let mut askers: Vec<_> = (0..6).map(|_| client(&running, protocol)).collect();
        askers.iter_mut().for_each(|one| wait(one, protocol, 1, "TANDEM.LEASE k"));
        loader.expect(&[(&format!("TANDEM.FILL k {token} STORE loaded PX 5000"), "+OK\r\n"), ("PTTL k", ":5000\r\n")]);
        for one in &mut askers {
            one.receive(outcome(protocol, 1, "*2\r\n$3\r\nHIT\r\n$6\r\nloaded\r\n").as_bytes());
            one.expect(&[("TANDEM.LEASE k", "*2\r\n$3\r\nHIT\r\n$6\r\nloaded\r\n")]);
        }
        assert!(loader.ask(&format!("TANDEM.FILL k {token} KEEP")).starts_with("-Fenced "));
    }
}

#[test]
fn a_load_that_fails_or_finds_nothing_answers_all() {
    let running = start();
    for (end, protocol, said) in
        [("FAIL broken", 2, "-TransformFailed broken\r\n"), ("KEEP", 2, "$-1\r\n"), ("KEEP", 3, "_\r\n")]
    {
        let (mut loader, mut asker) = (client(&running, 2), client(&running, protocol));
        let token = token(&mut loader, "TANDEM.LEASE k", "WON");
        wait(&mut asker, protocol, 1, "TANDEM.LEASE k");
        loader.expect(&[(&format!("TANDEM.FILL k {token} {end}"), "+OK\r\n")]);
        asker.receive(outcome(protocol, 1, said).as_bytes());
    }
}

#[test]
fn a_lease_ends_with_its_holders_connection() {
    let running = start_with(2, ClientLimits::default());
    let (mut loader, mut asker) = (client(&running, 2), client(&running, 3));
    // Long before anything else would end it.
    token(&mut loader, "TANDEM.LEASE k TTL 3600000", "WON");
    wait(&mut asker, 3, 1, "TANDEM.LEASE k WAIT 3600000");
    drop(loader);
    asker.receive(b">3\r\n$4\r\ngate\r\n:1\r\n*2\r\n$3\r\nWON\r\n");
}

#[test]
fn a_wait_ends_with_the_connection_of_who_waits() {
    let running = start_with(2, ClientLimits::default());
    let mut holder = client(&running, 2);
    let token = token(&mut holder, "TANDEM.LEASE k TTL 3600000", "WON");
    let mut waiting = [client(&running, 2), client(&running, 3)];
    wait(&mut waiting[0], 2, 1, "TANDEM.LEASE k WAIT 3600000");
    wait(&mut waiting[1], 3, 1, "TANDEM.LEASE k WAIT 3600000");
    assert_eq!(running.server.stats().clients, 3);
    drop(waiting);
    wait_until("they are gone", || running.server.stats().clients == 1);
    holder.expect(&[(&format!("TANDEM.FILL k {token} STORE v"), "+OK\r\n")]);
}

#[test]
fn upserts_run_in_turn_and_a_set_overtakes_them() {
    let running = start();
    let (mut one, mut two, mut three) = (client(&running, 3), client(&running, 2), client(&running, 3));
    let first = token(&mut one, "TANDEM.GATE k", "HELD");
    two.send(&[encode("TANDEM.GATE k"), encode("GET k")].concat());
    wait(&mut three, 3, 1, "TANDEM.INSERT k other");
    one.expect(&[(&format!("TANDEM.FILL k {first} STORE a"), "+OK\r\n")]);
    // The request behind the one that waits is answered after it.
    let mut seen = vec![0; b"*4\r\n$4\r\nHELD\r\n".len()];
    std::io::Read::read_exact(&mut two.stream, &mut seen).unwrap();
    assert_eq!(seen, b"*4\r\n$4\r\nHELD\r\n");
    three.send(&encode("SET k b"));
    three.receive(b"+OK\r\n");
    // The insert's turn has come after the one that was overtaken; the key is there.
    let mut push = String::new();
    while !push.contains("KeyExists") {
        let mut byte = [0];
        std::io::Read::read_exact(&mut three.stream, &mut byte).unwrap();
        push.push(byte[0] as char);
    }
    assert!(push.starts_with(">3\r\n$4\r\ngate\r\n:1\r\n-KeyExists"), "{push:?}");
    one.expect(&[("GET k", "$1\r\nb\r\n")]);
}

#[test]
fn inserts_and_updates_decide_in_their_turn() {
    let running = start();
    let mut one = client(&running, 2);
    one.expect(&[("TANDEM.INSERT k 1 PX 5000", "+OK\r\n"), ("PTTL k", ":5000\r\n"), ("TANDEM.UPDATE k 2", "+OK\r\n")]);
    assert!(one.ask("TANDEM.INSERT k 3").starts_with("-KeyExists "));
    assert!(one.ask("TANDEM.UPDATE none 3").starts_with("-KeyMissing "));
    one.expect(&[("GET k", "$1\r\n2\r\n"), ("TANDEM.STABLE k", "$1\r\n2\r\n")]);
    let token = token(&mut one, "TANDEM.GATE k", "HELD");
    let mut waiting = client(&running, 3);
    wait(&mut waiting, 3, 1, "TANDEM.STABLE k");
    one.expect(&[
        (&format!("TANDEM.FILL k {token} DELETE"), "+OK\r\n"),
        ("EXISTS k", ":0\r\n"),
        ("SET k 9", "+OK\r\n"),
    ]);
    waiting.receive(b">3\r\n$4\r\ngate\r\n:1\r\n$1\r\n9\r\n");
}

#[test]
fn in_resp2_nobody_waits_for_himself() {
    let running = start();
    let (mut holder, mut other) = (client(&running, 2), client(&running, 3));
    for (begin, how) in [("TANDEM.LEASE k", "WON"), ("TANDEM.GATE k", "HELD")] {
        let token = token(&mut holder, begin, how);
        for again in ["TANDEM.LEASE k", "TANDEM.GATE k", "TANDEM.INSERT k v", "TANDEM.UPDATE k v", "TANDEM.STABLE k"] {
            let reply = holder.ask(again);
            assert!(reply.starts_with("-Deadlock this connection holds the key itself"), "{again}: {reply}");
        }
        // What was refused does not wait, and has ended nothing.
        holder.expect(&[(&format!("TANDEM.FILL k {token} KEEP"), "+OK\r\n")]);
        assert!(other.ask("TANDEM.GATE k WAIT 0").contains("HELD"), "the key is free");
        other.expect(&[("DEL k", ":0\r\n"), ("RESET", "+RESET\r\n")]);
        other = client(&running, 3);
    }
    // Where waiting holds nothing up, a holder may wait for a key and then end what it holds.
    let token = token(&mut other, "TANDEM.LEASE k2", "WON");
    wait(&mut other, 3, 2, "TANDEM.LEASE k2");
    other.send(&encode(&format!("TANDEM.FILL k2 {token} STORE v")));
    let mut seen = other.receive_until(b"+OK\r\n");
    seen.extend(other.receive_until(b"HIT\r\n$1\r\nv\r\n"));
    assert_eq!(seen, b">3\r\n$4\r\ngate\r\n:2\r\n*2\r\n$3\r\n");
}

#[test]
fn who_waits_too_long_is_told() {
    let running = start();
    let mut holder = client(&running, 2);
    let token = token(&mut holder, "TANDEM.GATE k", "HELD");
    for protocol in [2, 3] {
        let mut one = client(&running, protocol);
        one.send(&encode("TANDEM.GATE k WAIT 50"));
        if protocol == 3 {
            one.receive(b"*2\r\n$6\r\nQUEUED\r\n:1\r\n");
        }
        one.receive(outcome(protocol, 1, "-Timeout ").as_bytes());
    }
    // Nobody waits any more: the key is free once it is released.
    holder.expect(&[(&format!("TANDEM.RELEASE k {token}"), "+OK\r\n")]);
    assert!(holder.ask(&format!("TANDEM.RELEASE k {token}")).starts_with("-Fenced "));
    assert!(holder.ask("TANDEM.GATE k WAIT 0").contains("HELD"));
}

#[test]
fn a_reply_that_is_not_wanted_does_not_come_later() {
    let running = start();
    let (mut holder, mut one) = (client(&running, 2), client(&running, 2));
    let token = token(&mut holder, "TANDEM.GATE k", "HELD");
    one.send(&[encode("CLIENT REPLY SKIP"), encode("TANDEM.INSERT k 1"), encode("ECHO next")].concat());
    one.stream.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
    assert!(one.stream.peek(&mut [0]).is_err());
    one.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    holder.expect(&[(&format!("TANDEM.RELEASE k {token}"), "+OK\r\n")]);
    one.receive(b"$4\r\nnext\r\n");
    one.expect(&[("GET k", "$1\r\n1\r\n")]);
}

#[test]
fn a_stop_answers_those_who_wait() {
    let running = start();
    let (mut holder, mut two, mut three) = (client(&running, 2), client(&running, 2), client(&running, 3));
    token(&mut holder, "TANDEM.GATE k", "HELD");
    wait(&mut two, 2, 1, "TANDEM.GATE k");
    wait(&mut three, 3, 1, "TANDEM.GATE k");
    running.server.stop(PATIENCE);
    assert!(two.receive_all().starts_with(b"-Closed "));
    assert!(three.receive_all().starts_with(b">3\r\n$4\r\ngate\r\n:1\r\n-Closed "));
    // What a server held in the cache is free again.
    running
        .cache
        .set(
            b"k",
            tandem_engine::NewValue { kind: tandem_engine::Kind::Text, codec: 0, bytes: b"v" },
            &Default::default(),
        )
        .unwrap();
}

#[test]
fn what_makes_no_sense_is_refused() {
    let running = start();
    let mut one = client(&running, 2);
    let range = "-ERR value is out of range: WAIT 0 to 3600000, TTL 1 to 3600000, PX and COST at least 1\r\n";
    one.expect(&[
        ("SADD s a", ":1\r\n"),
        ("TANDEM.LEASE k WAIT", "-ERR syntax error\r\n"),
        ("TANDEM.LEASE k PX 1", "-ERR syntax error\r\n"),
        ("TANDEM.STABLE k TTL 1", "-ERR syntax error\r\n"),
        ("TANDEM.LEASE k WAIT x", "-ERR value is not an integer or out of range\r\n"),
        ("TANDEM.LEASE k TTL 0", range),
        ("TANDEM.INSERT k v COST 0", range),
        ("TANDEM.FILL k x KEEP", "-ERR token is not an integer or out of range\r\n"),
        ("TANDEM.FILL k 1 WHAT", "-ERR syntax error\r\n"),
        ("TANDEM.FILL k 1 STORE", "-ERR syntax error\r\n"),
        ("TANDEM.LEASE s", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        ("TANDEM.GATE s", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    ]);
    assert!(one.ask("TANDEM.FILL k 1 KEEP").starts_with("-Fenced "));
}

#[test]
fn a_wait_is_ended_from_outside() {
    let running = start_with(2, ClientLimits::default());
    let mut holder = client(&running, 2);
    let token = token(&mut holder, "TANDEM.GATE k", "HELD");
    let mut other = client(&running, 2);
    for (how, said) in [("", "-Timeout "), (" TIMEOUT", "-Timeout "), (" error", "-UNBLOCKED client unblocked via ")] {
        let mut waiting = client(&running, 2);
        let id = waiting.id()[1..].trim_end().to_owned();
        other.expect(&[(&format!("CLIENT UNBLOCK {id}{how}"), ":0\r\n")]);
        waiting.send(&[encode("TANDEM.GATE k WAIT 3600000"), encode("ECHO after")].concat());
        wait_until("the client waits", || other.ask("CLIENT LIST").contains(" flags=b "));
        // Of two at once one has ended it.
        let unblock = encode(&format!("CLIENT UNBLOCK {id}{how}"));
        assert_eq!(other.ask_bytes(&unblock.repeat(2)), b":1\r\n:0\r\n");
        let reply = String::from_utf8(waiting.receive_until(b"\r\n")).unwrap();
        assert!(reply.starts_with(said), "{reply}");
        waiting.receive(b"$5\r\nafter\r\n");
    }
    // Nobody of those is granted the key any more.
    holder.expect(&[(&format!("TANDEM.RELEASE k {token}"), "+OK\r\n")]);
    self::token(&mut other, "TANDEM.GATE k WAIT 0", "HELD");
    // In RESP3 a wait holds nothing up.
    let mut third = client(&running, 3);
    let id = third.id()[1..].trim_end().to_owned();
    wait(&mut third, 3, 1, "TANDEM.GATE k");
    other.expect(&[(&format!("CLIENT UNBLOCK {id}"), ":0\r\n")]);
}

#[test]
fn who_waits_may_be_silent() {
    let running = start_with(1, ClientLimits { idle: Some(IDLE), ..ClientLimits::default() });
    let mut holder = client(&running, 2);
    let token = token(&mut holder, "TANDEM.GATE k TTL 3600000", "HELD");
    let mut waiting = [client(&running, 2), client(&running, 3)];
    for (one, protocol) in waiting.iter_mut().zip([2, 3]) {
        wait(one, protocol, 1, "TANDEM.STABLE k WAIT 3600000");
    }
    let mut silent = running.connect();
    silent.stream.set_nonblocking(true).unwrap();
    // Closed for being silent, so those who wait have been silent for as long. The holder talks.
    wait_until("a silent client is closed", || {
        holder.ask("PING");
        matches!(silent.stream.read(&mut [0; 16]), Ok(0))
    });
    holder.expect(&[(&format!("TANDEM.FILL k {token} STORE v"), "+OK\r\n")]);
    for (one, protocol) in waiting.iter_mut().zip([2, 3]) {
        one.receive(outcome(protocol, 1, "$1\r\nv\r\n").as_bytes());
    }
}
