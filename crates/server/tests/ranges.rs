//! Parts of strings, byte for byte.

mod support;
use support::{encode_parts, start};

const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";

#[test]
fn getrange_and_substr_count_from_either_end() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[("SET k hello", "+OK\r\n"), ("SET n 12345", "+OK\r\n"), ("INCR n", ":12346\r\n")]);
    for name in ["GETRANGE", "SUBSTR"] {
        for (rest, reply) in [
            ("k 1 3", "$3\r\nell\r\n"),
            ("k -3 -1", "$3\r\nllo\r\n"),
            ("k 0 -100", "$1\r\nh\r\n"),
            ("k 4 2", "$0\r\n\r\n"),
            ("k 100 200", "$0\r\n\r\n"),
            ("n 0 1", "$2\r\n12\r\n"),
            ("n -1 -1", "$1\r\n6\r\n"),
            ("missing 0 -1", "$0\r\n\r\n"),
            ("k x 1", NOT_INTEGER),
            ("missing 0 1.5", NOT_INTEGER),
        ] {
            assert_eq!(client.ask(&format!("{name} {rest}")), reply, "{name} {rest}");
        }
    }
    client.expect(&[("GETRANGE k 0", "-ERR wrong number of arguments for 'getrange' command\r\n")]);
}

#[test]
fn getrange_reads_large_values() {
    let running = start();
    let mut client = running.connect();
    let value: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(client.ask_bytes(&encode_parts(&[b"SET", b"k", &value])), b"+OK\r\n");
    let part = client.ask_bytes(&encode_parts(&[b"GETRANGE", b"k", b"2999990", b"-1"]));
    assert_eq!(part, [b"$10\r\n", &value[2_999_990..], b"\r\n"].concat());
}

#[test]
fn setrange_overwrites_and_pads() {
    let running = start();
    running.connect().expect(&[
        ("SETRANGE k 3 abc", ":6\r\n"),
        ("GET k", "$6\r\n\0\0\0abc\r\n"),
        ("SETRANGE k 1 xy", ":6\r\n"),
        ("GET k", "$6\r\n\0xyabc\r\n"),
        ("INCR n", ":1\r\n"),
        ("SETRANGE n 1 23", ":3\r\n"),
        ("INCR n", ":124\r\n"),
        ("SETRANGE k 0 ''", ":6\r\n"),
        ("SETRANGE k 100 ''", ":6\r\n"),
        ("SETRANGE missing 100 ''", ":0\r\n"),
        ("EXISTS missing", ":0\r\n"),
        ("SETRANGE k -1 x", "-ERR offset is out of range\r\n"),
        ("SETRANGE k x x", NOT_INTEGER),
        ("SETRANGE k 536870912 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"),
        ("SETRANGE k 9223372036854775807 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"),
        (
            "SETRANGE k 16777216 x",
            "-TooLarge value bytes of 16777217 exceed the limit of 16777216; nothing was changed\r\n",
        ),
        ("STRLEN k", ":6\r\n"),
        ("SET t v EX 100", "+OK\r\n"),
        ("SETRANGE t 1 w", ":2\r\n"),
        ("TTL t", ":100\r\n"),
    ]);
}

#[test]
fn lcs_answers_text_length_or_positions() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[
        ("MSET a ohmytext b mynewtext n 5", "+OK\r\n"),
        ("LCS a b", "$6\r\nmytext\r\n"),
        ("LCS a b LEN", ":6\r\n"),
        (
            "LCS a b IDX",
            "*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n*2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n\
             $3\r\nlen\r\n:6\r\n",
        ),
        (
            "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
            "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n$3\r\nlen\r\n:6\r\n",
        ),
        ("LCS a missing", "$0\r\n\r\n"),
        ("LCS a missing LEN", ":0\r\n"),
        ("LCS a b LEN IDX", "-ERR If you want both the length and indexes, please just use IDX.\r\n"),
        ("LCS a b MINMATCHLEN", SYNTAX),
        ("LCS a b MINMATCHLEN x", NOT_INTEGER),
        ("LCS a b WHAT", SYNTAX),
    ]);
    client.send(&encode_parts(&[b"HELLO", b"3"]));
    let map = client.ask("LCS a b IDX MINMATCHLEN 9");
    assert!(map.ends_with("%2\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:6\r\n"), "{map}");
}

#[test]
fn lcs_of_long_values_is_refused() {
    let running = start();
    let mut client = running.connect();
    let long = vec![b'a'; 4_097];
    assert_eq!(client.ask_bytes(&encode_parts(&[b"MSET", b"a", &long, b"b", &long])), b"+OK\r\n");
    assert_eq!(
        client.ask("LCS a b"),
        "-ERR values of 4097 and 4097 bytes are too long for LCS: the product of their lengths may be 16777216\r\n"
    );
    client.expect(&[("SETRANGE a 0 b", ":4097\r\n"), ("SET b b", "+OK\r\n"), ("LCS a b", "$1\r\nb\r\n")]);
}
