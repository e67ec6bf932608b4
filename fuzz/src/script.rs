//! Lua scripts: sources, and the way of values to Lua and back.

use tandem_wire::reply;

use crate::server::talk;

/// Scripts that take values apart and put them together again; the input is their argument.
const BRIDGES: [&[u8]; 11] = [
    b"return ARGV[1]",
    b"return redis.call('set', 'k', ARGV[1]) and redis.call('get', 'k')",
    b"return cjson.decode(ARGV[1])",
    b"return cjson.encode(cjson.decode(ARGV[1]))",
    b"return {string.find(ARGV[1], ARGV[2])}",
    b"return string.gsub(ARGV[1], ARGV[2], ARGV[2])",
    b"return redis.pcall(ARGV[1], ARGV[2], ARGV[2])",
    b"return {tonumber(ARGV[1]) or 0, string.format(ARGV[1], ARGV[2]), redis.error_reply(ARGV[1])}",
    b"return cmsgpack.pack(cmsgpack.unpack(ARGV[1]))",
    b"return {struct.unpack(ARGV[2], ARGV[1])}",
    b"return struct.pack(ARGV[2], ARGV[1], ARGV[1], ARGV[1])",
];

/// The first byte chooses: the rest is a source, or the two arguments of one of [`BRIDGES`].
pub fn run(data: &[u8]) {
    let Some((&kind, rest)) = data.split_first() else { return };
    let middle = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len() / 2);
    let (one, two) = rest.split_at(middle);
    let source = if kind & 1 == 0 { rest } else { BRIDGES[usize::from(kind >> 1) % BRIDGES.len()] };
    let protocol: &[u8] = if kind & 0x10 == 0 { b"2" } else { b"3" };
    let mut stream = Vec::new();
    for request in [&[&b"HELLO"[..], protocol][..], &[b"EVAL", source, b"1", b"k", one, two], &[b"PING"]] {
        reply::array(&mut stream, request.len());
        request.iter().for_each(|word| reply::bulk(&mut stream, word));
    }
    let said = talk(&stream, 0);
    assert!(
        said.ends_with(b"+PONG\r\n"),
        "the script took the connection with it: {:?}",
        String::from_utf8_lossy(&said)
    );
}
