//! One load on one server.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};

use crate::figures::RoundFigures;
use crate::link::{Link, process_of};
use crate::plan::{Length, Target};
use crate::process::{cpu_ns, own_thread_ns};
use crate::progress::Progress;
use crate::replies::Reply;
use crate::storm::Storm;
use crate::{Error, Result};

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// Events taken from the system at once.
const EVENTS: usize = 1024;
/// How long a server may answer nothing at all.
const STALLED: Duration = Duration::from_secs(30);
/// Longest sleep: cancelling is noticed after it.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// The system sleeps in whole milliseconds; a request due earlier is waited for awake.
const SHORTEST_WAIT: Duration = Duration::from_millis(2);

/// The connections to one server.
pub(crate) struct Pool {
    pub name: String,
    target: Target,
    pid: Option<u32>,
    poll: Poll,
    links: Vec<Link>,
    buffer: Box<[u8]>,
}

/// What a load sends, and when.
pub(crate) struct Load {
    pub pipeline: usize,
    pub rate: Option<f64>,
    pub connects: Option<f64>,
    pub length: Length,
}

/// What a load has found out, beside the figures.
pub(crate) struct Record<'a> {
    pub latencies: &'a mut Histogram<u64>,
    pub first_error: &'a mut Option<String>,
    pub progress: &'a Progress,
}

/// A load that runs.
struct Running<'a> {
    load: &'a Load,
    begun: Instant,
    /// Requests sent and answered so far.
    sent: u64,
    answered: u64,
    errors: u64,
    misses: u64,
    /// The link that gets the next request of an open loop.
    next_link: usize,
}

impl Pool {
    /// Opens the connections.
    pub fn connect(target: &Target, connections: usize) -> Result<Self> {
        let system = |error: io::Error| Error::server(&target.name, format!("the system refused: {error}"));
        let poll = Poll::new().map_err(system)?;
        let mut links = Vec::with_capacity(connections);
        for number in 0..connections {
            let mut link = Link::open(target)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut link.stream, Token(number), interest).map_err(system)?;
            links.push(link);
        }
        let pid = target.pid.or_else(|| process_of(target));
        Ok(Self {
            name: target.name.clone(),
            target: target.clone(),
            pid,
            poll,
            links,
            buffer: vec![0; READ_BYTES].into(),
        })
    }

    /// Runs a load to its end. `write` appends the next request.
    pub fn run(
        &mut self,
        load: &Load,
        record: Record<'_>,
        mut write: impl FnMut(&mut Vec<u8>),
    ) -> Result<RoundFigures> {
        let cpu = |pid: Option<u32>| pid.and_then(cpu_ns);
        let storm = load.connects.map(|rate| Storm::start(&self.target, rate)).transpose()?;
        let (cpu_before, own_before) = (cpu(self.pid), own_thread_ns());
        let mut running =
            Running { load, begun: Instant::now(), sent: 0, answered: 0, errors: 0, misses: 0, next_link: 0 };
        let driven = self.drive(&mut running, record, &mut write);
        let visits = storm.map(Storm::end).unwrap_or_default();
        driven?;
        let since = |before: Option<u64>, now: Option<u64>| Some(now?.saturating_sub(before?));
        Ok(RoundFigures {
            requests: running.answered,
            errors: running.errors,
            misses: running.misses,
            seconds: running.begun.elapsed().as_secs_f64(),
            connects: visits.opened,
            unanswered_connects: visits.unanswered,
            cpu_ns: since(cpu_before, cpu(self.pid)),
            client_cpu_ns: since(own_before, own_thread_ns()),
        })
    }

    fn drive(
        &mut self,
        running: &mut Running<'_>,
        mut record: Record<'_>,
        write: &mut impl FnMut(&mut Vec<u8>),
    ) -> Result<()> {
        let name = self.name.clone();
        let fail = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::server(&name, "closed a connection during the load"),
            _ => Error::server(&name, error),
        };
        if running.load.rate.is_none() {
            for link in &mut self.links {
                running.send_batch(link, write).map_err(fail)?;
            }
        }
        let mut events = Events::with_capacity(EVENTS);
        let mut heard = Instant::now();
        loop {
            if running.load.rate.is_some() {
                running.send_due(&mut self.links, write).map_err(fail)?;
            }
            if running.is_over() {
                return Ok(());
            }
            match self.poll.poll(&mut events, Some(running.timeout())) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(fail(error)),
                _ => {}
            }
            let before = running.answered;
            for event in &events {
                let link = &mut self.links[event.token().0];
                if event.is_writable() && !link.out.is_empty() {
                    link.flush().map_err(fail)?;
                }
                if event.is_readable() {
                    running.receive(link, &mut self.buffer, &mut record).map_err(fail)?;
                    if running.load.rate.is_none() && link.due.is_empty() {
                        running.send_batch(link, write).map_err(fail)?;
                    }
                }
            }
            record.progress.add_requests(running.answered - before);
            if record.progress.is_cancelled() {
                return Err(Error::Cancelled);
            }
            if running.answered > before || running.sent == running.answered {
                heard = Instant::now();
            } else if heard.elapsed() > STALLED {
                return Err(Error::server(&name, format!("answered nothing for {} s", STALLED.as_secs())));
            }
        }
    }
}

