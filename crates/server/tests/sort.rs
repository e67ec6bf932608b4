//! `SORT` where it differs from Redis, and inside of transactions and scripts.

mod support;
use support::{start, start_with};
use tandem_server::ClientLimits;

const NO_LISTS: &str = "-ERR SORT with STORE would make a list, and there are no lists here: \
    sort without STORE and keep what is returned in a set, a hash or a string\r\n";

#[test]
fn members_are_sorted() {
    let running = start();
    running.connect().expect(&[
        ("SADD s 10 9 -1 2.5", ":4\r\n"),
        ("SORT s", "*4\r\n$2\r\n-1\r\n$3\r\n2.5\r\n$1\r\n9\r\n$2\r\n10\r\n"),
        ("SORT s DESC LIMIT 1 2", "*2\r\n$1\r\n9\r\n$3\r\n2.5\r\n"),
        ("SORT_RO s ALPHA LIMIT 0 2", "*2\r\n$2\r\n-1\r\n$2\r\n10\r\n"),
        ("SORT none", "*0\r\n"),
        ("SORT s STORE list", NO_LISTS),
        ("SORT none STORE list", NO_LISTS),
        ("SORT_RO s STORE list", "-ERR syntax error\r\n"),
        ("SADD s x", ":1\r\n"),
        ("SORT s", "-ERR One or more scores can't be converted into double\r\n"),
        ("SET text 1", "+OK\r\n"),
        ("SORT text", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    ]);
}

#[test]
fn other_keys_decide_and_are_shown() {
    let running = start();
    running.connect().expect(&[
        ("SADD s a b c", ":3\r\n"),
        ("MSET w_a 3 w_b 1", "+OK\r\n"),
        ("HSET h_a f 1", ":1\r\n"),
        ("SORT s BY w_* GET # GET h_*->f", "*6\r\n$1\r\nc\r\n$-1\r\n$1\r\nb\r\n$-1\r\n$1\r\na\r\n$1\r\n1\r\n"),
        ("SORT s BY h_*->f GET w_* ALPHA LIMIT 2 1", "*1\r\n$1\r\n3\r\n"),
        ("SORT s BY w_*->f", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"),
    ]);
}

/// The keys that it reads are of shards that the transaction would not hold for its arguments alone.
#[test]
fn transactions_and_scripts_hold_what_it_reads() {
    let running = start_with(2, ClientLimits::default());
    let mut client = running.connect();
    client.expect(&[("SADD s 1 2 3", ":3\r\n"), ("MSET w_1 3 w_2 2 w_3 1", "+OK\r\n")]);
    let sorted = "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n";
    client.converse(&[
        ("MULTI", "+OK\r\n"),
        ("SORT s BY w_*", "+QUEUED\r\n"),
        ("EXEC", &format!("*1\r\n{sorted}")),
        ("EVAL return(redis.call('SORT',KEYS[1],'BY','w_*')) 1 s", sorted),
        ("EVAL return(redis.call('SORT',KEYS[1],'BY','nosort')) 1 s", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
    ]);
}
