//! Keys, expiry and the whole keyspace, byte for byte.

mod support;

use std::sync::Arc;

use support::{Client, START_MS, encode, start, start_with};
use tandem_server::{ClientLimits, Server, ServerOptions};

#[test]
fn delete_and_exist() {
    let running = start();
    running.connect().expect(&[
        ("MSET a 1 b 2 c 3", "+OK\r\n"),
        ("EXISTS a", ":1\r\n"),
        ("EXISTS a a x", ":2\r\n"),
        ("DEL a x", ":1\r\n"),
        ("UNLINK b b c", ":2\r\n"),
        ("EXISTS a b c", ":0\r\n"),
        ("DEL", "-ERR wrong number of arguments for 'del' command\r\n"),
        ("TYPE a", "+none\r\n"),
        ("SET a 1", "+OK\r\n"),
        ("TYPE a", "+string\r\n"),
    ]);
}

#[test]
fn expiry() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[
        ("EXPIRE k 10", ":0\r\n"),
        ("TTL k", ":-2\r\n"),
        ("PTTL k", ":-2\r\n"),
        ("PERSIST k", ":0\r\n"),
        ("SET k v", "+OK\r\n"),
        ("TTL k", ":-1\r\n"),
        ("PERSIST k", ":0\r\n"),
        ("EXPIRE k 10", ":1\r\n"),
        ("TTL k", ":10\r\n"),
        ("PEXPIRE k 2499", ":1\r\n"),
        ("TTL k", ":2\r\n"),
        ("PTTL k", ":2499\r\n"),
        (&format!("EXPIREAT k {}", START_MS / 1000 + 60), ":1\r\n"),
        ("PTTL k", ":60000\r\n"),
        (&format!("PEXPIREAT k {}", START_MS + 3), ":1\r\n"),
        ("PTTL k", ":3\r\n"),
        ("PERSIST k", ":1\r\n"),
        ("PTTL k", ":-1\r\n"),
        ("EXPIRE k x", "-ERR value is not an integer or out of range\r\n"),
        ("EXPIRE k 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n"),
        ("PEXPIRE k 9223372036854775807", "-ERR invalid expire time in 'pexpire' command\r\n"),
        ("EXPIRE k 1 XY", "-ERR Unsupported option XY\r\n"),
        ("EXPIRE k 1 NX XX", "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"),
        ("EXPIRE k 1 GT LT", "-ERR GT and LT options at the same time are not compatible\r\n"),
        ("EXPIRE k -1", ":1\r\n"),
        ("EXISTS k", ":0\r\n"),
    ]);
}

#[test]
fn expiry_under_conditions() {
    let running = start();
    running.connect().expect(&[
        ("SET k v", "+OK\r\n"),
        ("EXPIRE k 10 XX", ":0\r\n"),
        ("EXPIRE k 10 GT", ":0\r\n"),
        ("EXPIRE k 10 LT", ":1\r\n"),
        ("EXPIRE k 20 NX", ":0\r\n"),
        ("EXPIRE k 20 LT", ":0\r\n"),
        ("EXPIRE k 20 GT", ":1\r\n"),
        ("EXPIRE k 20 GT", ":0\r\n"),
        ("EXPIRE k 5 XX LT", ":1\r\n"),
        ("TTL k", ":5\r\n"),
        ("PERSIST k", ":1\r\n"),
        ("EXPIRE k 7 NX", ":1\r\n"),
        ("TTL k", ":7\r\n"),
    ]);
}

/// The words of a flat reply, without its headers.
fn words(reply: &str) -> Vec<&str> {
    reply.split("\r\n").filter(|line| !line.is_empty() && !line.starts_with(['*', '$'])).collect()
}

/// Every key that a whole scan returns, sorted; one that came twice is there twice.
fn scan_all(client: &mut Client, options: &str) -> Vec<String> {
    let (mut keys, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let reply = client.ask(format!("SCAN {cursor} {options}").trim_end());
        let mut parts = words(&reply).into_iter().map(str::to_owned);
        cursor = parts.next().unwrap();
        keys.extend(parts);
        if cursor == "0" {
            keys.sort_unstable();
            return keys;
        }
    }
}

