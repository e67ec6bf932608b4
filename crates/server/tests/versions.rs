//! Values with versions: TANDEM.GETV and TANDEM.CAS.

mod support;
use support::{Client, START_MS, start};

/// The version in a reply of TANDEM.GETV for a value of one byte, or of TANDEM.CAS.
fn version(reply: &str) -> u64 {
    reply.lines().last().unwrap().parse().unwrap_or_else(|_| panic!("no version in {reply:?}"))
}

fn ask(client: &mut Client, words: &str) -> u64 {
    version(&client.ask(words))
}

#[test]
fn a_value_is_stored_only_over_the_version_it_was_made_from() {
    let running = start();
    let (mut one, mut two) = (running.connect(), running.connect());
    one.expect(&[("TANDEM.GETV k", "$-1\r\n"), ("TANDEM.CAS k 1 a", "$-1\r\n"), ("GET k", "$-1\r\n")]);
    let first = ask(&mut one, "TANDEM.CAS k 0 a");
    let read = two.ask("TANDEM.GETV k");
    assert_eq!(read, format!("*2\r\n$1\r\na\r\n${}\r\n{first}\r\n", first.to_string().len()));
    one.expect(&[("TANDEM.CAS k 0 b", "$-1\r\n"), ("GET k", "$1\r\na\r\n")]);
    let second = ask(&mut one, &format!("TANDEM.CAS k {first} b"));
    assert!(second > first);
    two.expect(&[(&format!("TANDEM.CAS k {first} c"), "$-1\r\n"), ("GET k", "$1\r\nb\r\n")]);
    // Any change counts, one of the expiry included, and a version never comes back.
    one.expect(&[("PEXPIRE k 100000", ":1\r\n"), (&format!("TANDEM.CAS k {second} c"), "$-1\r\n")]);
    one.expect(&[("DEL k", ":1\r\n"), ("SET k b", "+OK\r\n"), (&format!("TANDEM.CAS k {second} c"), "$-1\r\n")]);
    assert!(ask(&mut one, "TANDEM.GETV k") > second);
    one.ask("HELLO 3");
    one.expect(&[("TANDEM.GETV nothing", "_\r\n"), ("TANDEM.CAS k 1 c", "_\r\n")]);
}

#[test]
fn the_expiry_is_replaced_or_kept() {
    let running = start();
    let mut client = running.connect();
    let first = ask(&mut client, "TANDEM.CAS k 0 a PX 5000");
    client.expect(&[("PTTL k", ":5000\r\n")]);
    let second = ask(&mut client, &format!("TANDEM.CAS k {first} b KEEPTTL"));
    client.expect(&[("PTTL k", ":5000\r\n")]);
    let third = ask(&mut client, &format!("TANDEM.CAS k {second} c PXAT {}", START_MS + 100));
    client.expect(&[("PTTL k", ":100\r\n")]);
    ask(&mut client, &format!("TANDEM.CAS k {third} d"));
    client.expect(&[("PTTL k", ":-1\r\n"), ("GET k", "$1\r\nd\r\n")]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let running = start();
    running.connect().expect(&[
        ("SADD s a", ":1\r\n"),
        ("TANDEM.GETV s", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        ("TANDEM.GETV", "-ERR wrong number of arguments for 'tandem.getv' command\r\n"),
        ("TANDEM.CAS k 0", "-ERR wrong number of arguments for 'tandem.cas' command\r\n"),
        ("TANDEM.CAS k -1 a", "-ERR version is not an integer or out of range\r\n"),
        ("TANDEM.CAS k x a", "-ERR version is not an integer or out of range\r\n"),
        ("TANDEM.CAS k 0 a NX", "-ERR syntax error\r\n"),
        ("TANDEM.CAS k 0 a GET", "-ERR syntax error\r\n"),
        ("TANDEM.CAS k 0 a PX", "-ERR syntax error\r\n"),
        ("TANDEM.CAS k 0 a PX x", "-ERR value is not an integer or out of range\r\n"),
        ("TANDEM.CAS k 0 a PX 0", "-ERR invalid expire time in 'tandem.cas' command\r\n"),
        ("EXISTS k", ":0\r\n"),
    ]);
}
