//! What a server tells of itself: statistics, slow requests, configuration.

mod support;

use std::time::Duration;

use support::{Client, PATIENCE, Running, encode, start, start_with};
use tandem_server::ClientLimits;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

/// The value of a field of `INFO section`.
fn field(running: &Running, section: &str, name: &str) -> Option<String> {
    let text = running.connect().ask(&format!("INFO {section}"));
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.to_owned()))
}

/// A number in a field such as `calls=3,usec=4`.
fn part(field: &str, name: &str) -> f64 {
    let value = field.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("{name} in {field}")).parse().unwrap()
}

/// Sends requests one at a time: the time of one in a pipeline is only taken now and then.
fn say(client: &mut Client, dialogue: &[(&str, &str)]) {
    for (words, reply) in dialogue {
        client.send(&encode(words));
        client.receive(reply.as_bytes());
    }
}

#[test]
fn commands_are_counted_over_all_loops() {
    let running = start_with(2, ClientLimits::default());
    // Two connections in turn, so that both loops have one.
    let (mut one, mut other) = (running.connect(), running.connect());
    for client in [&mut one, &mut other] {
        say(client, &[("SET k v", "+OK\r\n"), ("GET k", "$1\r\nv\r\n")]);
        client.ask("INCR k");
        client.ask("GET k k");
        client.ask("CLIENT ID");
        client.ask("NONE");
    }
    let stat = |name: &str| field(&running, "commandstats", &format!("cmdstat_{name}"));
    let get = stat("get").unwrap();
    assert_eq!((part(&get, "calls"), part(&get, "rejected_calls"), part(&get, "failed_calls")), (2.0, 2.0, 0.0));
    let incr = stat("incr").unwrap();
    assert_eq!((part(&incr, "calls"), part(&incr, "failed_calls")), (2.0, 2.0));
    assert_eq!(part(&stat("client|id").unwrap(), "calls"), 2.0);
    assert_eq!(stat("del"), None);
    assert!(part(&get, "usec_per_call") < 1e6 && part(&get, "usec") >= 0.0, "{get}");
    let latency = field(&running, "latencystats", "latency_percentiles_usec_set").unwrap();
    assert!(part(&latency, "p50") > 0.0 && part(&latency, "p99.9") >= part(&latency, "p50"), "{latency}");
    // Two of GET, two of INCR, two of NONE.
    assert_eq!(field(&running, "errorstats", "errorstat_ERR").unwrap(), "count=6");
    assert_eq!(field(&running, "stats", "total_error_replies").unwrap(), "6");

    assert_eq!(one.ask("CONFIG RESETSTAT"), "+OK\r\n");
    assert_eq!((stat("get"), field(&running, "errorstats", "errorstat_ERR")), (None, None));
}

