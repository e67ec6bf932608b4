//! The password, and what a client may do before it has said it.

mod support;
use support::{Running, encode, encode_parts, start, start_server};
use tandem_server::{Password, ServerOptions};

const WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const NEEDED: &str = "-NOAUTH Authentication required.\r\n";

fn guarded() -> Running {
    start_server(ServerOptions { password: Password::new(b"secret"), ..ServerOptions::default() })
}

/// Sends a request and reads so many bytes as the reply should have.
fn exchange(client: &mut support::Client, dialogue: &[(&str, &str)]) {
    for (words, reply) in dialogue {
        client.send(&encode(words));
        client.receive(reply.as_bytes());
    }
}

#[test]
fn nothing_but_the_password_is_taken_first() {
    let running = guarded();
    let mut client = running.connect();
    exchange(
        &mut client,
        &[
            ("GET k", NEEDED),
            ("CLIENT ID", NEEDED),
            ("GET", "-ERR wrong number of arguments for 'get' command\r\n"),
            ("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"),
            ("RESET", "+RESET\r\n"),
            ("AUTH wrong", WRONG),
            ("AUTH default wrong", WRONG),
            ("AUTH other secret", WRONG),
            ("AUTH secre", WRONG),
            ("GET k", NEEDED),
            ("AUTH secret", "+OK\r\n"),
            ("GET k", "$-1\r\n"),
            // A wrong word does not log out; RESET does.
            ("AUTH wrong", WRONG),
            ("GET k", "$-1\r\n"),
            ("RESET", "+RESET\r\n"),
            ("GET k", NEEDED),
            ("AUTH default secret", "+OK\r\n"),
            ("GET k", "$-1\r\n"),
        ],
    );
    assert_eq!(running.server.stats().refused_passwords, 5);
}

#[test]
fn hello_says_the_password_too() {
    let running = guarded();
    let mut client = running.connect();
    client.send(b"HELLO 3\r\n");
    client.receive(b"-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH ");
    client.receive(
        b"<user> <pass> option can be used to authenticate the client and select the RESP protocol version at ",
    );
    client.receive(b"the same time\r\n");
    exchange(&mut client, &[("HELLO 3 AUTH default wrong", WRONG), ("GET k", NEEDED)]);
    client.send(b"HELLO 3 AUTH default secret SETNAME me\r\n");
    client.receive(b"%7\r\n");
    assert!(client.ask("CLIENT GETNAME").ends_with("$2\r\nme\r\n"));
    client.expect(&[("GET k", "_\r\n")]);
}

#[test]
fn strangers_cannot_send_much() {
    let running = guarded();
    for (bytes, answer) in [
        (&b"*11\r\n"[..], "-ERR Protocol error: unauthenticated multibulk length\r\n"),
        (b"*99999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*2\r\n$4\r\nAUTH\r\n$16385\r\n", "-ERR Protocol error: unauthenticated bulk length\r\n"),
        (b"*2\r\n$4\r\nAUTH\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
    ] {
        let mut client = running.connect();
        client.send(bytes);
        assert_eq!(String::from_utf8_lossy(&client.receive_all()), answer);
    }
    // What follows the password in the same packet is a known client's.
    let large = vec![b'x'; 100_000];
    let mut client = running.connect();
    client.send(&[encode("AUTH secret"), encode_parts(&[b"SET", b"k", &large])].concat());
    client.receive(b"+OK\r\n+OK\r\n");
    client.expect(&[
        ("STRLEN k", ":100000\r\n"),
        ("MGET 1 2 3 4 5 6 7 8 9 10 11", &format!("*11\r\n{}", "$-1\r\n".repeat(11))),
    ]);
}

#[test]
fn reset_forgets_what_a_client_said() {
    let running = start();
    let mut client = running.connect();
    client.ask("HELLO 3 SETNAME me");
    client.expect(&[
        ("SELECT 5", "+OK\r\n"),
        ("SET k five", "+OK\r\n"),
        ("RESET", "+RESET\r\n"),
        ("GET k", "$-1\r\n"),
        ("CLIENT GETNAME", "$-1\r\n"),
        ("RESET now", "-ERR wrong number of arguments for 'reset' command\r\n"),
    ]);
    client.send(b"CLIENT REPLY OFF\r\nPING\r\nRESET\r\nPING\r\n");
    client.receive(b"+RESET\r\n+PONG\r\n");
}
