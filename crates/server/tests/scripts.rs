//! Scripts, byte for byte: what they return, what they may not do, and what is left when they do it.

mod support;
use std::time::{Duration, Instant};

use support::{Client, encode_parts, eval, start, start_with, wait_until};
use tandem_server::ClientLimits;

const BUDGET: &str = "-ERR the script ran longer than 50 ms and was rolled back\r\n";

/// What an uncaught error of a script of one line is answered with, without the digest.
fn error_of(client: &mut Client, script: &str) -> String {
    let reply = eval(client, script);
    let (text, rest) = reply.split_once(" script: ").unwrap_or((&reply, ""));
    assert!(text.contains("compiling") || rest.ends_with(", on @user_script:1.\r\n"), "{reply}");
    text.trim_end().to_owned()
}

#[test]
fn lua_values_become_replies() {
    let running = start();
    let mut client = running.connect();
    for (script, reply) in [
        ("return 1", ":1\r\n"),
        ("return 3.99", ":3\r\n"),
        ("return -3.99", ":-3\r\n"),
        ("return 1e300", ":-9223372036854775808\r\n"),
        ("return 'a\\0b'", "$3\r\na\0b\r\n"),
        ("return true", ":1\r\n"),
        ("return false", "$-1\r\n"),
        ("return nil", "$-1\r\n"),
        ("return", "$-1\r\n"),
        ("return {1, 'b', {true, {}}, nil, 5}", "*3\r\n:1\r\n$1\r\nb\r\n*2\r\n:1\r\n*0\r\n"),
        ("return {ok = 'fine\\r\\n'}", "+fine  \r\n"),
        ("return {err = 'MY bad'}", "-MY bad\r\n"),
        ("return redis.error_reply('bad')", "-ERR bad\r\n"),
        ("return redis.error_reply('-MY bad')", "-MY bad\r\n"),
        ("return redis.status_reply('fine')", "+fine\r\n"),
        ("return print", "-"),
        ("return tostring", "$-1\r\n"),
        ("return redis.sha1hex('')", "$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n"),
        ("math.randomseed(0) return {math.random(100), math.random(5, 10)}", "*2\r\n:18\r\n:9\r\n"),
        ("local t = {} t[1] = t return #tostring(t) > 0", ":1\r\n"),
    ] {
        let found = eval(&mut client, script);
        assert!(if reply == "-" { found.starts_with(reply) } else { found == reply }, "{script}: {found}");
    }
    let deep = eval(&mut client, "local t = {} t[1] = t return t");
    assert!(deep.ends_with("-ERR reached lua stack limit\r\n"), "{deep}");
    client.ask_bytes(&encode_parts(&[b"HELLO", b"3"]));
    assert_eq!(eval(&mut client, "return {false, nil}"), "*1\r\n_\r\n");
}

#[test]
fn replies_become_lua_values() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[("MSET a 1 b text", "+OK\r\n")]);
    for (script, reply) in [
        ("return redis.call('SET', 'c', 1.1)", "+OK\r\n"),
        ("return redis.call('get', 'c')", "$18\r\n1.1000000000000001\r\n"),
        ("return type(redis.call('GET', 'missing'))", "$7\r\nboolean\r\n"),
        ("return type(redis.call('SET', 'c', 1)) .. redis.call('SET', 'c', 1).ok", "$7\r\ntableOK\r\n"),
        ("return redis.call('INCR', 'c') + 1", ":3\r\n"),
        ("return redis.call('MGET', 'a', 'missing', 'b')", "*3\r\n$1\r\n1\r\n$-1\r\n$4\r\ntext\r\n"),
        ("return redis.pcall('INCR', 'b')", "-ERR value is not an integer or out of range\r\n"),
        ("return redis.pcall('INCR', 'b').err", "$43\r\nERR value is not an integer or out of range\r\n"),
        (
            "local ok, e = pcall(redis.call, 'INCR', 'b') return {tostring(ok), e}",
            "*2\r\n$5\r\nfalse\r\n$43\r\nERR value is not an integer or out of range\r\n",
        ),
        ("redis.call('SELECT', 5) redis.call('SET', 'five', 1) return redis.call('DBSIZE')", ":1\r\n"),
        ("return redis.call('EXISTS', 'five')", ":0\r\n"),
        ("return server.call('GET', 'a')", "$1\r\n1\r\n"),
    ] {
        assert_eq!(eval(&mut client, script), reply, "{script}");
    }
}