#[test]
fn a_pipeline_counts_every_request() {
    let running = start();
    let mut client = running.connect();
    client.ask_bytes(&b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".repeat(1_000));
    let get = field(&running, "commandstats", "cmdstat_get").unwrap();
    assert_eq!(part(&get, "calls"), 1_000.0);
}

#[test]
fn long_sections_come_only_where_they_are_asked_for() {
    let running = start();
    let mut client = running.connect();
    say(&mut client, &[("PING", "+PONG\r\n")]);
    for (words, has) in [("INFO", false), ("INFO default", false), ("INFO all", true), ("INFO everything", true)] {
        let text = client.ask(words);
        assert_eq!(text.contains("# Commandstats\r\n") && text.contains("# Latencystats\r\n"), has, "{words}");
        assert!(text.contains("# Tandem\r\n") && text.contains("\r\nmem_fragmentation_ratio:"), "{words}");
    }
}

#[test]
fn slow_requests_are_kept() {
    let running = start();
    let mut client = running.connect();
    let ok = "+OK\r\n";
    let (on, off) = ("CONFIG SET slowlog-log-slower-than 0", "CONFIG SET slowlog-log-slower-than -1");
    say(
        &mut client,
        &[
            ("SLOWLOG LEN", ":0\r\n"),
            ("CLIENT SETNAME me", ok),
            (on, ok),
            ("SET k v", ok),
            ("SLOWLOG RESET", ok),
            (off, ok),
        ],
    );
    let kept = client.ask("SLOWLOG GET");
    // The reset itself, but not the change that ends it: each with id, time, duration, arguments, peer and name.
    assert!(kept.starts_with("*1\r\n*6\r\n:"), "{kept}");
    assert!(kept.contains("\r\n*2\r\n$7\r\nSLOWLOG\r\n$5\r\nRESET\r\n"), "{kept}");
    assert!(kept.ends_with("$2\r\nme\r\n"), "{kept}");
    assert_eq!(client.ask("SLOWLOG GET 0"), "*0\r\n");
    say(
        &mut client,
        &[("SLOWLOG LEN", ":1\r\n"), ("SLOWLOG RESET", ok), ("CONFIG SET slowlog-max-len 2", ok), (on, ok)],
    );
    say(&mut client, &[(&format!("GET {}", "k".repeat(200)), "$-1\r\n")]);
    let many: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    say(&mut client, &[(&format!("EXISTS {}", many.join(" ")), ":0\r\n"), (off, ok)]);
    let kept = client.ask("SLOWLOG GET -1");
    assert!(kept.starts_with("*2\r\n"), "{kept}");
    assert!(kept.contains("*32\r\n$6\r\nEXISTS\r\n") && kept.contains("... (10 more arguments)"), "{kept}");
    assert!(kept.contains("kkk... (72 more bytes)"), "{kept}");
    say(&mut client, &[(on, ok), ("PING", "+PONG\r\n"), ("PING", "+PONG\r\n"), (off, ok)]);
    assert_eq!(client.ask("SLOWLOG LEN"), ":2\r\n", "the oldest has gone");
}

#[test]
fn long_requests_of_a_pipeline_are_all_kept_where_they_are_slow() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 1000", "+OK\r\n")]);
    client.send(&encode(&format!("SET k {}", "x".repeat(5_000))).repeat(20));
    client.receive("+OK\r\n".repeat(20).as_bytes());
    client.expect(&[("CONFIG SET slowlog-log-slower-than -1", "+OK\r\n")]);
    let kept = client.ask("SLOWLOG GET -1");
    assert_eq!(kept.matches("\r\n$3\r\nSET\r\n$1\r\nk\r\n").count(), 20, "{kept}");
}

#[test]
fn configuration_is_changed_as_a_whole_or_not_at_all() {
    let running = start();
    let mut client = running.connect();
    let failed = |name: &str, reason: &str| {
        format!("-ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}\r\n")
    };
    client.expect(&[
        ("CONFIG SET maxmemory 32mb slowlog-max-len 7", "+OK\r\n"),
        ("CONFIG GET slowlog-max-len", "*2\r\n$15\r\nslowlog-max-len\r\n$1\r\n7\r\n"),
        ("CONFIG GET maxmemory", "*2\r\n$9\r\nmaxmemory\r\n$8\r\n33554432\r\n"),
        ("CONFIG SET appendonly NO save ''", "+OK\r\n"),
        ("CONFIG SET none 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'none'\r\n"),
        ("CONFIG SET slowlog-max-len 8 save", "-ERR wrong number of arguments for 'config|set' command\r\n"),
        ("CONFIG SET slowlog-max-len 8 port 1", &failed("port", "can't set immutable config")),
        ("CONFIG SET slowlog-max-len x", &failed("slowlog-max-len", "argument couldn't be parsed into an integer")),
        ("CONFIG SET slowlog-max-len 8 SLOWLOG-MAX-LEN 9", &failed("slowlog-max-len", "duplicate parameter")),
        ("CONFIG SET maxmemory lots", &failed("maxmemory", "argument must be a memory value")),
        ("CONFIG SET maxmemory -1", &failed("maxmemory", "argument must be a memory value")),
        (
            "CONFIG SET slowlog-log-slower-than -2",
            &failed("slowlog-log-slower-than", "argument must be between -1 and 9223372036854775807 inclusive"),
        ),
        ("CONFIG GET slowlog-max-len", "*2\r\n$15\r\nslowlog-max-len\r\n$1\r\n7\r\n"),
    ]);
    assert!(client.ask("CONFIG SET maxmemory 1").contains("maxBytes"));
    assert_eq!(running.cache.stats().max_bytes, 32 << 20);
}

