//! Connections that are refused. Each is told why in its own protocol, which its first bytes tell: so it is given a
//! moment to say something.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use tandem_wire::reply;
use tandem_wire::text::{Opening, TextFraming, recognise};

use crate::text;

/// How long a refused client may be silent.
const PATIENCE: Duration = Duration::from_millis(100);
/// Refused clients that are listened to at once; the others get the answer of RESP.
const MAX_WAITING: usize = 64;
/// Their tokens have this bit, which no slot of a connection has.
const BIT: usize = 1 << (usize::BITS - 2);

struct Refused {
    stream: TcpStream,
    reason: &'static str,
    until: Instant,
}

/// Connections that are being refused.
pub(crate) struct Doorstep {
    waiting: HashMap<usize, Refused>,
    next: usize,
    framing: TextFraming,
}

impl Doorstep {
    pub fn new(framing: TextFraming) -> Self {
        Self { waiting: HashMap::new(), next: 0, framing }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether an event with this token is about a refused connection.
    pub fn owns(token: Token) -> bool {
        token.0 & BIT != 0
    }

    /// Refuses a connection.
    pub fn refuse(&mut self, mut stream: TcpStream, reason: &'static str, registry: &Registry) {
        let number = self.next;
        self.next = (self.next + 1) % BIT;
        let full = self.waiting.len() >= MAX_WAITING;
        if full || registry.register(&mut stream, Token(number | BIT), Interest::READABLE).is_err() {
            return self.answer(stream, reason);
        }
        self.waiting.insert(number, Refused { stream, reason, until: Instant::now() + PATIENCE });
    }

    /// A refused client has said something, or is gone.
    pub fn hear(&mut self, token: Token) {
        if let Some(Refused { stream, reason, .. }) = self.waiting.remove(&(token.0 & !BIT)) {
            self.answer(stream, reason);
        }
    }

    /// Answers those who have been silent for too long.
    pub fn step(&mut self) {
        let now = Instant::now();
        let silent: Vec<Refused> = self.waiting.extract_if(|_, one| one.until <= now).map(|(_, one)| one).collect();
        silent.into_iter().for_each(|one| self.answer(one.stream, one.reason));
    }

    /// Answers everyone.
    pub fn clear(&mut self) {
        let all: Vec<Refused> = self.waiting.drain().map(|(_, one)| one).collect();
        all.into_iter().for_each(|one| self.answer(one.stream, one.reason));
    }

    fn answer(&self, mut stream: TcpStream, reason: &str) {
        // Bytes that are left unread would turn the close into a reset, on which an answer may be lost.
        let mut said = [0; 4096];
        let count = stream.read(&mut said).unwrap_or_default();
        let mut line = Vec::new();
        match recognise(&said[..count], self.framing) {
            Opening::Text => text::write(&mut line, text::Class::Other, reason, self.framing),
            Opening::Web => return,
            Opening::Resp | Opening::Undecided => reply::error(&mut line, format_args!("ERR {reason}")),
        }
        // A new socket takes one line at once; if it does not, the peer is gone.
        let _ = stream.write(&line);
    }
}
