//! Commands on hashes and sets, byte for byte; what redis-server answers alike is in `__test__/peers/server`.

mod support;
use std::collections::HashSet;

use support::{Client, Running, encode, start, start_with};
use tandem_server::ClientLimits;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

#[test]
fn hashes() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[
        ("HSET h a 1 b 2 a 3", ":2\r\n"),
        ("HGETALL h", "*4\r\n$1\r\na\r\n$1\r\n3\r\n$1\r\nb\r\n$1\r\n2\r\n"),
        ("HMGET h b missing a", "*3\r\n$1\r\n2\r\n$-1\r\n$1\r\n3\r\n"),
        ("HINCRBY h a -10", ":-7\r\n"),
        ("HSETNX h a 5", ":0\r\n"),
        ("HSTRLEN h a", ":2\r\n"),
        ("HDEL h a b a", ":2\r\n"),
        ("EXISTS h", ":0\r\n"),
        ("HGETALL h", "*0\r\n"),
    ]);
    client.ask("HELLO 3");
    client.expect(&[
        ("HSET h a 1", ":1\r\n"),
        ("HGETALL h", "%1\r\n$1\r\na\r\n$1\r\n1\r\n"),
        ("HGET h b", "_\r\n"),
        ("HMSET h b", "-ERR wrong number of arguments for 'hmset' command\r\n"),
        ("HMSET h b 1 c", "-ERR wrong number of arguments for 'hmset' command\r\n"),
    ]);
}

#[test]
fn sets() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[
        ("SADD s a b a", ":2\r\n"),
        ("SMEMBERS s", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ("SMISMEMBER s a c", "*2\r\n:1\r\n:0\r\n"),
        ("SREM s a c", ":1\r\n"),
        ("SRANDMEMBER s", "$1\r\nb\r\n"),
        ("SRANDMEMBER s -3", "*3\r\n$1\r\nb\r\n$1\r\nb\r\n$1\r\nb\r\n"),
        ("SPOP s", "$1\r\nb\r\n"),
        ("EXISTS s", ":0\r\n"),
        ("SPOP s", "$-1\r\n"),
    ]);
    client.ask("HELLO 3");
    client.expect(&[
        ("SADD s 1", ":1\r\n"),
        ("SMEMBERS s", "~1\r\n$1\r\n1\r\n"),
        ("SPOP s 5", "~1\r\n$1\r\n1\r\n"),
        ("SPOP s 5", "~0\r\n"),
    ]);
}

#[test]
fn encodings_are_those_of_redis_and_stay() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[
        ("HSET h a 1", ":1\r\n"),
        ("OBJECT ENCODING h", "$8\r\nlistpack\r\n"),
        (&format!("HSET h a {}", "v".repeat(65)), ":0\r\n"),
        ("HSET h a 1", ":0\r\n"),
        ("OBJECT ENCODING h", "$9\r\nhashtable\r\n"),
        ("SADD s 1", ":1\r\n"),
        ("OBJECT ENCODING s", "$6\r\nintset\r\n"),
        ("OBJECT REFCOUNT s", ":1\r\n"),
        ("OBJECT FREQ missing", "$-1\r\n"),
        ("SET k v", "+OK\r\n"),
        ("OBJECT FREQ k", ":0\r\n"),
        ("GET k", "$1\r\nv\r\n"),
        ("OBJECT FREQ k", ":1\r\n"),
    ]);
    let error = client.ask("OBJECT IDLETIME k");
    assert!(error.starts_with("-ERR An LFU maxmemory policy is selected, idle time not tracked."), "{error}");
    let mut words: Vec<String> = (0..512).map(|number| number.to_string()).collect();
    client.expect(&[
        (&format!("SADD many {}", words.join(" ")), ":512\r\n"),
        ("OBJECT ENCODING many", "$6\r\nintset\r\n"),
    ]);
    words.truncate(500);
    client.expect(&[
        ("SADD many 512", ":1\r\n"),
        (&format!("SREM many {}", words.join(" ")), ":500\r\n"),
        ("OBJECT ENCODING many", "$9\r\nhashtable\r\n"),
    ]);
}

