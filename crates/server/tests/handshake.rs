//! Commands about the connection and the server, in both protocols.

mod support;
use support::start;

#[test]
fn ping_and_echo() {
    let running = start();
    running.connect().expect(&[
        ("PING", "+PONG\r\n"),
        ("PING hello", "$5\r\nhello\r\n"),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"),
        ("ECHO hello", "$5\r\nhello\r\n"),
        ("ECHO", "-ERR wrong number of arguments for 'echo' command\r\n"),
    ]);
}

#[test]
fn unknown_commands_are_refused_in_the_words_of_redis() {
    let running = start();
    let long = "x".repeat(200);
    let shown = "x".repeat(128);
    running.connect().expect(&[
        ("FOO", "-ERR unknown command 'FOO', with args beginning with: \r\n"),
        ("FOO a b", "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' \r\n"),
        (&long, &format!("-ERR unknown command '{shown}', with args beginning with: \r\n")),
        (&format!("FOO {long} b"), &format!("-ERR unknown command 'FOO', with args beginning with: '{shown}' \r\n")),
        ("CLIENT NOPE", "-ERR unknown subcommand 'NOPE'. Try CLIENT HELP.\r\n"),
        ("CLIENT", "-ERR wrong number of arguments for 'client' command\r\n"),
        ("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command\r\n"),
    ]);
}

