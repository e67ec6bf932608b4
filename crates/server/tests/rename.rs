//! Keys that change their name or database, and commands on several keys, under others that do so at the same time.

mod support;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use support::{start, start_with};
use tandem_server::ClientLimits;

#[test]
fn rename_takes_everything_along() {
    let running = start();
    running.connect().expect(&[
        ("SET a 1 EX 100", "+OK\r\n"),
        ("RENAME a b", "+OK\r\n"),
        ("TTL b", ":100\r\n"),
        ("EXISTS a b", ":1\r\n"),
        ("RENAMENX b b", ":0\r\n"),
        ("RENAME b b", "+OK\r\n"),
        ("RENAME a c", "-ERR no such key\r\n"),
        ("HSET h f v", ":1\r\n"),
        ("RENAMENX h b", ":0\r\n"),
        ("RENAME h b", "+OK\r\n"),
        ("HGET b f", "$1\r\nv\r\n"),
        ("TTL b", ":-1\r\n"),
        ("RENAME a", "-ERR wrong number of arguments for 'rename' command\r\n"),
    ]);
}

#[test]
fn copies_and_moves_cross_databases() {
    let running = start();
    running.connect().expect(&[
        ("SET a 1", "+OK\r\n"),
        ("COPY a a DB 3", ":1\r\n"),
        ("COPY a a DB 3", ":0\r\n"),
        ("COPY a a", "-ERR source and destination objects are the same\r\n"),
        ("MOVE a 3", ":0\r\n"),
        ("MOVE a 4", ":1\r\n"),
        ("DBSIZE", ":0\r\n"),
        ("SELECT 4", "+OK\r\n"),
        ("DBSIZE", ":1\r\n"),
        ("SWAPDB 4 0", "+OK\r\n"),
        ("DBSIZE", ":0\r\n"),
        ("SET other 2", "+OK\r\n"),
        ("SELECT 0", "+OK\r\n"),
        ("KEYS *", "*1\r\n$1\r\na\r\n"),
        ("RANDOMKEY", "$1\r\na\r\n"),
        ("SCAN 0", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"),
        ("FLUSHDB", "+OK\r\n"),
        ("SELECT 4", "+OK\r\n"),
        ("KEYS *", "*1\r\n$5\r\nother\r\n"),
        ("SWAPDB 4 16", "-ERR DB index is out of range\r\n"),
        ("SWAPDB x 4", "-ERR invalid first DB index\r\n"),
        ("SWAPDB 4 x", "-ERR invalid second DB index\r\n"),
    ]);
    assert!(running.cache.contains(b"other"), "database 4 is now what an embedded cache sees");
}

#[test]
fn a_watched_database_that_is_exchanged_has_changed() {
    let running = start();
    let (mut client, mut other) = (running.connect(), running.connect());
    for (swap, reply) in [("SWAPDB 0 1", "*-1\r\n"), ("SWAPDB 2 3", "*1\r\n+PONG\r\n")] {
        client.converse(&[("SET a 1", "+OK\r\n"), ("WATCH a", "+OK\r\n")]);
        other.expect(&[(swap, "+OK\r\n")]);
        client.converse(&[("MULTI", "+OK\r\n"), ("PING", "+QUEUED\r\n"), ("EXEC", reply)]);
    }
    // Inside of a transaction, what comes behind works on the other database.
    client.converse(&[
        ("FLUSHALL", "+OK\r\n"),
        ("SET a 1", "+OK\r\n"),
        ("MULTI", "+OK\r\n"),
        ("SWAPDB 0 9", "+QUEUED\r\n"),
        ("EXISTS a", "+QUEUED\r\n"),
        ("EXEC", "*2\r\n+OK\r\n:0\r\n"),
    ]);
}

/// Keys are renamed in a ring and databases exchanged, while others count them: there are always three.
#[test]
fn nobody_sees_a_key_twice_or_not_at_all() {
    let running = start_with(4, ClientLimits::default());
    running.connect().expect(&[("MSET a 1 b 2 c 3", "+OK\r\n")]);
    let (ended, running) = (&AtomicBool::new(false), &running);
    std::thread::scope(|scope| {
        for key in ["a", "b", "c"] {
            scope.spawn(move || {
                let mut client = running.connect();
                while !ended.load(Relaxed) {
                    assert_eq!(client.ask(&format!("RENAME {key} {key}{key}")), "+OK\r\n");
                    assert_eq!(client.ask(&format!("RENAME {key}{key} {key}")), "+OK\r\n");
                }
            });
        }
        let mut client = running.connect();
        for _ in 0..3_000 {
            assert_eq!(client.ask("EXISTS a aa b bb c cc"), ":3\r\n");
        }
        ended.store(true, Relaxed);
    });
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = running.connect();
            while !ended.load(Relaxed) {
                assert_eq!(client.ask("SWAPDB 0 1"), "+OK\r\n");
            }
        });
        let mut client = running.connect();
        for _ in 0..1_500 {
            let seen = client.ask("EXISTS a b c");
            assert!(seen == ":3\r\n" || seen == ":0\r\n", "{seen}");
            client.converse(&[("MULTI", "+OK\r\n"), ("EXISTS a b", "+QUEUED\r\n"), ("EXISTS c", "+QUEUED\r\n")]);
            let seen = client.ask("EXEC");
            assert!(seen == "*2\r\n:2\r\n:1\r\n" || seen == "*2\r\n:0\r\n:0\r\n", "{seen}");
        }
        ended.store(true, Relaxed);
    });
}