#[test]
fn scripts_speak_resp3_where_they_ask_for_it() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[("HSET h a 1", ":1\r\n"), ("SADD s m", ":1\r\n")]);
    for (script, resp2, resp3) in [
        ("return type(redis.call('GET', 'missing'))", "$3\r\nnil\r\n", "$3\r\nnil\r\n"),
        ("return redis.call('HGETALL', 'h').map.a", "$1\r\n1\r\n", "$1\r\n1\r\n"),
        ("return redis.call('SMEMBERS', 's')", "*1\r\n$1\r\nm\r\n", "~1\r\n$1\r\nm\r\n"),
        ("return {map = {a = false}}", "*2\r\n$1\r\na\r\n:0\r\n", "%1\r\n$1\r\na\r\n#f\r\n"),
        ("return {double = 0.5}", "$3\r\n0.5\r\n", ",0.5\r\n"),
        ("return {double = -1/0}", "$4\r\n-inf\r\n", ",-inf\r\n"),
        ("return {big_number = '12\\n3'}", "$4\r\n12 3\r\n", "(12 3\r\n"),
        ("return {verbatim_string = {format = 'txt', string = 'x'}}", "$1\r\nx\r\n", "=5\r\ntxt:x\r\n"),
        ("return {true, false}", "*2\r\n:1\r\n:0\r\n", "*2\r\n#t\r\n#f\r\n"),
        ("return redis.call('SET', 'k', 1)", "+OK\r\n", "+OK\r\n"),
    ] {
        for (hello, reply) in [("2", resp2), ("3", resp3)] {
            client.ask_bytes(&encode_parts(&[b"HELLO", hello.as_bytes()]));
            assert_eq!(eval(&mut client, &format!("redis.setresp(3) {script}")), reply, "RESP{hello}: {script}");
        }
    }
    // The next script begins with RESP2 again.
    assert_eq!(eval(&mut client, "return type(redis.call('GET', 'missing'))"), "$7\r\nboolean\r\n");
}

#[test]
fn bits_are_those_of_lua_bit_op() {
    let running = start();
    let mut client = running.connect();
    for (expression, bits) in [
        ("bit.tobit(0xffffffff)", "-1"),
        ("bit.tobit(2^40 + 2.5)", "2"),
        ("bit.bnot(0)", "-1"),
        ("bit.band(0x12345678, 0xff, '0x70')", "112"),
        ("bit.bor(1, 2, 4)", "7"),
        ("bit.bxor(0xa5a5f0f0, 0xaa55ff00)", "267390960"),
        ("bit.lshift(1, 33)", "2"),
        ("bit.rshift(-256, 8)", "16777215"),
        ("bit.arshift(-256, 8)", "-1"),
        ("bit.rol(0x12345678, 12)", "1164411171"),
        ("bit.ror(0x12345678, 12)", "1736516421"),
        ("bit.bswap(0x12345678)", "2018915346"),
        ("bit.tohex(-1, -4)", "FFFF"),
        ("bit.tohex(255, 99)", "000000ff"),
    ] {
        let reply = eval(&mut client, &format!("return tostring({expression})"));
        assert_eq!(reply, format!("${}\r\n{bits}\r\n", bits.len()), "{expression}");
    }
}

#[test]
fn a_first_line_may_forbid_writes() {
    let running = start();
    let mut client = running.connect();
    let refused = eval(&mut client, "#!lua flags=no-writes\nreturn redis.call('SET', 'k', 1)");
    assert!(refused.starts_with("-ERR Write commands are not allowed from read-only scripts. script: "), "{refused}");
    assert!(refused.ends_with(", on @user_script:2.\r\n"), "{refused}");
    assert_eq!(eval(&mut client, "#!lua\nreturn redis.call('SET', 'k', 1)"), "+OK\r\n");
    assert_eq!(eval(&mut client, "#!perl\nreturn 1"), "-ERR Unexpected engine in script shebang: #!perl\r\n");
    let read_only = encode_parts(&[b"EVAL_RO", b"#!lua\nreturn 1", b"0"]);
    let reply = client.ask_bytes(&read_only);
    assert_eq!(reply, b"-ERR Can not execute a script with write flag using *_ro command.\r\n");
}