#[test]
fn hello_changes_the_protocol() {
    let running = start();
    let mut client = running.connect();
    let id = client.ask("CLIENT ID");
    let fields = |proto: u8| {
        format!(
            "$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:{proto}\r\n$2\r\nid\r\n{id}\
             $4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
        )
    };
    client.expect(&[
        ("HELLO", &format!("*14\r\n{}", fields(2))),
        ("GET no", "$-1\r\n"),
        ("HELLO 3", &format!("%7\r\n{}", fields(3))),
        ("GET no", "_\r\n"),
        ("CLIENT GETNAME", "_\r\n"),
        ("HELLO", &format!("%7\r\n{}", fields(3))),
        ("HELLO 4", "-NOPROTO unsupported protocol version\r\n"),
        ("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"),
        ("HELLO 2 WHAT", "-ERR Syntax error in HELLO option 'WHAT'\r\n"),
        ("HELLO 2 AUTH other secret", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
        ("GET no", "_\r\n"),
        ("HELLO 2 AUTH default any SETNAME me", &format!("*14\r\n{}", fields(2))),
        ("CLIENT GETNAME", "$2\r\nme\r\n"),
    ]);
}

#[test]
fn names_of_clients() {
    let running = start();
    let (mut one, mut two) = (running.connect(), running.connect());
    one.expect(&[
        ("CLIENT GETNAME", "$-1\r\n"),
        ("CLIENT SETNAME app-1", "+OK\r\n"),
        ("CLIENT GETNAME", "$5\r\napp-1\r\n"),
        ("CLIENT SETNAME a\nb", "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"),
        ("CLIENT SETNAME ''", "+OK\r\n"),
        ("CLIENT GETNAME", "$-1\r\n"),
        ("CLIENT SETINFO lib-name ioredis", "+OK\r\n"),
        ("CLIENT SETINFO LIB-VER 5.0.0", "+OK\r\n"),
        ("CLIENT SETINFO LIB-X 5.0.0", "-ERR Unrecognized option 'LIB-X'\r\n"),
    ]);
    assert_ne!(one.ask("CLIENT ID"), two.ask("CLIENT ID"));
}

#[test]
fn replies_can_be_turned_off() {
    let running = start();
    let mut client = running.connect();
    client.send(b"CLIENT REPLY SKIP\r\nPING\r\nECHO 1\r\n");
    client.receive(b"$1\r\n1\r\n");
    client.send(b"CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nNOSUCH\r\nECHO 2\r\n");
    client.receive(b"$1\r\n2\r\n");
    client.send(b"CLIENT REPLY OFF\r\nSET k v\r\nCLIENT REPLY SKIP\r\nGET k\r\nNOSUCH\r\nCLIENT REPLY ON\r\nGET k\r\n");
    client.receive(b"+OK\r\n$1\r\nv\r\n");
    client.send(b"CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nGET k\r\n");
    client.receive(b"+OK\r\n$1\r\nv\r\n");
    client.expect(&[("CLIENT REPLY maybe", "-ERR syntax error\r\n")]);
}

#[test]
fn authentication_without_a_password() {
    let running = start();
    running.connect().expect(&[
        (
            "AUTH secret",
            "-ERR AUTH <password> called without any password configured for the default user. Are you sure your \
             configuration is correct?\r\n",
        ),
        ("AUTH default secret", "+OK\r\n"),
        ("AUTH other secret", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
        ("AUTH a b c", "-ERR syntax error\r\n"),
    ]);
}

#[test]
fn config_get_knows_a_few() {
    let running = start();
    running.connect().expect(&[
        ("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
        ("CONFIG GET MAXMEMORY", "*2\r\n$9\r\nmaxmemory\r\n$8\r\n67108864\r\n"),
        ("CONFIG GET append* datab*", "*4\r\n$10\r\nappendonly\r\n$2\r\nno\r\n$9\r\ndatabases\r\n$2\r\n16\r\n"),
        ("CONFIG GET nothing", "*0\r\n"),
        ("CONFIG GET", "-ERR wrong number of arguments for 'config|get' command\r\n"),
        (
            "CONFIG SET save x",
            "-ERR CONFIG SET failed (possibly related to argument 'save') - can't set immutable config\r\n",
        ),
    ]);
}

/// The value of a line of INFO.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

#[test]
fn info_tells_the_truth() {
    let running = start();
    let mut client = running.connect();
    let before = client.ask("INFO");
    client.expect(&[
        ("SET a 1", "+OK\r\n"),
        ("GET a", "$1\r\n1\r\n"),
        ("GET b", "$-1\r\n"),
        ("SET e 1 PX 5", "+OK\r\n"),
    ]);
    running.clock.advance(5);
    client.expect(&[("GET e", "$-1\r\n")]);
    let _second = running.connect();
    running.connect().expect(&[("PING", "+PONG\r\n")]);
    let after = client.ask("INFO");
    let grew = |name| field(&after, name) - field(&before, name);
    assert_eq!(grew("keyspace_hits"), 1);
    assert_eq!(grew("keyspace_misses"), 2);
    assert_eq!(grew("expired_keys"), 1);
    assert_eq!(grew("total_connections_received"), 2);
    assert!(grew("total_commands_processed") >= 5);
    assert!(grew("total_net_input_bytes") > 100);
    assert!(field(&after, "connected_clients") >= 2);
    assert_eq!(field(&after, "loading"), 0);
    assert_eq!(field(&after, "maxmemory"), 64 << 20);
    assert_eq!(field(&after, "used_memory"), running.cache.stats().bytes);
    assert!(after.contains("redis_version:7.0.15\r\n") && after.contains("db0:keys=1,"));
}

#[test]
fn info_by_section() {
    let running = start();
    let mut client = running.connect();
    let reply = client.ask("INFO cluster");
    assert_eq!(reply, "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
    let reply = client.ask("INFO CPU keyspace");
    assert!(reply.contains("# CPU\r\n") && reply.contains("# Keyspace\r\n") && !reply.contains("# Server"));
    assert_eq!(client.ask("INFO nonsense"), "$0\r\n\r\n");
    client.ask("HELLO 3");
    assert_eq!(client.ask("INFO cluster"), "=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n");
}

#[test]
fn commands_describe_themselves() {
    let running = start();
    let mut client = running.connect();
    let get = "*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n\
               *3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*0\r\n*0\r\n";
    client.expect(&[
        ("COMMAND INFO get nosuch", &format!("*2\r\n{get}$-1\r\n")),
        ("COMMAND DOCS nosuch", "*0\r\n"),
        (
            "COMMAND DOCS GET",
            "*2\r\n$3\r\nget\r\n*8\r\n$7\r\nsummary\r\n$22\r\nGet the value of a key\r\n$5\r\nsince\r\n$5\r\n1.0.0\r\n\
             $5\r\ngroup\r\n$6\r\nstring\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n",
        ),
    ]);
    let count = client.ask("COMMAND COUNT");
    let all = client.ask("COMMAND");
    assert_eq!(all.split("\r\n").next().unwrap().trim_start_matches('*'), count.trim_start_matches(':').trim_end());
    assert_eq!(client.ask("COMMAND INFO"), all);
    assert!(client.ask("COMMAND INFO client|id").starts_with("*1\r\n*10\r\n$9\r\nclient|id\r\n:2\r\n"));
    assert!(all.contains("$14\r\nclient|setname\r\n"));
    client.ask("HELLO 3");
    assert!(client.ask("COMMAND DOCS config").starts_with("%1\r\n$6\r\nconfig\r\n%5\r\n"));
    assert!(client.ask("COMMAND INFO get").contains("~2\r\n+readonly\r\n"));
}
