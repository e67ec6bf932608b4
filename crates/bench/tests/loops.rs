//! Loads on a small server of a known behaviour: it counts what it gets, and can stop answering for a while.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tandem_bench::{Error, Length, Operation, Plan, Progress, Report, Target, Weight, run};
use tandem_wire::{Limits, Progress as Parsed, RequestParser};

/// Longer than a busy machine lets a request wait.
const STALL: Duration = Duration::from_secs(2);

/// A server that knows PING, AUTH and INFO, and answers `+OK` to anything else.
#[derive(Default)]
struct Peer {
    password: Option<&'static str>,
    /// The number of the request before which everything stops for [`STALL`]; 0: none.
    stall_at: u64,
    /// What is answered to GET.
    answer: &'static str,
    requests: AtomicU64,
    seen: Mutex<Vec<String>>,
    standing: Mutex<()>,
}

impl Peer {
    fn start(self) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let peer = Arc::new(self);
        let shared = Arc::clone(&peer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let peer = Arc::clone(&shared);
                std::thread::spawn(move || peer.serve(stream.unwrap()));
            }
        });
        (peer, address)
    }

    fn serve(&self, mut stream: TcpStream) {
        let (mut parser, mut input, mut known) = (RequestParser::default(), Vec::new(), self.password.is_none());
        let mut chunk = [0; 4096];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(count) => input.extend_from_slice(&chunk[..count]),
            }
            let mut done = 0;
            let mut out = Vec::new();
            while let Ok(Parsed::Complete { consumed }) = parser.parse(&input[done..], &Limits::default()) {
                let args = parser.args(&input[done..]);
                let words: Vec<&[u8]> = args.iter().collect();
                out.extend_from_slice(self.answer(&words, &mut known).as_bytes());
                done += consumed;
                parser.reset();
            }
            parser.reset();
            input.drain(..done);
            if stream.write_all(&out).is_err() {
                return;
            }
        }
    }

    fn answer(&self, words: &[&[u8]], known: &mut bool) -> &'static str {
        match words {
            [b"AUTH", word] => {
                *known = self.password.is_some_and(|password| password.as_bytes() == *word);
                if *known { "+OK\r\n" } else { "-WRONGPASS no\r\n" }
            }
            _ if !*known => "-NOAUTH first\r\n",
            [b"PING"] => "+PONG\r\n",
            [b"INFO", ..] => "$-1\r\n",
            _ => {
                let standing = self.standing.lock().unwrap();
                if self.requests.fetch_add(1, SeqCst) + 1 == self.stall_at {
                    std::thread::sleep(STALL);
                }
                drop(standing);
                let words: Vec<String> = words.iter().map(|word| word.escape_ascii().to_string()).collect();
                self.seen.lock().unwrap().push(words[..2].join(" "));
                if words[0] == "GET" { self.answer } else { "+OK\r\n" }
            }
        }
    }
}

fn plan(servers: &[(&str, &str)]) -> Plan {
    let target = |(name, address): &(&str, &str)| Target {
        name: (*name).into(),
        address: (*address).into(),
        pid: Some(std::process::id()),
        password: None,
    };
    Plan {
        servers: servers.iter().map(target).collect(),
        connections: 4,
        pipeline: 1,
        keys: 100,
        zipf: None,
        value_bytes: (8, 8),
        mix: vec![Weight { operation: Operation::Get, share: 1.0 }],
        rate: None,
        connects: None,
        length: Length::Requests(1000),
        rounds: 2,
        fill: false,
        seed: 1,
    }
}

fn measure(plan: &Plan) -> Report {
    run(plan, &Progress::default()).unwrap()
}