#[test]
fn every_command_knows_whose_key_it_is() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[("SET string 1", "+OK\r\n"), ("HSET hash a 1", ":1\r\n"), ("SADD set 1", ":1\r\n")]);
    for (kind, words) in [
        ("hash", "HSET HSETNX HINCRBY HDEL HGET HMGET HGETALL HKEYS HVALS HLEN HEXISTS HSTRLEN HSCAN"),
        ("set", "SADD SREM SMEMBERS SISMEMBER SMISMEMBER SCARD SPOP SRANDMEMBER SSCAN"),
        ("string", "GET GETSET GETDEL GETEX STRLEN APPEND INCR DECRBY INCRBYFLOAT GETRANGE SETRANGE"),
    ] {
        for name in words.split(' ') {
            let rest = match name {
                "HSET" | "HSETNX" | "HINCRBY" => " a 1",
                "HDEL" | "HGET" | "HMGET" | "HEXISTS" | "HSTRLEN" | "SADD" | "SREM" | "SISMEMBER" | "SMISMEMBER" => {
                    " a"
                }
                "HSCAN" | "SSCAN" => " 0",
                "GETSET" | "APPEND" | "DECRBY" | "INCRBYFLOAT" => " 1",
                "GETRANGE" | "SETRANGE" => " 0 1",
                _ => "",
            };
            for other in ["string", "hash", "set"].into_iter().filter(|other| *other != kind) {
                assert_eq!(client.ask(&format!("{name} {other}{rest}")), WRONG_TYPE, "{name} {other}");
            }
        }
    }
    client.expect(&[
        ("MGET hash string set", "*3\r\n$-1\r\n$1\r\n1\r\n$-1\r\n"),
        ("SET hash 1 GET", WRONG_TYPE),
        ("GETEX set EX x", WRONG_TYPE),
        ("HGETALL hash", "*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
        ("SMEMBERS set", "*1\r\n$1\r\n1\r\n"),
        ("SET hash 1", "+OK\r\n"),
        ("TYPE hash", "+string\r\n"),
    ]);
}

/// The strings in a reply, in order.
fn strings(reply: &str) -> Vec<String> {
    let mut lines = reply.split("\r\n");
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with('$') && line != "$-1" {
            found.extend(lines.next().map(str::to_owned));
        }
    }
    found
}

/// A set of the numbers from 0 to `members` - 1.
fn numbers(running: &Running, members: usize) -> Client {
    let mut client = running.connect();
    let words: Vec<String> = (0..members).map(|number| number.to_string()).collect();
    assert_eq!(client.ask(&format!("SADD s {}", words.join(" "))), format!(":{members}\r\n"));
    client
}

#[test]
fn a_large_set_is_shown_step_by_step() {
    let running = start();
    let mut client = numbers(&running, 5_000);
    let (mut cursor, mut seen, mut steps) = ("0".to_owned(), HashSet::new(), 0);
    loop {
        let mut shown = strings(&client.ask(&format!("SSCAN s {cursor} COUNT 100"))).into_iter();
        cursor = shown.next().unwrap();
        seen.extend(shown);
        steps += 1;
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), 5_000);
    assert!((20..=60).contains(&steps), "{steps} steps");
}

#[test]
fn members_are_popped_and_drawn_once() {
    let running = start();
    let mut client = numbers(&running, 1_000);
    let drawn = strings(&client.ask("SRANDMEMBER s 600"));
    assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), 600);
    let mut popped = strings(&client.ask("SPOP s 700"));
    assert_eq!(client.ask("SCARD s"), ":300\r\n");
    popped.extend(strings(&client.ask("SPOP s 10000")));
    assert_eq!(popped.into_iter().collect::<HashSet<_>>().len(), 1_000);
    assert_eq!(client.ask("EXISTS s"), ":0\r\n");
}

#[test]
fn a_deadline_outlives_changes_of_fields() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[
        ("HSET h a 1", ":1\r\n"),
        ("EXPIRE h 100", ":1\r\n"),
        ("HSET h b 2", ":1\r\n"),
        ("TTL h", ":100\r\n"),
    ]);
    let fields: Vec<String> = (0..2_000).map(|number| format!("f{number} v")).collect();
    client.expect(&[
        (&format!("HSET h {}", fields.join(" ")), ":2000\r\n"),
        ("TTL h", ":100\r\n"),
        ("HLEN h", ":2002\r\n"),
    ]);
    running.clock.advance(100_001);
    client.expect(&[("HLEN h", ":0\r\n")]);
}

#[test]
fn who_asks_for_more_random_members_than_are_drawn_gets_the_replies_before_that() {
    let limits = ClientLimits { reply_bytes: 1 << 20, reply_pause_bytes: 1 << 20, ..ClientLimits::default() };
    let running = start_with(1, limits);
    let mut client = running.connect();
    client.ask(&format!("SADD s {}", "x".repeat(1_000)));
    let refused =
        "-ERR value is out of range: 9000000000 members were asked for, at most 1048576 are drawn at once\r\n";
    let too_large = "-ERR the reply would be larger than 1048576 bytes; ask for fewer members\r\n";
    for (count, error) in [("-9000000000", refused), ("-1048576", too_large)] {
        client
            .send(&[encode("ECHO before"), encode(&format!("SRANDMEMBER s {count}")), encode("ECHO behind")].concat());
        client.receive(format!("$6\r\nbefore\r\n{error}$6\r\nbehind\r\n").as_bytes());
    }
    client.ask("SADD t a");
    assert!(client.ask("SRANDMEMBER t -100000").starts_with("*100000\r\n$1\r\na\r\n"));
}