#[test]
fn errors_have_redis_words() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[("SET s x", "+OK\r\n")]);
    for (script, error) in [
        ("return foo", "-ERR user_script:1: Script attempted to access nonexistent global variable 'foo'"),
        ("foo = 1", "-ERR user_script:1: Attempt to modify a readonly table"),
        ("KEYS = 1", "-ERR user_script:1: Attempt to modify a readonly table"),
        ("string.x = 1", "-ERR user_script:1: Attempt to modify a readonly table"),
        ("error('x')", "-ERR user_script:1: x"),
        ("error({err = 'My Err'})", "-My Err"),
        ("error()", "-ERR nil"),
        ("return redis.call()", "-ERR Please specify at least one argument for this redis lib call"),
        ("return redis.call('nope')", "-ERR Unknown Redis command called from script"),
        ("return redis.call('get')", "-ERR Wrong number of args calling Redis command from script"),
        ("return redis.call('get', {})", "-ERR Lua redis lib command arguments must be strings or integers"),
        ("return redis.call('eval', 'return 1', 0)", "-ERR This Redis command is not allowed from script"),
        ("return redis.call('incr', 's')", "-ERR value is not an integer or out of range"),
        ("return redis.sha1hex()", "-ERR wrong number of arguments"),
        ("return ('x'):rep(3, 4, 5):find('[')", "-ERR user_script:1: malformed pattern (missing ']')"),
        ("return 1 +", "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'"),
        ("return cjson.decode('[1,')", "-ERR user_script:1: Expected value but found T_END at character 4"),
        ("return cjson.encode(1/0)", "-ERR user_script:1: Cannot serialise number: must not be NaN or Inf"),
    ] {
        assert_eq!(error_of(&mut client, script), error, "{script}");
    }
    client.expect(&[
        ("EVAL x x", "-ERR value is not an integer or out of range\r\n"),
        ("EVAL x 1", "-ERR Number of keys can't be greater than number of args\r\n"),
        ("EVAL x -1", "-ERR Number of keys can't be negative\r\n"),
        ("EVALSHA abc 0", "-NOSCRIPT No matching script. Please use EVAL.\r\n"),
        ("SCRIPT FLUSH x", "-ERR SCRIPT FLUSH only support SYNC|ASYNC option\r\n"),
        ("FUNCTION FLUSH x", "-ERR FUNCTION FLUSH only supports SYNC|ASYNC option\r\n"),
        ("FUNCTION FLUSH", "+OK\r\n"),
    ]);
}

#[test]
fn scripts_are_kept_by_their_digest() {
    let running = start();
    let mut client = running.connect();
    let digest = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    assert_eq!(
        client.ask_bytes(&encode_parts(&[b"SCRIPT", b"LOAD", b"return 1"])),
        format!("$40\r\n{digest}\r\n").as_bytes()
    );
    client.expect(&[
        (&format!("EVALSHA {digest} 0"), ":1\r\n"),
        (&format!("EVALSHA_RO {} 0", digest.to_uppercase()), ":1\r\n"),
        (&format!("SCRIPT EXISTS {digest} abc"), "*2\r\n:1\r\n:0\r\n"),
        ("SCRIPT FLUSH", "+OK\r\n"),
        (&format!("EVALSHA {digest} 0"), "-NOSCRIPT No matching script. Please use EVAL.\r\n"),
    ]);
    assert_eq!(eval(&mut client, "return 1"), ":1\r\n");
    client.expect(&[(&format!("EVALSHA {digest} 0"), ":1\r\n")]);
}

#[test]
fn read_only_scripts_write_nothing() {
    let running = start();
    let mut client = running.connect();
    let reply = client.ask_bytes(&encode_parts(&[b"EVAL_RO", b"return redis.pcall('SET', KEYS[1], 1)", b"1", b"k"]));
    assert_eq!(String::from_utf8_lossy(&reply), "-ERR Write commands are not allowed from read-only scripts.\r\n");
    let reply = client.ask_bytes(&encode_parts(&[b"EVAL_RO", b"return redis.call('EXISTS', KEYS[1])", b"1", b"k"]));
    assert_eq!(reply, b":0\r\n");
}

#[test]
fn undeclared_keys_are_reached_and_nothing_runs_twice() {
    let running = start();
    let mut client = running.connect();
    let script = b"redis.call('INCR', KEYS[1]) for i = 1, 200 do redis.call('INCR', 'other:' .. i) end return redis.call('DBSIZE')";
    for round in 1..=3 {
        assert_eq!(client.ask_bytes(&encode_parts(&[b"EVAL", script, b"1", b"k"])), b":201\r\n");
        client.expect(&[("GET k", &format!("$1\r\n{round}\r\n")), ("GET other:77", &format!("$1\r\n{round}\r\n"))]);
    }
}

