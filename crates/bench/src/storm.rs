//! Connections that come and go beside a load.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use socket2::SockRef;

use crate::plan::Target;
use crate::{Error, Result};

/// What each of them says.
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
/// Time between two looks at what is due, and at who has been answered.
const STEP: Duration = Duration::from_millis(1);
/// How long one of them waits for its answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Those that wait at once, at most: what is due beyond them is opened later.
const MAX_WAITING: usize = 1_000;

/// What has become of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Visits {
    pub opened: u64,
    /// Refused, cut, or left without an answer for [`PATIENCE`].
    pub unanswered: u64,
}

/// A thread that opens connections at a fixed rate. Half of them say PING, wait for the answer and close; the others say
/// it and are gone at once, as clients are that crash: their peer's answer meets a reset.
pub(crate) struct Storm {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Visits>,
}

/// One that waits.
struct Visitor {
    stream: TcpStream,
    since: Instant,
    has_asked: bool,
    /// It does not wait for the answer.
    leaves: bool,
}

impl Storm {
    /// Begins; `rate`: connections a second.
    pub fn start(target: &Target, rate: f64) -> Result<Self> {
        let fail = |error: io::Error| Error::server(&target.name, format!("{} {error}", target.address));
        let none = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
        let address = target.address.to_socket_addrs().and_then(|mut all| all.next().ok_or_else(none)).map_err(fail)?;
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let thread = std::thread::Builder::new()
            .name("tandem-storm".into())
            .spawn(move || blow(address, rate, &seen))
            .map_err(fail)?;
        Ok(Self { over, thread })
    }

    /// Ends; who still waits then counts as neither answered nor unanswered.
    pub fn end(self) -> Visits {
        self.over.store(true, Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn blow(address: SocketAddr, rate: f64, over: &AtomicBool) -> Visits {
    let begun = Instant::now();
    let mut visits = Visits::default();
    let mut waiting: VecDeque<Visitor> = VecDeque::new();
    while !over.load(Relaxed) {
        let due = (begun.elapsed().as_secs_f64() * rate) as u64;
        while visits.opened < due && waiting.len() < MAX_WAITING {
            visits.opened += 1;
            match Visitor::open(address, visits.opened.is_multiple_of(2)) {
                Ok(visitor) => waiting.push_back(visitor),
                Err(_) => visits.unanswered += 1,
            }
        }
        waiting.retain_mut(|visitor| match visitor.go_on() {
            Ok(is_done) => !is_done,
            Err(_) => {
                visits.unanswered += 1;
                false
            }
        });
        std::thread::sleep(STEP);
    }
    visits
}

impl Visitor {
    fn open(address: SocketAddr, leaves: bool) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        if leaves {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        }
        Ok(Self { stream, since: Instant::now(), has_asked: false, leaves })
    }

    /// Says what it has to say, or hears the answer; whether that was all.
    fn go_on(&mut self) -> io::Result<bool> {
        let step = if self.has_asked {
            // One byte of an answer is an answer.
            self.stream.read(&mut [0; 64]).and_then(|count| match count {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(true),
            })
        } else {
            self.stream.write(PING).map(|_| {
                self.has_asked = true;
                self.leaves
            })
        };
        match step {
            // Not connected yet, or nothing to read.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => {
                if self.since.elapsed() > PATIENCE { Err(error) } else { Ok(false) }
            }
            other => other,
        }
    }
}
