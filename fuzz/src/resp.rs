//! Streams of RESP, valid and broken.

use tandem_wire::{Limits, Progress, RequestParser, reply};

use crate::server::talk;

const LIMITS: Limits =
    Limits { args: 32, bulk_bytes: 512, line_bytes: 256, request_bytes: 2048, unauthenticated: false };

/// Words that a structured stream is made of: commands, options, keys and numbers. None that waits for others: in RESP2 a
/// client that waits for itself does so for half a minute.
const WORDS: [&[u8]; 64] = [
    b"GET",
    b"SET",
    b"DEL",
    b"MGET",
    b"MSET",
    b"INCRBY",
    b"APPEND",
    b"SETRANGE",
    b"GETRANGE",
    b"EXPIRE",
    b"TTL",
    b"HSET",
    b"HGETALL",
    b"HINCRBY",
    b"HSCAN",
    b"HDEL",
    b"SADD",
    b"SPOP",
    b"SRANDMEMBER",
    b"SSCAN",
    b"SCAN",
    b"RENAME",
    b"COPY",
    b"MULTI",
    b"EXEC",
    b"DISCARD",
    b"WATCH",
    b"SELECT",
    b"SWAPDB",
    b"HELLO",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"PUBLISH",
    b"CLIENT",
    b"REPLY",
    b"LIST",
    b"OBJECT",
    b"ENCODING",
    b"SORT",
    b"LCS",
    b"EVAL",
    b"return redis.call(unpack(ARGV))",
    b"TANDEM.GETV",
    b"TANDEM.CAS",
    b"COUNT",
    b"MATCH",
    b"EX",
    b"NX",
    b"GT",
    b"WITHVALUES",
    b"BY",
    b"a",
    b"b",
    b"c",
    b"*",
    b"",
    b"0",
    b"1",
    b"-1",
    b"3",
    b"100",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"1e308",
];

/// The first byte chooses: the rest is a raw stream, or makes requests out of [`WORDS`].
pub fn run(data: &[u8]) {
    let Some((&kind, rest)) = data.split_first() else { return };
    let stream = if kind & 1 == 0 { rest.to_vec() } else { requests(rest) };
    let cut = usize::from(kind >> 1) * stream.len() / 127;
    let whole = parsed(&stream, stream.len());
    assert_eq!(whole, parsed(&stream, cut), "the cut matters");
    talk(&stream, cut);
}

/// Every byte is a word, or ends a request.
fn requests(program: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for request in program.split(|&byte| byte >= 0xF0).filter(|request| !request.is_empty()) {
        reply::array(&mut stream, request.len());
        for &byte in request {
            reply::bulk(&mut stream, WORDS[usize::from(byte) % WORDS.len()]);
        }
    }
    stream
}

/// The requests of a stream that arrives in two parts, and the error that ends it.
fn parsed(stream: &[u8], cut: usize) -> (Vec<Vec<Vec<u8>>>, Option<String>) {
    let (mut parser, mut start, mut seen) = (RequestParser::default(), 0, Vec::new());
    for end in [cut, stream.len()] {
        loop {
            match parser.parse(&stream[start..end], &LIMITS) {
                Ok(Progress::Complete { consumed }) => {
                    assert!(consumed > 0 && start + consumed <= end);
                    seen.push(parser.args(&stream[start..end]).iter().map(<[u8]>::to_vec).collect());
                    start += consumed;
                }
                Ok(Progress::Incomplete { needed }) => {
                    assert!(needed > end - start && needed <= LIMITS.request_bytes.max(end - start + 1));
                    break;
                }
                Err(error) => return (seen, Some(error.to_string())),
            }
        }
    }
    (seen, None)
}