impl Running<'_> {
    fn elapsed_ns(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    /// Whether a request due at `at_ns` belongs to the load.
    fn may_send(&self, at_ns: u64) -> bool {
        match self.load.length {
            Length::Requests(count) => self.sent < count,
            Length::Time(time) => u128::from(at_ns) < time.as_nanos(),
        }
    }

    fn is_over(&self) -> bool {
        let next = if self.load.rate.is_some() { self.next_due_ns() } else { self.elapsed_ns() };
        self.sent == self.answered && !self.may_send(next)
    }

    /// When the next request of an open loop is due.
    fn next_due_ns(&self) -> u64 {
        self.load.rate.map_or(0, |rate| (self.sent as f64 * 1e9 / rate) as u64)
    }

    /// Closed loop: sends the next requests of a link that has none under way.
    fn send_batch(&mut self, link: &mut Link, write: &mut impl FnMut(&mut Vec<u8>)) -> io::Result<()> {
        let now = self.elapsed_ns();
        for _ in 0..self.load.pipeline {
            if !self.may_send(now) {
                break;
            }
            write(&mut link.out);
            link.due.push_back(now);
            self.sent += 1;
        }
        link.flush()
    }

    /// Open loop: sends what is due, as far as there are links with room for it. What finds none is late, which counts
    /// in its latency.
    fn send_due(&mut self, links: &mut [Link], write: &mut impl FnMut(&mut Vec<u8>)) -> io::Result<()> {
        let now = self.elapsed_ns();
        let mut full = 0;
        while full < links.len() {
            let due = self.next_due_ns();
            if due > now || !self.may_send(due) {
                break;
            }
            let count = links.len();
            let link = &mut links[self.next_link];
            self.next_link = (self.next_link + 1) % count;
            if link.due.len() == self.load.pipeline {
                full += 1;
                continue;
            }
            full = 0;
            write(&mut link.out);
            link.due.push_back(due);
            self.sent += 1;
            link.flush()?;
        }
        Ok(())
    }

    fn receive(&mut self, link: &mut Link, buffer: &mut [u8], record: &mut Record<'_>) -> io::Result<()> {
        let Self { begun, answered, errors, misses, .. } = self;
        // One look at the clock for all replies of one read: none of them was there before it.
        let mut now = None;
        link.receive(buffer, |reply, due| {
            let now = *now.get_or_insert_with(|| begun.elapsed().as_nanos() as u64);
            record.latencies.saturating_record(now.saturating_sub(due).max(1));
            *answered += 1;
            match reply {
                Reply::Value => {}
                Reply::Null => *misses += 1,
                Reply::Error(text) => {
                    *errors += 1;
                    record.first_error.get_or_insert_with(|| String::from_utf8_lossy(text).into_owned());
                }
            }
        })
    }

    /// How long to sleep at most. An open loop stays awake for what is due soon.
    fn timeout(&self) -> Duration {
        if self.load.rate.is_none() {
            return LONGEST_WAIT;
        }
        let wait = Duration::from_nanos(self.next_due_ns().saturating_sub(self.elapsed_ns()));
        if wait < SHORTEST_WAIT { Duration::ZERO } else { (wait - SHORTEST_WAIT).min(LONGEST_WAIT) }
    }
}
