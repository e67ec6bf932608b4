//! Transactions, byte for byte, on one connection and between several.

mod support;
use std::time::Duration;

use support::{encode, start, start_server, start_with};
use tandem_server::{ClientLimits, ServerOptions};

const ABORTED: &str = "-EXECABORT Transaction discarded because of previous errors.\r\n";

#[test]
fn requests_wait_for_exec_and_run_as_one() {
    let running = start();
    running.connect().converse(&[
        ("MULTI", "+OK\r\n"),
        ("SET a 1", "+QUEUED\r\n"),
        ("INCR a", "+QUEUED\r\n"),
        ("GET none", "+QUEUED\r\n"),
        ("DBSIZE", "+QUEUED\r\n"),
        ("EXEC", "*4\r\n+OK\r\n:2\r\n$-1\r\n:1\r\n"),
        ("EXEC", "-ERR EXEC without MULTI\r\n"),
        ("MULTI", "+OK\r\n"),
        ("EXEC", "*0\r\n"),
    ]);
}

#[test]
fn an_exec_that_is_refused_ends_the_transaction() {
    let running = start();
    let refused = "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n";
    running.connect().converse(&[
        ("EXEC now", refused),
        ("MULTI", "+OK\r\n"),
        ("SET a 1", "+QUEUED\r\n"),
        ("EXEC now", refused),
        ("GET a", "$-1\r\n"),
        ("EXEC", "-ERR EXEC without MULTI\r\n"),
    ]);
}

#[test]
fn an_error_while_running_undoes_nothing() {
    let running = start();
    running.connect().converse(&[
        ("SET a x", "+OK\r\n"),
        ("MULTI", "+OK\r\n"),
        ("SET b 1", "+QUEUED\r\n"),
        ("INCR a", "+QUEUED\r\n"),
        ("SET c 2", "+QUEUED\r\n"),
        ("EXEC", "*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n+OK\r\n"),
        ("MGET a b c", "*3\r\n$1\r\nx\r\n$1\r\n1\r\n$1\r\n2\r\n"),
    ]);
}

#[test]
fn an_error_while_queueing_discards_all() {
    let running = start();
    let mut client = running.connect();
    for (refused, reply) in [
        ("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"),
        ("GET", "-ERR wrong number of arguments for 'get' command\r\n"),
        ("CLIENT NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.\r\n"),
        ("TANDEM.GATE a", "-ERR Command not allowed inside a transaction\r\n"),
    ] {
        client.converse(&[
            ("MULTI", "+OK\r\n"),
            ("SET a 1", "+QUEUED\r\n"),
            (refused, reply),
            ("SET b 1", "+QUEUED\r\n"),
            ("EXEC", ABORTED),
            ("EXISTS a b", ":0\r\n"),
        ]);
    }
    // These are refused on their own, and the transaction goes on.
    client.converse(&[
        ("MULTI", "+OK\r\n"),
        ("MULTI", "-ERR MULTI calls can not be nested\r\n"),
        ("WATCH a", "-ERR WATCH inside MULTI is not allowed\r\n"),
        ("UNWATCH", "+QUEUED\r\n"),
        ("SET a 1", "+QUEUED\r\n"),
        ("EXEC", "*2\r\n+OK\r\n+OK\r\n"),
    ]);
}

#[test]
fn discard_reset_and_quit_end_it() {
    let running = start();
    running.connect().converse(&[
        ("DISCARD", "-ERR DISCARD without MULTI\r\n"),
        ("MULTI", "+OK\r\n"),
        ("SET a 1", "+QUEUED\r\n"),
        ("DISCARD", "+OK\r\n"),
        ("GET a", "$-1\r\n"),
        ("MULTI", "+OK\r\n"),
        ("SET a 1", "+QUEUED\r\n"),
        ("RESET", "+RESET\r\n"),
        ("EXEC", "-ERR EXEC without MULTI\r\n"),
    ]);
    let mut client = running.connect();
    client.send(&[encode("MULTI"), encode("SET a 1"), encode("QUIT")].concat());
    assert_eq!(client.receive_all(), b"+OK\r\n+QUEUED\r\n+OK\r\n");
}

#[test]
fn a_watched_key_that_changes_stops_exec() {
    let running = start();
    let (mut client, mut other) = (running.connect(), running.connect());
    let mut attempt = |before: &[&str], change: &str| {
        client.ask("FLUSHALL");
        before.iter().for_each(|words| drop(client.ask(words)));
        assert_eq!(client.ask("WATCH a b"), "+OK\r\n");
        if !change.is_empty() {
            other.ask(change);
        }
        client.converse(&[("MULTI", "+OK\r\n"), ("SET mine 1", "+QUEUED\r\n")]);
        client.ask("EXEC")
    };
    let (done, stopped) = ("*1\r\n+OK\r\n", "*-1\r\n");
    assert_eq!(attempt(&[], ""), done);
    assert_eq!(attempt(&[], "SET other 1"), done);
    assert_eq!(attempt(&[], "DEL a"), done);
    assert_eq!(attempt(&[], "SET a 1"), stopped);
    assert_eq!(attempt(&["SET b 1"], "DEL b"), stopped);
    assert_eq!(attempt(&["SET b 1"], "EXPIRE b 100"), stopped);
    assert_eq!(attempt(&["SET b 1"], "FLUSHALL"), stopped);
    assert_eq!(attempt(&["SET b 1"], "APPEND b 1"), stopped);
    assert_eq!(attempt(&["SET b 1"], "GET b"), done);
    // What the last attempt has changed itself is no obstacle to the next.
    assert_eq!(attempt(&["WATCH mine", "SET mine 0", "UNWATCH"], ""), done);
}

