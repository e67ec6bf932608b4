//! String commands, byte for byte.

mod support;
use support::{START_MS, encode_parts, start};
use tandem_engine::{Kind, NewValue, WriteOptions};

const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";

#[test]
fn msetnx_stores_all_or_nothing() {
    let running = start();
    running.connect().expect(&[
        ("MSETNX a 1 b 2", ":1\r\n"),
        ("MSETNX c 3 b 4", ":0\r\n"),
        ("MGET a b c", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n"),
        ("MSETNX d 1 d 2", ":1\r\n"),
        ("GET d", "$1\r\n2\r\n"),
        ("MSETNX", "-ERR wrong number of arguments for 'msetnx' command\r\n"),
        ("MSETNX a", "-ERR wrong number of arguments for 'msetnx' command\r\n"),
        ("MSETNX a 1 b", "-ERR wrong number of arguments for 'msetnx' command\r\n"),
    ]);
}

#[test]
fn get_and_set() {
    let running = start();
    running.connect().expect(&[
        ("GET k", "$-1\r\n"),
        ("SET k v", "+OK\r\n"),
        ("GET k", "$1\r\nv\r\n"),
        ("get k", "$1\r\nv\r\n"),
        ("SET '' ''", "+OK\r\n"),
        ("GET ''", "$0\r\n\r\n"),
        ("GET", "-ERR wrong number of arguments for 'get' command\r\n"),
        ("GET a b", "-ERR wrong number of arguments for 'get' command\r\n"),
        ("SET k", "-ERR wrong number of arguments for 'set' command\r\n"),
        ("STRLEN k", ":1\r\n"),
        ("STRLEN missing", ":0\r\n"),
    ]);
}

#[test]
fn any_bytes_are_keys_and_values() {
    let running = start();
    let mut client = running.connect();
    let every_byte: Vec<u8> = (0..=255).collect();
    assert_eq!(client.ask_bytes(&encode_parts(&[b"SET", &every_byte, &every_byte])), b"+OK\r\n");
    let reply = [b"$256\r\n", &every_byte[..], b"\r\n"].concat();
    assert_eq!(client.ask_bytes(&encode_parts(&[b"GET", &every_byte])), reply);
}

#[test]
fn values_of_every_size_come_back() {
    let running = start();
    let mut client = running.connect();
    for size in [0, 1, 100, 4_000, 16_000, 17_000, 65_000, 66_000, 200_000, 3_000_000] {
        // Incompressible and different from byte to byte, so that a piece out of order would show.
        let mut state = size as u64 + 1;
        let value: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(size)
        .collect();
        assert_eq!(client.ask_bytes(&encode_parts(&[b"SET", b"k", &value])), b"+OK\r\n");
        let one = [format!("${size}\r\n").as_bytes(), &value, b"\r\n"].concat();
        assert!(client.ask_bytes(&encode_parts(&[b"GET", b"k"])) == one, "GET of {size} bytes");
        let three = [b"*3\r\n".as_slice(), &one, b"$-1\r\n", &one].concat();
        assert!(client.ask_bytes(&encode_parts(&[b"MGET", b"k", b"no", b"k"])) == three, "MGET of {size} bytes");
        let old = client.ask_bytes(&encode_parts(&[b"SET", b"k", b"x", b"GET"]));
        assert!(old == one, "SET GET of {size} bytes");
    }
}

#[test]
fn too_large_is_refused_and_changes_nothing() {
    let running = start();
    let mut client = running.connect();
    assert_eq!(client.ask("SET k old"), "+OK\r\n");
    let reply = client.ask_bytes(&encode_parts(&[b"SET", b"k", &vec![b'x'; (16 << 20) + 1]]));
    assert_eq!(
        String::from_utf8_lossy(&reply),
        "-TooLarge value bytes of 16777217 exceed the limit of 16777216; nothing was changed\r\n"
    );
    let reply = client.ask_bytes(&encode_parts(&[b"SET", &vec![b'k'; 65_536], b"v"]));
    assert_eq!(
        String::from_utf8_lossy(&reply),
        "-KeyTooLong the key is 65536 bytes long; at most 65535 are allowed\r\n"
    );
    client.expect(&[("GET k", "$3\r\nold\r\n"), ("DBSIZE", ":1\r\n")]);
}

#[test]
fn set_conditions() {
    let running = start();
    running.connect().expect(&[
        ("SET k a XX", "$-1\r\n"),
        ("SET k a NX", "+OK\r\n"),
        ("SET k b NX", "$-1\r\n"),
        ("GET k", "$1\r\na\r\n"),
        ("SET k b XX", "+OK\r\n"),
        ("SET k c GET", "$1\r\nb\r\n"),
        ("SET k d NX GET", "$1\r\nc\r\n"),
        ("GET k", "$1\r\nc\r\n"),
        ("SET new d NX GET", "$-1\r\n"),
        ("GET new", "$1\r\nd\r\n"),
        ("SET missing d XX GET", "$-1\r\n"),
        ("EXISTS missing", ":0\r\n"),
        ("SET k v NX XX", SYNTAX),
        ("SET k v WHAT", SYNTAX),
        ("SET k v EX", SYNTAX),
        ("SETNX k v", ":0\r\n"),
        ("SETNX other v", ":1\r\n"),
    ]);
}

#[test]
fn set_expiry() {
    let running = start();
    let mut client = running.connect();
    let seconds = START_MS / 1000 + 100;
    client.expect(&[
        ("SET k v EX 10", "+OK\r\n"),
        ("PTTL k", ":10000\r\n"),
        ("SET k v px 1500", "+OK\r\n"),
        ("PTTL k", ":1500\r\n"),
        ("TTL k", ":2\r\n"),
        (&format!("SET k v EXAT {seconds}"), "+OK\r\n"),
        ("PTTL k", ":100000\r\n"),
        (&format!("SET k v PXAT {}", START_MS + 7), "+OK\r\n"),
        ("PTTL k", ":7\r\n"),
        ("SET k w KEEPTTL", "+OK\r\n"),
        ("PTTL k", ":7\r\n"),
        ("SET k w", "+OK\r\n"),
        ("PTTL k", ":-1\r\n"),
        ("SET k v EX 0", "-ERR invalid expire time in 'set' command\r\n"),
        ("SET k v PX -1", "-ERR invalid expire time in 'set' command\r\n"),
        ("SET k v EX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n"),
        ("SET k v EX 1.5", NOT_INTEGER),
        ("SET k v EX 1 PX 1", SYNTAX),
        ("SET k v EX 1 KEEPTTL", SYNTAX),
        ("SET k v KEEPTTL EX 1", SYNTAX),
        ("GET k", "$1\r\nw\r\n"),
        ("SET k v PXAT 1", "+OK\r\n"),
        ("GET k", "$-1\r\n"),
    ]);
    client.expect(&[("SET k v PX 5", "+OK\r\n"), ("GET k", "$1\r\nv\r\n")]);
    running.clock.advance(4);
    client.expect(&[("GET k", "$1\r\nv\r\n")]);
    running.clock.advance(1);
    client.expect(&[("GET k", "$-1\r\n"), ("DBSIZE", ":0\r\n")]);
}

#[test]
fn many_at_once() {
    let running = start();
    running.connect().expect(&[
        ("MSET a 1 b 2 a 3", "+OK\r\n"),
        ("MGET a b c", "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$-1\r\n"),
        ("MSET a", "-ERR wrong number of arguments for 'mset' command\r\n"),
        ("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"),
        ("MGET", "-ERR wrong number of arguments for 'mget' command\r\n"),
        ("GET a", "$1\r\n3\r\n"),
    ]);
}

#[test]
fn counters() {
    let running = start();
    running.connect().expect(&[
        ("INCR n", ":1\r\n"),
        ("GET n", "$1\r\n1\r\n"),
        ("INCRBY n 41", ":42\r\n"),
        ("STRLEN n", ":2\r\n"),
        ("DECR n", ":41\r\n"),
        ("DECRBY n -9", ":50\r\n"),
        ("TYPE n", "+string\r\n"),
        ("SET n 9223372036854775806", "+OK\r\n"),
        ("INCR n", ":9223372036854775807\r\n"),
        ("INCR n", "-ERR increment or decrement would overflow\r\n"),
        ("GET n", "$19\r\n9223372036854775807\r\n"),
        ("DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n"),
        ("INCRBY n 1x", NOT_INTEGER),
        ("SET t 007", "+OK\r\n"),
        ("INCR t", NOT_INTEGER),
        ("GET t", "$3\r\n007\r\n"),
        ("SET e 5 EX 100", "+OK\r\n"),
        ("INCR e", ":6\r\n"),
        ("TTL e", ":100\r\n"),
    ]);
}

#[test]
fn a_key_too_long_is_measured_as_the_client_sees_it() {
    let running = start();
    let mut client = running.connect();
    let mut set = |bytes: usize| {
        let reply = client.ask_bytes(&encode_parts(&[b"SET", &vec![b'k'; bytes], b"v"]));
        String::from_utf8(reply).unwrap()
    };
    assert_eq!(set(65_535), "+OK\r\n");
    assert_eq!(set(65_536), "-KeyTooLong the key is 65536 bytes long; at most 65535 are allowed\r\n");
    client.expect(&[("SELECT 3", "+OK\r\n")]);
    let mut set = |bytes: usize| {
        let reply = client.ask_bytes(&encode_parts(&[b"SET", &vec![b'k'; bytes], b"v"]));
        String::from_utf8(reply).unwrap()
    };
    assert_eq!(set(65_523), "+OK\r\n");
    assert_eq!(
        set(65_524),
        "-KeyTooLong the key is 65524 bytes long; at most 65523 are allowed in databases 1 to 15\r\n"
    );
}

#[test]
fn an_object_cannot_be_appended_to() {
    let running = start();
    let value = NewValue { kind: Kind::Coded, codec: 1, bytes: b"\x40\x01" };
    running.cache.set(b"object", value, &WriteOptions::default()).unwrap();
    running.connect().expect(&[
        ("APPEND object x", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        ("GET object", "$2\r\n@\x01\r\n"),
    ]);
}

#[test]
fn read_and_change() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[
        ("GETSET k a", "$-1\r\n"),
        ("SET k a EX 100", "+OK\r\n"),
        ("GETSET k b", "$1\r\na\r\n"),
        ("TTL k", ":-1\r\n"),
        ("GETDEL k", "$1\r\nb\r\n"),
        ("GETDEL k", "$-1\r\n"),
        ("APPEND k ab", ":2\r\n"),
        ("EXPIRE k 50", ":1\r\n"),
        ("APPEND k cd", ":4\r\n"),
        ("TTL k", ":50\r\n"),
        ("GET k", "$4\r\nabcd\r\n"),
        ("INCR n", ":1\r\n"),
        ("APPEND n 5", ":2\r\n"),
        ("INCR n", ":16\r\n"),
        ("GETEX k", "$4\r\nabcd\r\n"),
        ("TTL k", ":50\r\n"),
        ("GETEX k PERSIST", "$4\r\nabcd\r\n"),
        ("TTL k", ":-1\r\n"),
        ("GETEX k PX 77", "$4\r\nabcd\r\n"),
        ("PTTL k", ":77\r\n"),
        ("GETEX k EX 0", "-ERR invalid expire time in 'getex' command\r\n"),
        ("GETEX k EX x", NOT_INTEGER),
        ("GETEX k EX", SYNTAX),
        ("GETEX k PERSIST EX 1", SYNTAX),
        ("GETEX missing EX 0", "$-1\r\n"),
        ("GETEX k PXAT 1", "$4\r\nabcd\r\n"),
        ("GET k", "$-1\r\n"),
        ("GETEX n EX 10", "$2\r\n16\r\n"),
        ("INCR n", ":17\r\n"),
        ("TTL n", ":10\r\n"),
    ]);
}