#[test]
fn a_closed_loop_sends_exactly_what_was_asked_for() {
    let (peer, address) = Peer { answer: "$1\r\nv\r\n", ..Peer::default() }.start();
    for pipeline in [1, 7] {
        let before = peer.requests.load(SeqCst);
        let report = measure(&Plan { pipeline, ..plan(&[("a", &address)]) });
        assert_eq!(peer.requests.load(SeqCst) - before, 3_000, "two rounds, and one that does not count");
        let server = &report.servers[0];
        assert_eq!(server.sum(|round| round.requests), 2_000);
        assert_eq!(server.sum(|round| round.errors + round.misses), 0);
        assert!(server.rate() > 0.0 && server.cpu_ns_per_request().unwrap() > 0.0);
        assert!(server.latency.p50 > 0 && server.latency.max >= server.latency.p9999);
    }
}

#[test]
fn filling_writes_every_key_once() {
    let (peer, address) = Peer { answer: "$-1\r\n", ..Peer::default() }.start();
    let report = measure(&Plan { fill: true, length: Length::Requests(1), ..plan(&[("a", &address)]) });
    let mut sets: Vec<String> =
        peer.seen.lock().unwrap().iter().filter(|one| one.starts_with("SET")).cloned().collect();
    sets.sort();
    assert_eq!(sets, (0..100).map(|number| format!("SET key:{number:012}")).collect::<Vec<_>>());
    assert_eq!(report.servers[0].sum(|round| round.misses), 2);
}

#[test]
fn servers_take_turns_with_the_same_requests() {
    let (first, one) = Peer { answer: "$1\r\nv\r\n", ..Peer::default() }.start();
    let (second, other) = Peer { answer: "-ERR of the other\r\n", ..Peer::default() }.start();
    let report = measure(&Plan { connections: 1, ..plan(&[("one", &one), ("other", &other)]) });
    assert_eq!(*first.seen.lock().unwrap(), *second.seen.lock().unwrap());
    assert_eq!(report.servers[0].first_error, None);
    assert_eq!(report.servers[1].first_error.as_deref(), Some("ERR of the other"));
    assert_eq!(report.servers[1].sum(|round| round.errors), 2_000);
}

/// The difference between the two loops: while a server stands still, a closed loop sends nothing and sees one slow
/// request a connection; an open loop counts everything that was due meanwhile.
#[test]
fn an_open_loop_counts_the_wait_of_what_was_due() {
    let stalled = || Peer { answer: "$1\r\nv\r\n", stall_at: 1_500, ..Peer::default() }.start().1;
    let slow = STALL.as_nanos() as u64 / 4;
    let closed = measure(&Plan { rounds: 1, ..plan(&[("a", &stalled())]) });
    assert!(closed.servers[0].latency.p99 < slow, "{:?}", closed.servers[0].latency);
    assert!(closed.servers[0].latency.max > slow, "{:?}", closed.servers[0].latency);

    let open = measure(&Plan { rounds: 1, rate: Some(2_000.0), ..plan(&[("a", &stalled())]) });
    assert!(open.servers[0].latency.p90 > slow, "{:?}", open.servers[0].latency);
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let (peer, address) = Peer { answer: "$1\r\nv\r\n", ..Peer::default() }.start();
    let length = Length::Time(Duration::from_millis(500));
    let report = measure(&Plan { rate: Some(1_000.0), rounds: 1, length, ..plan(&[("a", &address)]) });
    assert_eq!(peer.requests.load(SeqCst), 1_000, "500 in each of two rounds");
    assert!(report.servers[0].rate() < 1_050.0, "{}", report.servers[0].rate());
}

#[test]
fn connections_come_and_go_beside_a_load() {
    let (_peer, address) = Peer { answer: "$1\r\nv\r\n", ..Peer::default() }.start();
    let length = Length::Time(Duration::from_millis(500));
    let load = Plan { rate: Some(100.0), rounds: 1, length, ..plan(&[("a", &address)]) };
    assert_eq!(measure(&load).servers[0].connect_rate(), 0.0);

    let server = &measure(&Plan { connects: Some(200.0), ..load }).servers[0];
    assert_eq!((server.sum(|round| round.requests), server.sum(|round| round.errors)), (50, 0));
    let connects = server.sum(|round| round.connects);
    assert!((50..=110).contains(&connects), "{connects} in half a second, of 100 that were due");
    assert_eq!(server.sum(|round| round.unanswered_connects), 0);
}

