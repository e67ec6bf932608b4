//! What clients see of each other, and how they end each other.

mod support;
use std::time::{Duration, Instant};

use support::{Client, PATIENCE, encode, start, start_with, wait_until};
use tandem_server::ClientLimits;

/// The value of a field in a line of CLIENT LIST.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let start = line.find(&format!(" {name}=")).unwrap_or_else(|| panic!("no {name} in {line}")) + name.len() + 2;
    line[start..].split([' ', '\n', '\r']).next().unwrap()
}

/// The line of CLIENT LIST that shows the client of this name.
fn line_of(asker: &mut Client, name: &str) -> String {
    let list = asker.ask("CLIENT LIST");
    let line = list.lines().find(|line| line.contains(&format!(" name={name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {list}")).to_owned()
}

#[test]
fn the_list_shows_every_client() {
    let running = start_with(2, ClientLimits::default());
    let (mut one, mut two) = (running.connect(), running.connect());
    one.expect(&[("CLIENT SETNAME one", "+OK\r\n"), ("SELECT 3", "+OK\r\n"), ("GET k", "$-1\r\n")]);
    two.ask("HELLO 3 SETNAME two");
    two.send(&encode("SUBSCRIBE a b"));
    two.send(&encode("PSUBSCRIBE c"));
    two.ask("CLIENT NO-EVICT on");
    let shown = line_of(&mut one, "two");
    assert_eq!(field(&shown, "addr"), two.stream.local_addr().unwrap().to_string());
    assert_eq!(field(&shown, "laddr"), running.server.local_addr().to_string());
    for (name, value) in [("sub", "2"), ("psub", "1"), ("flags", "Pe"), ("resp", "3"), ("db", "0"), ("cmd", "echo")] {
        assert_eq!(field(&shown, name), value, "{name}");
    }
    let own = one.ask("CLIENT INFO");
    for (name, value) in [("name", "one"), ("db", "3"), ("flags", "N"), ("resp", "2"), ("cmd", "client|info")] {
        assert_eq!(field(&own, name), value, "{name}");
    }
    assert!(own.ends_with("resp=2\n\r\n"), "{own}");
    assert!(two.ask("CLIENT LIST TYPE normal").contains(" name=one "));
    assert!(!two.ask("CLIENT LIST TYPE pubsub").contains(" name=one "));
    let ids: Vec<String> = [&mut one, &mut two].map(|client| client.ask("CLIENT ID")[1..].trim().to_owned()).into();
    let chosen = one.ask(&format!("CLIENT LIST ID {} 0 {}", ids[1], ids[0]));
    assert_eq!(chosen.lines().filter(|line| line.starts_with("id=")).count(), 2, "{chosen}");
    one.ask("RESET");
    assert_eq!(field(&one.ask("CLIENT INFO"), "name"), "");
    drop(two);
    wait_until("a closed client is not shown", || !one.ask("CLIENT LIST").contains(" name=two "));
}

#[test]
fn clients_end_others_and_themselves() {
    let running = start_with(3, ClientLimits::default());
    let mut killer = running.connect();
    let mut victims: Vec<_> = (0..6).map(|_| running.connect()).collect();
    let ids: Vec<String> = victims.iter_mut().map(|one| one.ask("CLIENT ID")[1..].trim().to_owned()).collect();
    let peer = |client: &Client| client.stream.local_addr().unwrap().to_string();
    killer.expect(&[
        (&format!("CLIENT KILL ID {}", ids[0]), ":1\r\n"),
        (&format!("CLIENT KILL ADDR {} SKIPME yes", peer(&victims[1])), ":1\r\n"),
        (&format!("CLIENT KILL {}", peer(&victims[2])), "+OK\r\n"),
    ]);
    for victim in &mut victims[..3] {
        assert_eq!(victim.receive_all(), b"");
    }
    wait_until("they are gone", || running.server.stats().clients == 4);
    victims[3].send(&encode("SUBSCRIBE c"));
    victims[3].receive(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    killer.expect(&[("CLIENT KILL TYPE pubsub", ":1\r\n")]);
    assert_eq!(victims[3].receive_all(), b"");
    killer.expect(&[(&format!("CLIENT KILL LADDR {} USER default", running.server.local_addr()), ":2\r\n")]);
    wait_until("they are gone, too", || running.server.stats().clients == 1);
    // The reply to one's own end comes first.
    killer.send(&encode("CLIENT KILL SKIPME no"));
    assert_eq!(killer.receive_all(), b":1\r\n");
    wait_until("all are gone", || running.server.stats().clients == 0);
}

#[test]
fn wrong_filters_are_refused() {
    let running = start();
    running.connect().expect(&[
        ("CLIENT LIST TYPE", "-ERR syntax error\r\n"),
        ("CLIENT LIST TYPE x", "-ERR Unknown client type 'x'\r\n"),
        ("CLIENT LIST TYPE replica", "$0\r\n\r\n"),
        ("CLIENT LIST ID", "-ERR syntax error\r\n"),
        ("CLIENT LIST ID x", "-ERR Invalid client ID\r\n"),
        ("CLIENT LIST ID 0", "$0\r\n\r\n"),
        ("CLIENT LIST FOO", "-ERR syntax error\r\n"),
        ("CLIENT KILL x", "-ERR No such client\r\n"),
        ("CLIENT KILL ID x", "-ERR client-id should be greater than 0\r\n"),
        ("CLIENT KILL ID 0", "-ERR client-id should be greater than 0\r\n"),
        ("CLIENT KILL ID 99999", ":0\r\n"),
        ("CLIENT KILL TYPE x", "-ERR Unknown client type 'x'\r\n"),
        ("CLIENT KILL TYPE normal", ":0\r\n"),
        ("CLIENT KILL FOO x", "-ERR syntax error\r\n"),
        ("CLIENT KILL SKIPME x", "-ERR syntax error\r\n"),
        ("CLIENT KILL ID 1 TYPE", "-ERR syntax error\r\n"),
        ("CLIENT KILL USER x", "-ERR No such user 'x'\r\n"),
        ("CLIENT NO-EVICT x", "-ERR syntax error\r\n"),
        ("CLIENT NO-EVICT off", "+OK\r\n"),
        ("CLIENT GETREDIR", ":-1\r\n"),
        ("CLIENT MAINT_NOTIFICATIONS on", "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n"),
    ]);
}

/// Sends a request that has to wait; true if its reply came only after `release`.
fn waits_until(client: &mut Client, words: &str, reply: &str, release: impl FnOnce()) {
    client.send(&encode(words));
    client.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = client.stream.peek(&mut [0]).unwrap_err();
    assert!(matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{words}: {error}");
    client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    release();
    client.receive(reply.as_bytes());
}

#[test]
fn a_pause_of_writes_holds_back_writes_alone() {
    let running = start_with(3, ClientLimits::default());
    let (mut one, mut two) = (running.connect(), running.connect());
    let mut pauser = running.connect();
    one.expect(&[("SET k 1", "+OK\r\n")]);
    pauser.expect(&[("CLIENT PAUSE 100000 WRITE", "+OK\r\n"), ("GET k", "$1\r\n1\r\n")]);
    two.expect(&[("GET k", "$1\r\n1\r\n")]);
    // What stands behind a request that waits does so, too.
    one.send(&[encode("GET k"), encode("INCR k"), encode("GET k")].concat());
    one.receive(b"$1\r\n1\r\n");
    waits_until(&mut two, "PUBLISH c x", ":0\r\n", || {
        two_thirds(&mut pauser);
    });
    one.receive(b":2\r\n$1\r\n2\r\n");
    one.expect(&[("INCR k", ":3\r\n")]);
}

/// The pauser sees the old value as long as it pauses, then ends the pause.
fn two_thirds(pauser: &mut Client) {
    pauser.expect(&[("GET k", "$1\r\n1\r\n"), ("CLIENT UNPAUSE", "+OK\r\n")]);
}

#[test]
fn a_pause_of_everything_ends_by_itself() {
    let running = start_with(2, ClientLimits::default());
    let (mut one, mut two) = (running.connect(), running.connect());
    let begun = Instant::now();
    one.send(&[encode("CLIENT PAUSE 300"), encode("CLIENT REPLY SKIP"), encode("PING"), encode("ECHO 1")].concat());
    one.receive(b"+OK\r\n");
    two.send(&encode("PING"));
    two.receive(b"+PONG\r\n");
    one.receive(b"$1\r\n1\r\n");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    // Whoever has nothing to run does not hold up a stop.
    one.send(&encode("CLIENT PAUSE 100000 ALL"));
    one.receive(b"+OK\r\n");
    two.send(&encode("PING"));
    running.server.stop(PATIENCE);
    assert_eq!(two.receive_all(), b"+PONG\r\n");
}

#[test]
fn wrong_pauses_are_refused() {
    let running = start();
    running.connect().expect(&[
        ("CLIENT PAUSE x", "-ERR timeout is not an integer or out of range\r\n"),
        ("CLIENT PAUSE -1", "-ERR timeout is negative\r\n"),
        ("CLIENT PAUSE x FOO", "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n"),
        (
            "CLIENT PAUSE 10 ALL x",
            "-ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.\r\n",
        ),
        ("CLIENT PAUSE 9223372036854775807 WRITE", "+OK\r\n"),
        ("GET k", "$-1\r\n"),
        ("CLIENT UNPAUSE", "+OK\r\n"),
        ("CLIENT UNPAUSE", "+OK\r\n"),
    ]);
}

#[test]
fn requests_that_wait_for_exec_are_shown() {
    let running = start();
    let (mut asker, mut client) = (running.connect(), running.connect());
    client.ask("CLIENT SETNAME waiter");
    let multi = |asker: &mut Client| field(&line_of(asker, "waiter"), "multi").to_owned();
    let say = |client: &mut Client, words: &str, reply: &str| {
        client.send(&encode(words));
        client.receive(reply.as_bytes());
    };
    assert_eq!(multi(&mut asker), "-1");
    say(&mut client, "MULTI", "+OK\r\n");
    assert_eq!(multi(&mut asker), "0");
    say(&mut client, "SET k v", "+QUEUED\r\n");
    say(&mut client, "GET k", "+QUEUED\r\n");
    assert_eq!(multi(&mut asker), "2");
    say(&mut client, "EXEC", "*2\r\n+OK\r\n$1\r\nv\r\n");
    assert_eq!(multi(&mut asker), "-1");
    say(&mut client, "MULTI", "+OK\r\n");
    say(&mut client, "RESET", "+RESET\r\n");
    say(&mut client, "CLIENT SETNAME waiter", "+OK\r\n");
    assert_eq!(multi(&mut asker), "-1");
}

#[test]
fn confirmations_come_whether_replies_are_wanted_or_not() {
    let running = start();
    let mut client = running.connect();
    let all = [
        "CLIENT REPLY OFF",
        "SUBSCRIBE",
        "SUBSCRIBE a",
        "UNSUBSCRIBE a",
        "CLIENT REPLY ON",
        "CLIENT REPLY SKIP",
        "RESET",
        "CLIENT REPLY SKIP",
        "SUBSCRIBE b",
    ];
    client.send(&all.map(encode).concat());
    client.receive(b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n+OK\r\n");
    client.receive(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:1\r\n");
}

/// What redis-server 7.0 answers.
#[test]
fn so_do_those_of_a_transaction() {
    let running = start();
    let on = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
    let queued = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n";
    for (said, heard) in [
        ("CLIENT REPLY OFF|MULTI|SUBSCRIBE c|GET a|EXEC", on.to_owned()),
        ("CLIENT REPLY OFF|MULTI|UNSUBSCRIBE|EXEC", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n".into()),
        ("MULTI|CLIENT REPLY OFF|SUBSCRIBE c|GET a|EXEC", format!("{queued}*3\r\n{on}")),
        ("MULTI|SUBSCRIBE c|CLIENT REPLY OFF|GET a|EXEC", format!("{queued}*3\r\n{on}")),
        ("MULTI|CLIENT REPLY SKIP|SUBSCRIBE c|GET a|EXEC|PING", format!("{queued}*3\r\n{on}$-1\r\n")),
        ("CLIENT REPLY OFF|MULTI|GET a|CLIENT REPLY ON|GET a|EXEC", "+OK\r\n$-1\r\n".into()),
        ("CLIENT REPLY OFF|MULTI|NOTHING|EXEC|EXEC|CLIENT REPLY ON", "+OK\r\n".into()),
    ] {
        let mut client = running.connect();
        said.split('|').for_each(|words| client.send(&encode(words)));
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(String::from_utf8(client.receive_all()).unwrap(), heard, "{said}");
    }
}

#[test]
fn what_is_wrong_with_kill_is_said_in_order() {
    let running = start();
    running.connect().expect(&[
        ("CLIENT KILL ID 0 TYPE", "-ERR client-id should be greater than 0\r\n"),
        ("CLIENT KILL TYPE x ID", "-ERR Unknown client type 'x'\r\n"),
        ("CLIENT KILL ID 1 ADDR", "-ERR syntax error\r\n"),
        ("CLIENT KILL NOPE 1 ID", "-ERR syntax error\r\n"),
    ]);
}

#[test]
fn a_client_that_hangs_up_during_a_pause_is_gone() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[("CLIENT PAUSE 100000 WRITE", "+OK\r\n")]);
    let mut waiting = running.connect();
    waiting.send(&encode("SET a 1"));
    wait_until("it has come", || client.ask("CLIENT LIST").contains("cmd=set"));
    drop(waiting);
    wait_until("it is gone", || client.ask("CLIENT LIST").matches(" addr=").count() == 1);
    client.expect(&[("CLIENT UNPAUSE", "+OK\r\n"), ("EXISTS a", ":0\r\n")]);
}