#[test]
fn a_failing_script_keeps_its_effects() {
    let running = start();
    let mut client = running.connect();
    assert_eq!(error_of(&mut client, "redis.call('SET', 'k', 'kept') error('x')"), "-ERR user_script:1: x");
    client.expect(&[("GET k", "$4\r\nkept\r\n")]);
}

#[test]
fn endless_scripts_end_and_are_undone() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[("SET k old EX 100", "+OK\r\n")]);
    for script in [
        "while true do end",
        "repeat until false",
        "local function f() return f() end f()",
        "while true do pcall(function() while true do end end) end",
        "while true do pcall(redis.call, 'GET', 'k') end",
        "xpcall(function() while true do end end, function() while true do end end)",
        "xpcall(error, function() while true do end end)",
        "for i = 1, 1e12 do redis.call('SET', 'x', i) end",
        "local s = ('a'):rep(5000) s:find('.-.-.-.-.-.-b')",
        "local s = ('a'):rep(5000) pcall(string.gsub, s, '.-.-.-.-.-.-b', '') while true do end",
        "('x'):rep(1000):gsub('x', function() while true do end end)",
        "for _ in function() return 1 end do end",
        "table.sort({3, 2, 1}, function() while true do end end)",
        "local t = {} for i = 1, 29 do t[2^i] = 1 end t[1] = 1 while true do table.remove(t, 1) end",
        "table.insert({}, -2^31, 1)",
        "local t = {} for i = 0, 29 do t[2^i] = 1 end while true do table.insert(t, 1, 2) end",
        "(''):rep(1e9) while true do end",
        "setmetatable({}, {__index = function() while true do end end}).x = nil local _ = setmetatable({}, {__index = function() while true do end end}).x",
        "while true do loadstring(('x = 1 '):rep(10000)) end",
        "local s = '[' .. ('1,'):rep(100000) .. '1]' while true do cjson.decode(s) end",
        "local t = {} for i = 1, 40 do t = {t, t} end return cjson.encode(t)",
        "local t = {} for i = 1, 40 do t = {t, t} end return t",
    ] {
        let started = Instant::now();
        let reply = eval(&mut client, &format!("redis.call('SET', 'k', 'new') redis.call('SET', 'x', 1); {script}"));
        assert!(reply == BUDGET || reply.contains("bytes of memory and was rolled back"), "{script}: {reply}");
        // The machine may be busy; an endless one would take for ever.
        assert!(started.elapsed() < Duration::from_secs(20), "{script}: {:?}", started.elapsed());
        client.expect(&[("GET k", "$3\r\nold\r\n"), ("TTL k", ":100\r\n"), ("EXISTS x", ":0\r\n")]);
    }
    assert_eq!(eval(&mut client, "return 1"), ":1\r\n");
}

#[test]
fn memory_is_bounded_and_what_needs_more_is_undone() {
    let running = start();
    let mut client = running.connect();
    for script in [
        "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
        "return ('x'):rep(1e9)",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1e7 do t[i] = {} end",
        "local s = redis.call('GET', 'large') return s .. s",
    ] {
        client.ask_bytes(&encode_parts(&[b"SET", b"large", &vec![b'x'; 15 << 20]]));
        let reply = eval(&mut client, &format!("redis.call('SET', 'k', 'new'); {script}"));
        assert!(
            reply == BUDGET || reply.contains("more than 16777216 bytes of memory and was rolled back"),
            "{script}: {reply}"
        );
        client.expect(&[("EXISTS k", ":0\r\n")]);
    }
    assert_eq!(eval(&mut client, "return #('x'):rep(1000000)"), ":1000000\r\n");
}

#[test]
fn a_script_that_is_stopped_inside_a_transaction_takes_all_of_it_back() {
    let running = start();
    let mut client = running.connect();
    let undone = "-ERR a script of the transaction exceeded its time or memory; the transaction was rolled back\r\n";
    for script in [
        "redis.call('set', 'k', 'script') local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
        "redis.call('set', 'k', 'script') while true do end",
    ] {
        client.converse(&[("SET k before", "+OK\r\n"), ("MULTI", "+OK\r\n"), ("SET k within", "+QUEUED\r\n")]);
        client.send(&encode_parts(&[b"EVAL", script.as_bytes(), b"0"]));
        client.receive(b"+QUEUED\r\n");
        client.converse(&[("SELECT 2", "+QUEUED\r\n"), ("SET later x", "+QUEUED\r\n"), ("EXEC", undone)]);
        client.converse(&[("GET k", "$6\r\nbefore\r\n"), ("DBSIZE", ":1\r\n")]);
    }
    client.converse(&[("MULTI", "+OK\r\n"), ("GET k", "+QUEUED\r\n"), ("EXEC", "*1\r\n$6\r\nbefore\r\n")]);
}