#[test]
fn latencies_are_told_as_powers_of_two() {
    let running = start();
    let mut client = running.connect();
    say(&mut client, &[("GET k", "$-1\r\n")]);
    let text = client.ask("LATENCY HISTOGRAM get none");
    assert!(text.starts_with("*2\r\n$3\r\nget\r\n*4\r\n$5\r\ncalls\r\n:1\r\n"), "{text}");
    assert!(text.contains("$14\r\nhistogram_usec\r\n*"), "{text}");
    client.ask("CONFIG RESETSTAT");
    client.expect(&[
        ("LATENCY HISTOGRAM get", "*0\r\n"),
        ("LATENCY LATEST", "*0\r\n"),
        ("LATENCY HISTORY command", "*0\r\n"),
        ("LATENCY RESET command", ":0\r\n"),
    ]);
    assert!(client.ask("LATENCY DOCTOR").contains("latency|latest: "));
}

#[test]
fn whoever_watches_from_outside_is_told() {
    let running = start_with(3, ClientLimits::default());
    assert!(running.server.answers(PATIENCE));
    let mut client = running.connect();
    // On a busy machine any request may be slow, unless none is called so.
    say(&mut client, &[("CONFIG SET slowlog-log-slower-than -1", "+OK\r\n")]);
    say(&mut client, &[("SET k v", "+OK\r\n"), ("HGET k f", WRONG_TYPE)]);
    let commands = running.server.commands();
    let of = |name: &str| commands.iter().find(|one| one.name == name).unwrap();
    let (set, hget) = (of("set"), of("hget"));
    assert_eq!((set.calls, set.failed, hget.calls, hget.failed), (1, 0, 1, 1));
    let longest = tandem_server::DURATION_BOUNDS_NS.iter().rposition(|&bound| bound <= set.ns);
    let shorter: Vec<u64> = set.shorter.to_vec();
    assert!(shorter.is_sorted() && shorter[longest.map_or(0, |place| place + 2)..].iter().all(|&count| count == 1));
    assert_eq!(running.server.errors().into_iter().collect::<Vec<_>>(), [("WRONGTYPE".to_owned(), 1)]);
    let stats = running.server.stats();
    assert_eq!((stats.panics, stats.slow_requests), (0, 0));
    running.server.stop(Duration::ZERO);
    assert!(!running.server.answers(Duration::from_millis(10)), "loops that have ended cannot answer");
}

#[test]
fn memory_is_accounted_for() {
    let running = start();
    let mut client = running.connect();
    client.ask("SET k v");
    let text = client.ask("MEMORY STATS");
    assert!(text.contains("$10\r\nkeys.count\r\n:1\r\n") && text.contains("$13\r\ndataset.bytes\r\n:"), "{text}");
    assert!(client.ask("MEMORY DOCTOR").starts_with('$'));
    client.ask("HELLO 3");
    assert!(client.ask("MEMORY STATS").starts_with('%'));
    assert!(client.ask("MEMORY DOCTOR").contains("\r\ntxt:"));
}

#[test]
fn a_client_cannot_end_another_program() {
    let running = start();
    let mut client = running.connect();
    client.expect(&[
        ("ACL WHOAMI", "$7\r\ndefault\r\n"),
        ("SHUTDOWN later", "-ERR syntax error\r\n"),
        ("SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n"),
        (
            "SHUTDOWN NOSAVE NOW",
            "-ERR this server is a part of another program; it is closed there, not by SHUTDOWN\r\n",
        ),
    ]);
    say(&mut client, &[("MULTI", "+OK\r\n"), ("SHUTDOWN", "-ERR Command not allowed inside a transaction\r\n")]);
    running.server.stop(Duration::ZERO);
}