#[test]
fn set_with_an_expiry_of_its_own() {
    let running = start();
    running.connect().expect(&[
        ("SETEX k 10 v", "+OK\r\n"),
        ("PTTL k", ":10000\r\n"),
        ("PSETEX k 2500 w", "+OK\r\n"),
        ("PTTL k", ":2500\r\n"),
        ("GET k", "$1\r\nw\r\n"),
        ("SETEX k 0 v", "-ERR invalid expire time in 'setex' command\r\n"),
        ("PSETEX k -1 v", "-ERR invalid expire time in 'psetex' command\r\n"),
        ("SETEX k 9223372036854775807 v", "-ERR invalid expire time in 'setex' command\r\n"),
        ("SETEX k x v", NOT_INTEGER),
        ("SETEX k 1", "-ERR wrong number of arguments for 'setex' command\r\n"),
        ("GET k", "$1\r\nw\r\n"),
    ]);
}

#[test]
fn numbers_with_a_fraction() {
    let running = start();
    running.connect().expect(&[
        ("INCRBYFLOAT k 0.1", "$3\r\n0.1\r\n"),
        ("INCRBYFLOAT k 0.2", "$3\r\n0.3\r\n"),
        ("INCRBYFLOAT k -0.3", "$1\r\n0\r\n"),
        ("INCRBYFLOAT k 5.0e3", "$4\r\n5000\r\n"),
        ("INCR k", ":5001\r\n"),
        ("INCRBYFLOAT k 0.5", "$6\r\n5001.5\r\n"),
        ("INCR k", NOT_INTEGER),
        ("EXPIRE k 100", ":1\r\n"),
        ("INCRBYFLOAT k 1", "$6\r\n5002.5\r\n"),
        ("TTL k", ":100\r\n"),
        ("INCRBYFLOAT k x", "-ERR value is not a valid float\r\n"),
        ("INCRBYFLOAT k inf", "-ERR increment would produce NaN or Infinity\r\n"),
        ("SET s text", "+OK\r\n"),
        ("INCRBYFLOAT s 1", "-ERR value is not a valid float\r\n"),
        ("GET s", "$4\r\ntext\r\n"),
    ]);
}