#[test]
fn sources_count_with_the_buffers_of_clients() {
    let limits = ClientLimits { buffer_bytes: Some(4 << 20), ..ClientLimits::default() };
    let running = start_with(1, limits);
    let mut client = running.connect();
    let source = |number: usize| format!("return {number} -- {}", "x".repeat(100_000));
    for number in 0..30 {
        client.ask_bytes(&encode_parts(&[b"SCRIPT", b"LOAD", source(number).as_bytes()]));
    }
    // A quarter of what clients may have; the oldest go.
    let held = || running.server.stats().buffer_bytes;
    wait_until("only sources are held", || (900_000..1 << 20).contains(&held()));
    client.expect(&[("SCRIPT FLUSH", "+OK\r\n")]);
    wait_until("nothing is held", || held() == 0);
    client.ask_bytes(&encode_parts(&[b"EVAL", source(1).as_bytes(), b"0"]));
    client.ask_bytes(&encode_parts(&[b"EVAL", source(1).as_bytes(), b"0"]));
    wait_until("one source is held", || (100_000..101_000).contains(&held()));
}

#[test]
fn nothing_outlives_a_run() {
    let running = start();
    let mut client = running.connect();
    for script in [
        "rawset(_G, 'leak', 1)",
        "rawset(string, 1, 'leak')",
        "rawset(cjson, 'encode', 1)",
        "table.insert(string, 'leak')",
        "table.insert(_G, 'leak')",
        "table.insert(redis, 'leak')",
        "getmetatable('').__index = nil",
        "getmetatable(_G).__newindex = nil",
        "setmetatable(string, nil)",
        "getmetatable('').leak = 1",
        "setfenv(1, {})",
        "getfenv(0).leak = 1",
        "loadstring('leak = 1')()",
        "loadstring('return _G')().leak = 1",
        "string.rep = nil",
        "redis.call = nil",
        "cjson.encode = nil",
        "coroutine.create(print)",
        "local e = setmetatable({}, {__index = function() return 1 end}) return e.x",
    ] {
        eval(&mut client, script);
        let probe = "return {string[1] or 'nil', rawget(_G, 1) or 'nil', redis[1] or 'nil', rawget(_G, 'leak') or 'nil', \
                     ('x'):rep(2), type(redis.call), type(cjson.encode), \
                     tostring(getmetatable('')), tostring(getmetatable(string))}";
        assert_eq!(
            eval(&mut client, probe),
            "*9\r\n$3\r\nnil\r\n$3\r\nnil\r\n$3\r\nnil\r\n$3\r\nnil\r\n$2\r\nxx\r\n$8\r\nfunction\r\n$8\r\nfunction\r\n\
             $5\r\nfalse\r\n$5\r\nfalse\r\n",
            "{script}"
        );
        assert!(error_of(&mut client, "return leak").contains("nonexistent global variable 'leak'"), "{script}");
    }
}

#[test]
fn the_sandbox_has_no_way_out() {
    let running = start();
    let mut client = running.connect();
    for name in [
        "io",
        "os.execute",
        "os.exit",
        "require",
        "package",
        "debug",
        "dofile",
        "loadfile",
        "load",
        "coroutine",
        "newproxy",
        "getfenv",
        "setfenv",
        "collectgarbage",
        "string.dump",
        "print",
        "module",
        "gcinfo",
    ] {
        let (table, field) = name.split_once('.').unwrap_or(("_G", name));
        let reply = eval(
            &mut client,
            &format!("local ok, found = pcall(function() return {table}['{field}'] end) return ok and found ~= nil"),
        );
        assert_eq!(reply, "$-1\r\n", "{name}");
    }
    assert_eq!(
        eval(&mut client, "return {type(os.clock()), type(_VERSION)}"),
        "*2\r\n$6\r\nnumber\r\n$6\r\nstring\r\n"
    );
    // A chunk of bytecode can crash the interpreter; its first byte gives it away.
    assert!(eval(&mut client, "\x1bLua").starts_with("-ERR Error compiling script"));
    assert_eq!(eval(&mut client, "return loadstring('\\27Lua') == nil"), ":1\r\n");
    assert_eq!(eval(&mut client, "return loadstring('return 5')()"), ":5\r\n");
}

