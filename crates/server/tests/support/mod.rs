//! A real server on a free port of the loopback address, and a client that shows the bytes as they come.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem_engine::{Cache, ManualClock, Options};
use tandem_server::{ClientLimits, Server, ServerOptions};

/// Where the injected clock begins, in milliseconds since the Unix epoch.
pub const START_MS: u64 = 1_700_000_000_000;

/// Longer than anything takes on however slow a machine: only what hangs is to be told by it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long a client may be silent in tests of that: too long for one that talks to be taken for silent, on a machine
/// that runs neither it nor the server for a while.
pub const IDLE: Duration = Duration::from_secs(2);

/// A server with a cache of its own and a clock that stands.
pub struct Running {
    pub server: Server,
    pub cache: Arc<Cache>,
    pub clock: Arc<ManualClock>,
}

/// Starts a server with one loop.
pub fn start() -> Running {
    start_with(1, ClientLimits::default())
}

/// Starts a server with these loops and limits.
pub fn start_with(threads: usize, limits: ClientLimits) -> Running {
    start_server(ServerOptions { threads, limits, ..ServerOptions::default() })
}

/// Starts a server with these options, on a free port.
pub fn start_server(options: ServerOptions) -> Running {
    let clock = Arc::new(ManualClock::new(START_MS));
    let engine = Options { max_bytes: 64 << 20, clock: Arc::clone(&clock) as _, ..Options::default() };
    let cache = Arc::new(Cache::new(engine).unwrap());
    let server = Server::start(Arc::clone(&cache), ServerOptions { port: 0, ..options }).unwrap();
    Running { server, cache, clock }
}

/// Waits until `condition` holds; fails after [`PATIENCE`].
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

impl Running {
    pub fn connect(&self) -> Client {
        Client::connect(&self.server)
    }
}

/// A connection that speaks in words and shows replies as raw bytes.
pub struct Client {
    pub stream: TcpStream,
}

/// Runs a script without keys.
pub fn eval(client: &mut Client, script: &str) -> String {
    String::from_utf8_lossy(&client.ask_bytes(&encode_parts(&[b"EVAL", script.as_bytes(), b"0"]))).into_owned()
}

/// Encodes a request given as words separated by single spaces; `''` is an empty word.
pub fn encode(words: &str) -> Vec<u8> {
    let words: Vec<&[u8]> = words.split(' ').map(|word| if word == "''" { b"" } else { word.as_bytes() }).collect();
    encode_parts(&words)
}

/// Encodes a request of any bytes.
pub fn encode_parts(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
    out
}

impl Client {
    pub fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.local_addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// Sends a request and returns its whole reply: all that comes before the reply to an ECHO sent behind it.
    pub fn ask(&mut self, words: &str) -> String {
        String::from_utf8_lossy(&self.ask_bytes(&encode(words))).into_owned()
    }

    /// The same with bytes that are already encoded.
    pub fn ask_bytes(&mut self, request: &[u8]) -> Vec<u8> {
        let echo = encode("ECHO <the-marker>");
        let marker = b"$12\r\n<the-marker>\r\n";
        self.stream.write_all(&[request, &echo].concat()).unwrap();
        let mut seen = Vec::new();
        let mut chunk = [0; 65536];
        while !seen.ends_with(marker) {
            let count = self.stream.read(&mut chunk).unwrap();
            assert!(count > 0, "the server closed after {:?}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&chunk[..count]);
        }
        seen.truncate(seen.len() - marker.len());
        seen
    }

    /// Asserts the reply to each request.
    pub fn expect(&mut self, dialogue: &[(&str, &str)]) {
        for (words, reply) in dialogue {
            assert_eq!(self.ask(words), *reply, "{words}");
        }
    }

    /// The same without a request behind each: for clients that may not send any other.
    pub fn converse(&mut self, dialogue: &[(&str, &str)]) {
        for (words, reply) in dialogue {
            self.send(&encode(words));
            self.receive(reply.as_bytes());
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends what the server takes: it may have closed the connection.
    pub fn try_send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads exactly what is expected and asserts it.
    pub fn receive(&mut self, expected: &[u8]) {
        let mut seen = vec![0; expected.len()];
        self.stream.read_exact(&mut seen).unwrap();
        assert_eq!(String::from_utf8_lossy(&seen), String::from_utf8_lossy(expected));
    }

    /// Reads up to `end`, and returns what comes before it.
    pub fn receive_until(&mut self, end: &[u8]) -> Vec<u8> {
        let (mut seen, mut byte) = (Vec::new(), [0]);
        while !seen.ends_with(end) {
            self.stream.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        seen.truncate(seen.len() - end.len());
        seen
    }

    /// The reply to `CLIENT ID`.
    pub fn id(&mut self) -> String {
        self.ask("CLIENT ID")
    }

    /// Reads until the server closes.
    pub fn receive_all(&mut self) -> Vec<u8> {
        let mut seen = Vec::new();
        match self.stream.read_to_end(&mut seen) {
            Ok(_) => {}
            // Our own unread bytes may turn the server's close into a reset.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{error}"),
        }
        seen
    }
}
