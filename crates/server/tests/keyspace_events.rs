//! Keyspace events, as far as other tests do not compare them with Redis.

mod support;
use support::{Client, start_with};
use tandem_engine::{Condition, Kind, NewValue, WriteOptions};
use tandem_server::ClientLimits;

fn message(channel: &str, payload: &str) -> String {
    format!("*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n${}\r\n{channel}\r\n${}\r\n{payload}\r\n", channel.len(), payload.len())
}

/// A client that listens to everything.
fn listener(running: &support::Running) -> Client {
    let mut client = running.connect();
    client.converse(&[("PSUBSCRIBE *", "*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n")]);
    client
}

#[test]
fn only_what_is_asked_for_is_told() {
    let running = start_with(2, ClientLimits::default());
    let (mut client, mut listener) = (running.connect(), listener(&running));
    client.expect(&[
        ("SET a 1", "+OK\r\n"),
        ("CONFIG GET notify-keyspace-events", "*2\r\n$22\r\nnotify-keyspace-events\r\n$0\r\n\r\n"),
        ("CONFIG SET notify-keyspace-events Eg", "+OK\r\n"),
        ("SET a 2", "+OK\r\n"),
        ("DEL a", ":1\r\n"),
        ("CONFIG SET notify-keyspace-events K$", "+OK\r\n"),
        ("INCR a", ":1\r\n"),
        ("DEL a", ":1\r\n"),
        ("CONFIG SET notify-keyspace-events ''", "+OK\r\n"),
        ("SET a 2", "+OK\r\n"),
        ("PUBLISH end here", ":1\r\n"),
    ]);
    let told =
        [message("__keyevent@0__:del", "a"), message("__keyspace@0__:a", "incrby"), message("end", "here")].concat();
    listener.receive(told.as_bytes());
    for (classes, reason) in [
        ("q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        ("Km", "The class m is not offered: there are no events for keys that are not found."),
    ] {
        let refusal =
            format!("-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - {reason}\r\n");
        client.expect(&[(format!("CONFIG SET notify-keyspace-events {classes}").as_str(), &refusal)]);
    }
}

#[test]
fn what_goes_by_itself_or_through_the_embedding_process_is_told() {
    let running = start_with(1, ClientLimits::default());
    let (mut client, mut listener) = (running.connect(), listener(&running));
    client.expect(&[
        ("CONFIG SET notify-keyspace-events EAn", "+OK\r\n"),
        ("SELECT 2", "+OK\r\n"),
        ("SET a 1 PX 10", "+OK\r\n"),
    ]);
    running.clock.advance(20);
    client.expect(&[("EXISTS a", ":0\r\n")]);
    let value = NewValue { kind: Kind::Text, codec: 0, bytes: b"1" };
    running.cache.set(b"b", value, &WriteOptions::default()).unwrap();
    running.cache.delete(b"b", Condition::Always).unwrap();
    let told = [
        message("__keyevent@2__:new", "a"),
        message("__keyevent@2__:set", "a"),
        message("__keyevent@2__:expire", "a"),
        message("__keyevent@2__:expired", "a"),
        message("__keyevent@0__:new", "b"),
        message("__keyevent@0__:set", "b"),
        message("__keyevent@0__:del", "b"),
    ];
    listener.receive(told.concat().as_bytes());
}

#[test]
fn evictions_are_told() {
    let running = start_with(1, ClientLimits::default());
    let (mut client, mut listener) = (running.connect(), listener(&running));
    client.expect(&[("CONFIG SET notify-keyspace-events Ee", "+OK\r\n")]);
    // Nothing that compresses.
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let bytes: Vec<u8> = (0..1 << 20).map(|_| random()).collect();
    let value = NewValue { kind: Kind::Bytes, codec: 0, bytes: &bytes };
    for number in 0..80 {
        running.cache.set(number.to_string().as_bytes(), value, &WriteOptions::default()).unwrap();
    }
    let gone = (0..80).filter(|number| client.ask(&format!("EXISTS {number}")) == ":0\r\n").count();
    client.expect(&[("PUBLISH end here", ":1\r\n")]);
    let seen = listener.receive_until(message("end", "here").as_bytes());
    let told = String::from_utf8(seen).unwrap().matches("__keyevent@0__:evicted").count();
    assert!(gone > 10 && told == gone, "{told} of {gone}");
}

#[test]
fn a_transaction_is_told_of_in_order_and_only_if_it_holds() {
    let running = start_with(2, ClientLimits::default());
    let (mut client, mut listener) = (running.connect(), listener(&running));
    client.converse(&[("CONFIG SET notify-keyspace-events EA", "+OK\r\n"), ("MULTI", "+OK\r\n")]);
    let mut told = String::new();
    for number in 0..20 {
        client.converse(&[(format!("SET key:{number} 1").as_str(), "+QUEUED\r\n")]);
        told += &message("__keyevent@0__:set", &format!("key:{number}"));
    }
    client.converse(&[("RENAME key:0 moved", "+QUEUED\r\n")]);
    told += &[message("__keyevent@0__:rename_from", "key:0"), message("__keyevent@0__:rename_to", "moved")].concat();
    client.converse(&[("EXEC", &format!("*21\r\n{}", "+OK\r\n".repeat(21)))]);
    listener.receive(told.as_bytes());
    // A script that runs out of time is undone.
    let undone = client.ask("EVAL redis.call('SET',KEYS[1],1)while(1)do\tend 1 undone");
    assert!(undone.contains("rolled back"), "{undone}");
    client.expect(&[("PUBLISH end here", ":1\r\n")]);
    listener.receive(message("end", "here").as_bytes());
}