#[test]
fn scan_returns_every_key_once() {
    let running = start();
    let mut client = running.connect();
    let mut expected: Vec<String> = (0..5_000).map(|number| format!("key:{number}")).collect();
    for key in &expected {
        client.send(&support::encode(&format!("SET {key} v")));
    }
    client.receive(&b"+OK\r\n".repeat(expected.len()));
    expected.sort_unstable();
    assert_eq!(scan_all(&mut client, ""), expected);
    assert_eq!(scan_all(&mut client, "COUNT 100000"), expected);
    assert_eq!(scan_all(&mut client, "TYPE string"), expected);
    assert_eq!(scan_all(&mut client, "TYPE hash"), Vec::<String>::new());
    let matching: Vec<_> = expected.iter().filter(|key| key.ends_with("77")).cloned().collect();
    assert_eq!(scan_all(&mut client, "MATCH key:*77 COUNT 500"), matching);
    let reply = client.ask("KEYS key:*77");
    let mut keys = words(&reply);
    keys.sort_unstable();
    assert_eq!(keys, matching);
    assert_eq!(client.ask("DBSIZE"), ":5000\r\n");
    assert_eq!(client.ask("KEYS none*"), "*0\r\n");
}

#[test]
fn scan_refuses_what_redis_refuses() {
    let running = start();
    running.connect().expect(&[
        ("SCAN x", "-ERR invalid cursor\r\n"),
        ("SCAN -", "-ERR invalid cursor\r\n"),
        ("SCAN 18446744073709551616", "-ERR invalid cursor\r\n"),
        ("SCAN ''", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ("SCAN 0 COUNT 0", "-ERR syntax error\r\n"),
        ("SCAN 0 COUNT x", "-ERR value is not an integer or out of range\r\n"),
        ("SCAN 0 MATCH", "-ERR syntax error\r\n"),
        ("SCAN 0 LIMIT 5", "-ERR syntax error\r\n"),
        ("SCAN 0", "*2\r\n$1\r\n0\r\n*0\r\n"),
    ]);
}

#[test]
fn databases_are_apart() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[
        ("SET k zero", "+OK\r\n"),
        ("SELECT 5", "+OK\r\n"),
        ("GET k", "$-1\r\n"),
        ("SET k five", "+OK\r\n"),
        ("MSET a 1 b 2", "+OK\r\n"),
        ("DBSIZE", ":3\r\n"),
        ("SELECT 15", "+OK\r\n"),
        ("DBSIZE", ":0\r\n"),
        ("KEYS *", "*0\r\n"),
        ("SELECT 16", "-ERR DB index is out of range\r\n"),
        ("SELECT -1", "-ERR DB index is out of range\r\n"),
        ("SELECT x", "-ERR value is not an integer or out of range\r\n"),
        ("SELECT 0", "+OK\r\n"),
        ("DBSIZE", ":1\r\n"),
        ("KEYS *", "*1\r\n$1\r\nk\r\n"),
        ("GET k", "$4\r\nzero\r\n"),
        ("FLUSHDB", "+OK\r\n"),
        ("DBSIZE", ":0\r\n"),
        ("SELECT 5", "+OK\r\n"),
        ("GET k", "$4\r\nfive\r\n"),
    ]);
    assert_eq!(scan_all(&mut client, ""), ["a", "b", "k"]);
    client.expect(&[("DEL a", ":1\r\n"), ("FLUSHDB ASYNC", "+OK\r\n"), ("DBSIZE", ":0\r\n")]);
    // Another connection begins with database 0.
    running.connect().expect(&[("SET k again", "+OK\r\n"), ("GET k", "$5\r\nagain\r\n")]);
}