#[test]
fn a_password_is_said_where_one_is_wanted() {
    let (_peer, address) = Peer { answer: "$1\r\nv\r\n", password: Some("secret"), ..Peer::default() }.start();
    let with = |password: Option<&str>| {
        let mut plan = plan(&[("a", &address)]);
        plan.servers[0].password = password.map(|word| word.as_bytes().to_vec());
        run(&plan, &Progress::default())
    };
    assert!(with(None).unwrap_err().to_string().contains("wants a password"));
    assert!(with(Some("wrong")).unwrap_err().to_string().contains("WRONGPASS"));
    assert!(with(Some("secret")).is_ok());
}

#[test]
fn failures_name_the_server() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let error = run(&plan(&[("gone", &closed)]), &Progress::default()).unwrap_err().to_string();
    assert!(error.starts_with("server gone: 127.0.0.1:"), "{error}");

    let (_peer, address) = Peer { answer: "no RESP\r\n", ..Peer::default() }.start();
    let error = run(&plan(&[("odd", &address)]), &Progress::default()).unwrap_err().to_string();
    assert_eq!(error, r"server odd: answers what is not RESP: 'no RESP\r\n'");
}

#[test]
fn a_run_can_be_cancelled() {
    let (_peer, address) = Peer { answer: "$1\r\nv\r\n", ..Peer::default() }.start();
    let plan = Plan { length: Length::Time(Duration::from_secs(3600)), ..plan(&[("a", &address)]) };
    let progress = Progress::default();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&plan, &progress));
        while progress.requests() == 0 {
            std::thread::yield_now();
        }
        progress.cancel();
        assert!(matches!(running.join().unwrap(), Err(Error::Cancelled)));
    });
}

#[test]
fn a_plan_out_of_range_is_refused() {
    let good = plan(&[("a", "127.0.0.1:1")]);
    let twice = plan(&[("a", "127.0.0.1:1"), ("a", "127.0.0.1:2")]);
    let weight = |share| vec![Weight { operation: Operation::Get, share }];
    for (bad, option) in [
        (Plan { servers: vec![], ..good.clone() }, "servers"),
        (twice, "servers"),
        (Plan { connections: 0, ..good.clone() }, "connections"),
        (Plan { connections: 10_001, ..good.clone() }, "connections"),
        (Plan { pipeline: 0, ..good.clone() }, "pipeline"),
        (Plan { keys: 0, ..good.clone() }, "keys"),
        (Plan { zipf: Some(-0.1), ..good.clone() }, "zipf"),
        (Plan { zipf: Some(f64::NAN), ..good.clone() }, "zipf"),
        (Plan { value_bytes: (2, 1), ..good.clone() }, "valueBytes"),
        (Plan { value_bytes: (0, 65 << 20), ..good.clone() }, "valueBytes"),
        (Plan { mix: vec![], ..good.clone() }, "mix"),
        (Plan { mix: weight(0.0), ..good.clone() }, "mix"),
        (Plan { mix: weight(f64::NAN), ..good.clone() }, "mix"),
        (Plan { rate: Some(0.0), ..good.clone() }, "rate"),
        (Plan { connects: Some(0.0), ..good.clone() }, "connects"),
        (Plan { connects: Some(f64::INFINITY), ..good.clone() }, "connects"),
        (Plan { length: Length::Requests(0), ..good.clone() }, "requests"),
        (Plan { length: Length::Time(Duration::ZERO), ..good.clone() }, "duration"),
        (Plan { rounds: 0, ..good.clone() }, "rounds"),
    ] {
        assert!(
            matches!(run(&bad, &Progress::default()), Err(Error::BadPlan { option: found, .. }) if found == option),
            "{option}"
        );
    }
}