#[test]
fn the_library_does_what_lua_does() {
    let running = start();
    let mut client = running.connect();
    for (script, reply) in [
        ("return {('abc'):gsub('%w', '%0%0')}", "*2\r\n$6\r\naabbcc\r\n:3\r\n"),
        ("return {('hello world'):gsub('o', '0', 1)}", "*2\r\n$11\r\nhell0 world\r\n:1\r\n"),
        ("return {('abc'):gsub('', '-')}", "*2\r\n$7\r\n-a-b-c-\r\n:4\r\n"),
        ("return {('$a $b'):gsub('%$(%w)', {a = 'x'})}", "*2\r\n$4\r\nx $b\r\n:2\r\n"),
        ("return {('a b'):gsub('(%w) (%w)', '%2 %1')}", "*2\r\n$3\r\nb a\r\n:1\r\n"),
        ("return {('aaa'):gsub('^a', 'b')}", "*2\r\n$3\r\nbaa\r\n:1\r\n"),
        (
            "local t = {} for k, v in ('a=1,b=2'):gmatch('(%w)=(%w)') do t[#t+1] = k .. v end return t",
            "*2\r\n$2\r\na1\r\n$2\r\nb2\r\n",
        ),
        ("local n = 0 for _ in ('abc'):gmatch('') do n = n + 1 end return n", ":4\r\n"),
        ("return {('key:123'):match('(%a+):(%d+)')}", "*2\r\n$3\r\nkey\r\n$3\r\n123\r\n"),
        ("return {('a.b'):find('.', 1, true)}", "*2\r\n:2\r\n:2\r\n"),
        ("return {('abcabc'):find('b', -3)}", "*2\r\n:5\r\n:5\r\n"),
        ("local t = {5, 2, 8, 1, 9, 3} table.sort(t) return t", "*6\r\n:1\r\n:2\r\n:3\r\n:5\r\n:8\r\n:9\r\n"),
        ("local t = {1, 2, 3} table.sort(t, function(a, b) return a > b end) return t", "*3\r\n:3\r\n:2\r\n:1\r\n"),
        ("local t = {1, 3} table.insert(t, 2, 2) table.insert(t, 4) return t", "*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n"),
        (
            "local t = {1, 2, 3} local x = table.remove(t, 1) return {x, #t, t[1], table.remove(t), #t}",
            "*5\r\n:1\r\n:2\r\n:2\r\n:3\r\n:1\r\n",
        ),
        ("return {pcall(error, 'x')}", "*2\r\n$-1\r\n$1\r\nx\r\n"),
        ("return {xpcall(function() error('x', 0) end, function(e) return e .. '!' end)}", "*2\r\n$-1\r\n$2\r\nx!\r\n"),
        (
            "return cjson.encode({1, {a = 1.5}, 'x/y\\n', cjson.null, true})",
            "$32\r\n[1,{\"a\":1.5},\"x\\/y\\n\",null,true]\r\n",
        ),
        ("return cjson.encode({}) .. cjson.encode({[3] = 1})", "$15\r\n{}[null,null,1]\r\n"),
        (
            "local t = cjson.decode('{\"a\":[1,2,{\"b\":\"\\\\u00e9\\\\ud83d\\\\ude00\"}],\"n\":null,\"t\":true}') return {t.a[2], t.a[3].b, t.n == cjson.null, t.t}",
            "*4\r\n:2\r\n$6\r\n\u{e9}\u{1f600}\r\n:1\r\n:1\r\n",
        ),
        ("return pcall(cjson.decode, ('['):rep(1001) .. (']'):rep(1001)) == false", ":1\r\n"),
        ("return #cjson.encode(cjson.decode(('['):rep(999) .. (']'):rep(999)))", ":1998\r\n"),
    ] {
        assert_eq!(eval(&mut client, script), reply, "{script}");
    }
}

#[test]
fn scripts_can_be_turned_off() {
    let cache = std::sync::Arc::new(tandem_engine::Cache::new(tandem_engine::Options::default()).unwrap());
    let options = tandem_server::ServerOptions { port: 0, scripts: false, ..Default::default() };
    let server = tandem_server::Server::start(cache, options).unwrap();
    let mut client = Client { stream: std::net::TcpStream::connect(server.local_addr()).unwrap() };
    client.expect(&[
        ("EVAL x 0", "-ERR scripts are disabled on this server (--no-scripts)\r\n"),
        ("SCRIPT LOAD x", "-ERR scripts are disabled on this server (--no-scripts)\r\n"),
    ]);
}