#[test]
fn every_entry_knows_what_it_takes() {
    let running = start();
    let mut client = running.connect();
    let usage = |client: &mut Client, key: &str| -> u64 {
        let reply = client.ask(&format!("MEMORY USAGE {key}"));
        reply.strip_prefix(':').unwrap_or_else(|| panic!("{reply}")).trim_end().parse().unwrap()
    };
    client.ask("SET small v");
    client.ask(&format!("SET large {}", "x".repeat(1 << 20)));
    for field in 0..1_000 {
        client.ask(&format!("HSET hash field-{field} {}", "y".repeat(100)));
    }
    let (small, large, hash) = (usage(&mut client, "small"), usage(&mut client, "large"), usage(&mut client, "hash"));
    assert!((16..=64).contains(&small), "{small}");
    // Compressible, but larger than the record of any small entry.
    assert!(large > 1_000 && large < (1 << 20) + (64 << 10), "{large}");
    assert!((100_000..300_000).contains(&hash), "{hash}");

    // Together they are what the cache holds, but for tables that are there without any entry.
    let stats = running.cache.stats();
    assert!(small + large + hash <= stats.bytes, "{} {}", small + large + hash, stats.bytes);
    say(
        &mut client,
        &[
            ("MEMORY USAGE none", "$-1\r\n"),
            ("MEMORY USAGE none SAMPLES 0", "$-1\r\n"),
            ("MEMORY USAGE none SAMPLES", "-ERR syntax error\r\n"),
            ("MEMORY USAGE none SAMPLES -1", "-ERR syntax error\r\n"),
            ("MEMORY USAGE none SAMPLES x", "-ERR value is not an integer or out of range\r\n"),
            ("MEMORY USAGE none samples 1 more", "-ERR syntax error\r\n"),
            ("MEMORY USAGE", "-ERR wrong number of arguments for 'memory|usage' command\r\n"),
            ("MEMORY PURGE", "+OK\r\n"),
        ],
    );
    client.ask("HELLO 3");
    say(&mut client, &[("MEMORY USAGE none", "_\r\n"), ("SELECT 1", "+OK\r\n"), ("MEMORY USAGE small", "_\r\n")]);
}

#[test]
fn rates_and_blocked_clients_are_told() {
    let running = start();
    let mut client = running.connect();
    assert_eq!(field(&running, "clients", "blocked_clients").unwrap(), "0");
    let mut holder = running.connect();
    holder.ask("TANDEM.LEASE k");
    client.send(&encode("TANDEM.LEASE k"));
    support::wait_until("the client is blocked", || field(&running, "clients", "blocked_clients").unwrap() == "1");
    assert!(running.connect().ask("CLIENT LIST").contains(" flags=b "));
    assert!(field(&running, "stats", "instantaneous_ops_per_sec").unwrap().parse::<u64>().is_ok());
    assert!(field(&running, "memory", "total_system_memory").unwrap().parse::<u64>().unwrap() > 1 << 24);
    drop(holder);
    client.receive(b"*2\r\n$3\r\nWON\r\n");
}

#[test]
fn keys_that_expire_are_counted_and_in_many_estimated() {
    let running = start();
    let mut client = running.connect();
    let database = |name: &str| field(&running, "keyspace", name).unwrap();
    for key in 0..30 {
        client.ask(&format!("SET k{key} v EX 1000"));
    }
    client.ask("MSET a v b v");
    let few = database("db0");
    assert_eq!((part(&few, "keys"), part(&few, "expires")), (32.0, 30.0));
    assert!((900_000.0..=1_000_000.0).contains(&part(&few, "avg_ttl")), "{few}");

    for key in 0..20_000 {
        client.send(&encode(&format!("SET m{key} v{}", if key % 4 == 0 { " PX 500000" } else { "" })));
    }
    client.receive("+OK\r\n".repeat(20_000).as_bytes());
    let many = database("db0");
    assert_eq!(part(&many, "keys"), 20_032.0);
    assert!((4_000.0..6_000.0).contains(&part(&many, "expires")), "{many}");

    // Once there are several databases all keys are looked at.
    say(&mut client, &[("SELECT 1", "+OK\r\n"), ("SET k v EX 1000", "+OK\r\n")]);
    assert_eq!(part(&database("db0"), "expires"), 5_030.0);
    assert_eq!(part(&database("db1"), "expires"), 1.0);
}

#[test]
fn requests_of_the_text_protocol_are_counted() {
    let running = start();
    let mut client = running.connect();
    client.send(b"set||k||v\nget||k\nget||none\ndel||k\nauth||any\nnone||\nexit\n");
    client.receive_all();
    say(&mut running.connect(), &[("HSET h f v", ":1\r\n")]);
    let mut client = running.connect();
    client.send(b"get||h\nexit\n");
    client.receive_all();
    let stat = |name: &str| field(&running, "commandstats", &format!("cmdstat_{name}")).unwrap();
    for (name, calls, failed) in [("set", 1.0, 0.0), ("get", 3.0, 1.0), ("del", 1.0, 0.0), ("auth", 1.0, 0.0)] {
        let stat = stat(name);
        assert_eq!((part(&stat, "calls"), part(&stat, "failed_calls")), (calls, failed), "{name}: {stat}");
    }
}