#[test]
fn a_watched_key_that_expires_stops_exec() {
    let running = start();
    let mut client = running.connect();
    client.converse(&[("SET a 1 PX 100", "+OK\r\n"), ("WATCH a", "+OK\r\n")]);
    running.clock.advance(100);
    client.converse(&[("MULTI", "+OK\r\n"), ("SET b 1", "+QUEUED\r\n"), ("EXEC", "*-1\r\n"), ("GET b", "$-1\r\n")]);
    client.converse(&[("SET a 1 PX 100", "+OK\r\n")]);
    running.clock.advance(100);
    // It was not there any more when it was watched.
    client.converse(&[
        ("WATCH a", "+OK\r\n"),
        ("MULTI", "+OK\r\n"),
        ("SET b 1", "+QUEUED\r\n"),
        ("EXEC", "*1\r\n+OK\r\n"),
    ]);
}

#[test]
fn other_databases_are_other_keys() {
    let running = start();
    let (mut client, mut other) = (running.connect(), running.connect());
    client.converse(&[("SELECT 1", "+OK\r\n"), ("WATCH a", "+OK\r\n")]);
    other.ask("SET a 1");
    client.converse(&[
        ("MULTI", "+OK\r\n"),
        ("SET a one", "+QUEUED\r\n"),
        ("SELECT 2", "+QUEUED\r\n"),
        ("SET a two", "+QUEUED\r\n"),
        ("EXEC", "*3\r\n+OK\r\n+OK\r\n+OK\r\n"),
        ("GET a", "$3\r\ntwo\r\n"),
        ("SELECT 1", "+OK\r\n"),
        ("GET a", "$3\r\none\r\n"),
    ]);
    assert_eq!(other.ask("GET a"), "$1\r\n1\r\n");
}

#[test]
fn past_its_time_it_is_undone() {
    let running = start_server(ServerOptions { transaction_budget: Duration::ZERO, ..ServerOptions::default() });
    running.connect().converse(&[
        ("SET a old", "+OK\r\n"),
        ("MULTI", "+OK\r\n"),
        ("SET a new", "+QUEUED\r\n"),
        ("SELECT 3", "+QUEUED\r\n"),
        ("SET b new", "+QUEUED\r\n"),
        ("EXEC", "-ERR transaction ran longer than 0 ms and was rolled back\r\n"),
        ("MGET a b", "*2\r\n$3\r\nold\r\n$-1\r\n"),
    ]);
}

#[test]
fn a_queue_has_a_bound() {
    let mut limits = ClientLimits::default();
    limits.request.args = 3;
    let running = start_with(1, limits);
    running.connect().converse(&[
        ("MULTI", "+OK\r\n"),
        ("SET a 1", "+QUEUED\r\n"),
        ("SET b 1", "+QUEUED\r\n"),
        ("SET c 1", "+QUEUED\r\n"),
        ("SET d 1", "-ERR the transaction is larger than a request may be\r\n"),
        ("EXEC", ABORTED),
        ("EXISTS a b", ":0\r\n"),
    ]);
}

#[test]
fn in_resp3_a_stopped_exec_is_null() {
    let running = start();
    let mut client = running.connect();
    client.ask("HELLO 3");
    client.ask("WATCH a");
    running.connect().ask("SET a 1");
    client.converse(&[("MULTI", "+OK\r\n"), ("GET a", "+QUEUED\r\n"), ("EXEC", "_\r\n")]);
}

#[test]
fn transactions_of_many_clients_are_one_after_the_other() {
    let running = start_with(2, ClientLimits::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = running.connect();
                for _ in 0..300 {
                    client.ask_bytes(&[encode("MULTI"), encode("INCR a"), encode("DECR b"), encode("EXEC")].concat());
                }
            });
        }
        scope.spawn(|| {
            let mut client = running.connect();
            for _ in 0..1_000 {
                let reply = client.ask("MGET a b");
                let numbers: Vec<i64> = reply.split("\r\n").filter_map(|line| line.parse().ok()).collect();
                assert!(numbers.is_empty() || numbers[0] == -numbers[1], "{reply}");
            }
        });
    });
    running.connect().converse(&[("MGET a b", "*2\r\n$4\r\n1200\r\n$5\r\n-1200\r\n")]);
}