#[test]
fn flush_empties_everything() {
    let running = start();
    running.connect().expect(&[
        ("MSET a 1 b 2", "+OK\r\n"),
        ("FLUSHALL NOW", "-ERR syntax error\r\n"),
        ("FLUSHALL SYNC ASYNC", "-ERR syntax error\r\n"),
        ("DBSIZE", ":2\r\n"),
        ("FLUSHALL SYNC", "+OK\r\n"),
        ("DBSIZE", ":0\r\n"),
        ("GET a", "$-1\r\n"),
        ("SET a 3", "+OK\r\n"),
        ("FLUSHDB", "+OK\r\n"),
        ("EXISTS a", ":0\r\n"),
    ]);
}

#[test]
fn values_of_the_embedded_cache_are_readable() {
    use tandem_engine::{Kind, NewValue, WriteOptions};
    let running = start();
    let set = |key: &str, kind, bytes: &[u8]| {
        running.cache.set(key.as_bytes(), NewValue { kind, codec: 0, bytes }, &WriteOptions::default()).unwrap();
    };
    set("text", Kind::Text, "héllo".as_bytes());
    set("bytes", Kind::Bytes, &[1, 2, 3]);
    set("integer", Kind::Integer, &(-42i64).to_le_bytes());
    set("coded", Kind::Coded, b"\x93\x01\x02\x03");
    let mut client = running.connect();
    client.expect(&[
        ("GET text", "$6\r\nhéllo\r\n"),
        ("GET bytes", "$3\r\n\u{1}\u{2}\u{3}\r\n"),
        ("GET integer", "$3\r\n-42\r\n"),
        ("STRLEN integer", ":3\r\n"),
        ("APPEND integer 0", ":4\r\n"),
        ("GET integer", "$4\r\n-420\r\n"),
        ("INCR integer", ":-419\r\n"),
        ("TYPE coded", "+string\r\n"),
    ]);
    assert_eq!(client.ask_bytes(&support::encode("GET coded")), b"$4\r\n\x93\x01\x02\x03\r\n");
    client.expect(&[("SET wire w", "+OK\r\n")]);
    let kind = running.cache.read(b"wire", tandem_engine::ReadMode::Peek, |found| found.kind);
    assert_eq!(kind, Some(Kind::Wire));
}

/// Every NX that changed the expiry found none, and every PERSIST found one: they take turns, whoever sends them.
#[test]
fn conditions_of_expire_hold_when_it_changes() {
    let running = start_with(4, ClientLimits::default());
    running.connect().expect(&[("SET k v", "+OK\r\n")]);
    let rounds = 3_000;
    let request = [encode("PEXPIRE k 1000000 NX"), encode("PERSIST k")].concat().repeat(rounds);
    let (set, persisted) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| running.connect().ask_bytes(&request))).collect();
        clients.into_iter().fold((0, 0), |(set, persisted), client| {
            let replies = String::from_utf8(client.join().unwrap()).unwrap();
            let changed = |offset| replies.lines().skip(offset).step_by(2).filter(|&reply| reply == ":1").count();
            (set + changed(0), persisted + changed(1))
        })
    });
    let left = usize::from(running.connect().ask("PTTL k") != ":-1\r\n");
    assert_eq!(set, persisted + left);
    assert!(set >= rounds);
}

