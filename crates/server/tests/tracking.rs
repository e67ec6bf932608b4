//! `CLIENT TRACKING`: who is told of which changes, and where.

mod support;
use support::{Client, encode, start, start_with, wait_until};
use tandem_engine::{Condition, Kind, NewValue, WriteOptions};
use tandem_server::ClientLimits;

const HELLO: &[u8] = b"HELLO 3\r\n";

fn invalidated(key: &str) -> String {
    format!(">2\r\n$10\r\ninvalidate\r\n*1\r\n${}\r\n{key}\r\n", key.len())
}
const ALL_INVALIDATED: &str = ">2\r\n$10\r\ninvalidate\r\n_\r\n";

/// A client of RESP3 that tracks with these options.
fn tracker(running: &support::Running, options: &str) -> Client {
    let mut client = running.connect();
    client.ask_bytes(HELLO);
    client.converse(&[(format!("CLIENT TRACKING ON{options}").as_str(), "+OK\r\n")]);
    client
}

#[test]
fn a_reader_is_told_once_of_what_it_has_read() {
    let running = start_with(2, ClientLimits::default());
    let (mut reader, mut other) = (tracker(&running, ""), running.connect());
    other.expect(&[("MSET a 1 b 2 c 3", "+OK\r\n"), ("HSET h f v", ":1\r\n")]);
    reader.converse(&[
        ("MGET a b", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"),
        ("HGET h f", "$1\r\nv\r\n"),
        ("GET none", "_\r\n"),
    ]);
    other.expect(&[("SET c 4", "+OK\r\n"), ("SET a 5", "+OK\r\n"), ("SET a 6", "+OK\r\n")]);
    reader.converse(&[("PING", &format!("{}+PONG\r\n", invalidated("a")))]);
    other.expect(&[("DEL b", ":1\r\n"), ("HSET h f w", ":0\r\n"), ("SET none 1", "+OK\r\n")]);
    let told = [invalidated("b"), invalidated("h"), invalidated("none")].concat();
    reader.converse(&[("PING", &format!("{told}+PONG\r\n"))]);
    // Its own changes, too.
    reader.converse(&[("GET a", "$1\r\n6\r\n"), ("SET a 1", "+OK\r\n")]);
    reader.receive(invalidated("a").as_bytes());
    reader.converse(&[("GET a", "$1\r\n1\r\n"), ("CLIENT TRACKING OFF", "+OK\r\n"), ("SET a 2", "+OK\r\n")]);
    reader.converse(&[("PING", "+PONG\r\n")]);
}

#[test]
fn expiry_the_embedding_process_and_flushes_are_told() {
    let running = start();
    let mut reader = tracker(&running, "");
    reader.converse(&[("SET a 1 PX 100", "+OK\r\n"), ("GET a", "$1\r\n1\r\n"), ("GET embedded", "_\r\n")]);
    running.clock.advance(200);
    running.connect().expect(&[("GET a", "$-1\r\n")]);
    reader.receive(invalidated("a").as_bytes());
    let value = NewValue { kind: Kind::Text, codec: 0, bytes: b"1" };
    running.cache.set(b"embedded", value, &WriteOptions::default()).unwrap();
    reader.receive(invalidated("embedded").as_bytes());
    reader.converse(&[("GET embedded", "$1\r\n1\r\n")]);
    running.cache.delete(b"embedded", Condition::Always).unwrap();
    reader.receive(invalidated("embedded").as_bytes());
    reader.converse(&[("FLUSHALL", "+OK\r\n")]);
    reader.receive(ALL_INVALIDATED.as_bytes());
    reader.converse(&[("PING", "+PONG\r\n"), ("SWAPDB 0 1", "+OK\r\n")]);
    reader.receive(ALL_INVALIDATED.as_bytes());
}

#[test]
fn a_transaction_tells_when_it_holds() {
    let running = start_with(2, ClientLimits::default());
    let (mut reader, mut other) = (tracker(&running, ""), running.connect());
    reader.converse(&[("MGET a b", "*2\r\n_\r\n_\r\n")]);
    other.converse(&[("MULTI", "+OK\r\n"), ("SET b 1", "+QUEUED\r\n"), ("SET a 1", "+QUEUED\r\n")]);
    reader.converse(&[("PING", "+PONG\r\n")]);
    other.converse(&[("EXEC", "*2\r\n+OK\r\n+OK\r\n")]);
    reader.converse(&[("PING", &format!("{}{}+PONG\r\n", invalidated("b"), invalidated("a")))]);
    // What is read inside counts, and so do the keys of a script.
    reader.converse(&[("MULTI", "+OK\r\n"), ("GET a", "+QUEUED\r\n"), ("EXEC", "*1\r\n$1\r\n1\r\n")]);
    reader.converse(&[("EVAL return(redis.call('GET',KEYS[1])) 1 b", "$1\r\n1\r\n")]);
    other.expect(&[("INCR a", ":2\r\n"), ("INCR b", ":2\r\n")]);
    reader.converse(&[("PING", &format!("{}{}+PONG\r\n", invalidated("a"), invalidated("b")))]);
}

#[test]
fn opting_in_and_out_holds_for_one_request() {
    let running = start();
    let mut other = running.connect();
    for (options, word, tells) in [(" OPTIN", "YES", true), (" OPTOUT", "NO", false)] {
        let mut reader = tracker(&running, options);
        let (said, id) = (format!("CLIENT CACHING {word}"), reader.id());
        reader.converse(&[(said.as_str(), "+OK\r\n"), ("CLIENT ID", &id), ("GET a", "_\r\n"), ("GET b", "_\r\n")]);
        other.expect(&[("MSET a 1 b 1", "+OK\r\n"), ("DEL a b", ":2\r\n")]);
        let told = invalidated(if tells { "a" } else { "b" });
        reader.converse(&[("PING", &format!("{told}+PONG\r\n"))]);
        // It holds for a transaction as a whole.
        reader.converse(&[(said.as_str(), "+OK\r\n"), ("MULTI", "+OK\r\n"), ("GET a", "+QUEUED\r\n")]);
        reader.converse(&[("EXEC", "*1\r\n_\r\n")]);
        other.expect(&[("SET a 1", "+OK\r\n"), ("DEL a", ":1\r\n")]);
        let told = if tells { invalidated("a") } else { String::new() };
        reader.converse(&[("PING", &format!("{told}+PONG\r\n"))]);
    }
}

#[test]
fn broadcasts_are_by_prefix_and_not_to_oneself() {
    let running = start();
    let (mut all, mut other) = (tracker(&running, " BCAST"), running.connect());
    let mut some = tracker(&running, " BCAST PREFIX user: PREFIX job: NOLOOP");
    other.expect(&[("SET user:1 x", "+OK\r\n"), ("SET else x", "+OK\r\n")]);
    some.converse(&[
        ("PING", &format!("{}+PONG\r\n", invalidated("user:1"))),
        ("SET job:1 x", "+OK\r\n"),
        ("PING", "+PONG\r\n"),
    ]);
    let told = [invalidated("user:1"), invalidated("else"), invalidated("job:1")].concat();
    all.converse(&[("PING", &format!("{told}+PONG\r\n"))]);
    some.converse(&[
        (
            "CLIENT TRACKINGINFO",
            "%3\r\n$5\r\nflags\r\n~3\r\n$2\r\non\r\n$5\r\nbcast\r\n$6\r\nnoloop\r\n$8\r\nredirect\r\n:0\r\n\
             $8\r\nprefixes\r\n*2\r\n$4\r\njob:\r\n$5\r\nuser:\r\n",
        ),
        ("RESET", "+RESET\r\n"),
        ("CLIENT GETREDIR", ":-1\r\n"),
    ]);
}

#[test]
fn a_client_of_resp2_has_another_one_told() {
    let running = start_with(2, ClientLimits::default());
    let (mut reader, mut listener, mut other) = (running.connect(), running.connect(), running.connect());
    let id = listener.id();
    let id = id.trim_matches([':', '\r', '\n']);
    listener.converse(&[(
        "SUBSCRIBE __redis__:invalidate",
        "*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n",
    )]);
    reader.expect(&[
        (format!("CLIENT TRACKING ON REDIRECT {id}").as_str(), "+OK\r\n"),
        ("CLIENT GETREDIR", format!(":{id}\r\n").as_str()),
        ("GET a", "$-1\r\n"),
    ]);
    other.expect(&[("SET a 1", "+OK\r\n")]);
    listener.receive(b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\na\r\n");
    other.expect(&[("FLUSHALL", "+OK\r\n")]);
    listener.receive(b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n");
    drop(listener);
    wait_until("the listener is gone", || other.ask("CLIENT LIST TYPE pubsub") == "$0\r\n\r\n");
    reader.ask_bytes(HELLO);
    reader.converse(&[("GET a", "_\r\n")]);
    other.expect(&[("SET a 1", "+OK\r\n")]);
    reader.receive(format!(">2\r\n$21\r\ntracking-redir-broken\r\n:{id}\r\n").as_bytes());
}

/// Clients that are told of a key before its value is old keep no old one: what they hold is asked for at the end.
#[test]
fn nobody_keeps_an_old_value() {
    let running = start_with(4, ClientLimits::default());
    let (mut reader, running) = (tracker(&running, ""), &running);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut writer = running.connect();
                for _ in 0..2_000 {
                    writer.ask("INCR n");
                }
            });
        }
        // Reads only after it was told, as a copy would be made, until it has read the last value.
        let told = invalidated("n");
        let (head, rest) = told.split_once("\r\n").unwrap();
        let mut value = Vec::new();
        while value != b"6000" {
            reader.send(&encode("GET n"));
            let (mut is_told, mut is_answered) = (false, false);
            while !(is_answered && (is_told || value == b"6000")) {
                let line = reader.receive_until(b"\r\n");
                if line == head.as_bytes() {
                    reader.receive(rest.as_bytes());
                    is_told = true;
                } else {
                    is_answered = true;
                    value = if line[0] == b'$' { reader.receive_until(b"\r\n") } else { line };
                }
            }
        }
    });
}
