//! The libraries of scripts that turn values into bytes, within the limits of a script.

mod support;

use support::{eval, start};

#[test]
fn values_are_packed_and_unpacked() {
    let running = start();
    let mut client = running.connect();
    for (script, reply) in [
        (
            "return cmsgpack.pack(1, {1, 'a'}, {a = true})",
            "$9\r\n\u{1}\u{fffd}\u{1}\u{fffd}a\u{fffd}\u{fffd}a\u{fffd}\r\n",
        ),
        ("return cmsgpack.unpack(cmsgpack.pack({1, {'x', false}}))", "*2\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n"),
        ("return {cmsgpack.unpack_one('\\1\\2')}", "*2\r\n:1\r\n:1\r\n"),
        ("return {cmsgpack.unpack_limit('\\1\\2\\3', 2, 1)}", "*3\r\n:-1\r\n:2\r\n:3\r\n"),
        ("return struct.pack('>I2sx', 258, 'a')", "$5\r\n\u{1}\u{2}a\0\0\r\n"),
        ("return {struct.unpack('<I2c0', '\\3\\0abc')}", "*2\r\n$3\r\nabc\r\n:6\r\n"),
        ("return struct.size('!4bi')", ":8\r\n"),
    ] {
        assert_eq!(eval(&mut client, script), reply, "{script}");
    }
}

#[test]
fn settings_of_json_end_with_the_script() {
    let running = start();
    let mut client = running.connect();
    for (setting, value, before) in [
        ("encode_max_depth", "1", ":1000\r\n"),
        ("decode_max_depth", "1", ":1000\r\n"),
        ("encode_number_precision", "3", ":14\r\n"),
        ("encode_sparse_array", "true, 1, 1", "$-1\r\n"),
        ("encode_invalid_numbers", "true", "$-1\r\n"),
        ("decode_invalid_numbers", "false", ":1\r\n"),
    ] {
        eval(&mut client, &format!("cjson.{setting}({value})"));
        assert_eq!(eval(&mut client, &format!("return (cjson.{setting}())")), before, "{setting}");
    }
    assert_eq!(eval(&mut client, "cjson.encode_number_precision(3) return cjson.encode(1/3)"), "$5\r\n0.333\r\n");
    assert_eq!(eval(&mut client, "return cjson.encode(1/3)"), "$16\r\n0.33333333333333\r\n");
}

#[test]
fn what_takes_too_much_is_stopped() {
    let running = start();
    let mut client = running.connect();
    for script in [
        // A hundred times itself, sixteen deep.
        "local t = {} for i = 1, 100 do t[i] = t end return cmsgpack.pack(t)",
        // Eight million elements.
        "return cmsgpack.unpack('\\221\\0\\127\\255\\255' .. string.rep('\\1', 7000000))",
        "local s = string.rep('x', 1000000) return struct.pack(string.rep('s', 40), s, s, s, s, s, s, s, s, s, s, s, s, \
         s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s)",
    ] {
        let reply = eval(&mut client, script);
        assert!(reply.starts_with("-ERR the script ") && reply.ends_with("rolled back\r\n"), "{script}: {reply}");
    }
    for script in [
        "local x = cmsgpack.unpack(string.rep('\\145', 100000)) return x",
        "local x = cmsgpack.unpack(string.rep('\\1', 100000)) return x",
        "local x = struct.unpack(string.rep('b', 100000), string.rep('b', 100000)) return x",
    ] {
        let reply = eval(&mut client, script);
        assert!(reply.starts_with("-ERR user_script:1: stack overflow ("), "{script}: {reply}");
    }
    assert_eq!(eval(&mut client, "return 1"), ":1\r\n");
}