#[test]
fn info_counts_the_keys_of_each_database() {
    let running = start();
    let mut client = running.connect();
    let keyspace = |client: &mut Client| {
        let info = client.ask("INFO keyspace");
        info.lines().filter_map(|line| line.strip_suffix(",expires=0,avg_ttl=0")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(keyspace(&mut client), "");
    client.expect(&[("MSET a 1 b 2", "+OK\r\n")]);
    assert_eq!(keyspace(&mut client), "db0:keys=2");
    client.expect(&[
        ("SELECT 3", "+OK\r\n"),
        ("MSET a 1 b 2 c 3", "+OK\r\n"),
        ("SELECT 15", "+OK\r\n"),
        ("SET a 1", "+OK\r\n"),
    ]);
    assert_eq!(keyspace(&mut client), "db0:keys=2 db3:keys=3 db15:keys=1");
    client.expect(&[("FLUSHDB", "+OK\r\n")]);
    assert_eq!(keyspace(&mut client), "db0:keys=2 db3:keys=3");
}

#[test]
fn a_second_server_of_a_cache_keeps_its_databases_apart() {
    let running = start();
    let before =
        Server::start(Arc::clone(&running.cache), ServerOptions { port: 0, ..ServerOptions::default() }).unwrap();
    running.connect().expect(&[("SET k 0", "+OK\r\n"), ("SELECT 3", "+OK\r\n"), ("SET k 3", "+OK\r\n")]);
    let after =
        Server::start(Arc::clone(&running.cache), ServerOptions { port: 0, ..ServerOptions::default() }).unwrap();
    for server in [&before, &after] {
        let mut client = Client::connect(server);
        client.expect(&[
            ("SET k 0", "+OK\r\n"),
            ("DBSIZE", ":1\r\n"),
            ("FLUSHDB", "+OK\r\n"),
            ("SELECT 3", "+OK\r\n"),
            ("GET k", "$1\r\n3\r\n"),
        ]);
    }
}

#[test]
fn nothing_to_wait_for() {
    let running = start();
    running.connect().expect(&[
        ("WAIT 0 0", ":0\r\n"),
        ("WAIT 1 1000000", ":0\r\n"),
        ("WAIT x 0", "-ERR value is not an integer or out of range\r\n"),
        ("WAIT 1 x", "-ERR timeout is not an integer or out of range\r\n"),
        ("WAIT 1 -1", "-ERR timeout is negative\r\n"),
        ("WAIT 1", "-ERR wrong number of arguments for 'wait' command\r\n"),
    ]);
}

#[test]
fn moments_of_expiry() {
    let running = start();
    running.connect().expect(&[
        ("EXPIRETIME k", ":-2\r\n"),
        ("SET k v", "+OK\r\n"),
        ("PEXPIRETIME k", ":-1\r\n"),
        ("PEXPIREAT k 1800000000499", ":1\r\n"),
        ("EXPIRETIME k", ":1800000000\r\n"),
        ("PEXPIRETIME k", ":1800000000499\r\n"),
        ("PEXPIREAT k 1800000000500", ":1\r\n"),
        ("EXPIRETIME k", ":1800000001\r\n"),
        ("PEXPIREAT k 9223372036854775807", ":1\r\n"),
        ("PEXPIRETIME k", ":9223372036854775807\r\n"),
        ("TIME", "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n"),
    ]);
    running.clock.advance(1_234);
    running.connect().expect(&[("TIME", "*2\r\n$10\r\n1700000001\r\n$6\r\n234000\r\n")]);
}

#[test]
fn touch_counts_what_exists() {
    let running = start();
    running.connect().expect(&[
        ("MSET a 1 b 2", "+OK\r\n"),
        ("TOUCH a b a missing", ":3\r\n"),
        ("TOUCH", "-ERR wrong number of arguments for 'touch' command\r\n"),
    ]);
}

#[test]
fn random_keys_are_of_the_selected_database() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[("RANDOMKEY", "$-1\r\n"), ("MSET a 1 b 2 c 3", "+OK\r\n")]);
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..300 {
        *seen.entry(client.ask("RANDOMKEY")).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert!(seen.values().all(|&count| count > 30), "{seen:?}");
    client.expect(&[("SELECT 3", "+OK\r\n"), ("RANDOMKEY", "$-1\r\n"), ("SET only 1 PX 5", "+OK\r\n")]);
    for _ in 0..20 {
        assert_eq!(client.ask("RANDOMKEY"), "$4\r\nonly\r\n");
    }
    running.clock.advance(5);
    client.expect(&[("RANDOMKEY", "$-1\r\n")]);
}
