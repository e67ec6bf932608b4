//! One event loop: waits for sockets, lets connections work, keeps their deadlines.

mod ending;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::clients::Card;
use crate::connection::{Connection, Outcome, Parked, READ_AHEAD, Workspace};
use crate::database::KeySpace;
use crate::doorstep::Doorstep;
use crate::idle::Idle;
use crate::mailbox::{Address, Message};
use crate::pubsub::{Push, Topic};
use crate::shared::Shared;
use crate::waiting::GivenUp;

/// Token of the waker.
pub(crate) const WAKER: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);

/// Events taken from the system at once.
const EVENTS: usize = 1024;
/// Connections accepted before others get their turn: each costs as much as a few requests.
const ACCEPTS: usize = 32;
/// Pushes that wait for one connection, in bytes, at which they are sent without waiting for more.
const SEND_BYTES: usize = 16 << 10;
/// How often the cache's background work gets a step when it has nothing urgent.
const MAINTAIN_EVERY: Duration = Duration::from_millis(50);
/// How often deadlines of connections are looked at, while there are any.
const DEADLINE_STEP: Duration = Duration::from_millis(100);

/// What waits in the listener's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accept {
    /// Nothing, until the system says so.
    Nothing,
    /// Maybe something: in this turn, or in the next one, which follows at once.
    Now,
    /// Something for which descriptors or memory are lacking: they are asked for again in a while.
    Later,
}

/// A moment at which a connection is looked at again.
struct Deadline {
    at: Instant,
    slot: usize,
    /// The slot may have a new owner by then.
    client_id: u64,
    /// Bytes sent when the deadline was set: whether the peer takes anything. `None`: the deadline is that of a request
    /// which waits for a key.
    sent: Option<u64>,
}

/// An event loop with its connections.
pub(crate) struct EventLoop {
    poll: Poll,
    index: usize,
    listener: Option<TcpListener>,
    doorstep: Doorstep,
    /// Whether connections may wait in the listener's queue, of which the system tells only once.
    accept: Accept,
    /// The loop that gets the next connection.
    next_loop: usize,
    connections: Slab<Connection>,
    /// Connections that have something to read.
    readable: Vec<usize>,
    /// Connections that have more to read than one turn allowed.
    ready: Vec<usize>,
    deadlines: Vec<Deadline>,
    /// When the cache's background work is due; only on the loop that does it.
    maintain_at: Option<Instant>,
    /// A pause was on when it was last looked at: connections may wait for its end.
    paused: bool,
    /// Pauses whose end this loop has seen.
    pauses_ended: u64,
    /// Silent connections; only where there is a limit for any of them.
    idle: Option<Idle>,
    workspace: Workspace,
    shared: Arc<Shared>,
    stopping: bool,
}

/// Registers the listening socket with the loop that accepts.
pub(crate) fn register_listener(poll: &Poll, listener: &mut TcpListener) -> io::Result<()> {
    poll.registry().register(listener, LISTENER, Interest::READABLE)
}

impl EventLoop {
    pub fn new(poll: Poll, index: usize, listener: Option<TcpListener>, shared: Arc<Shared>) -> Self {
        Self {
            poll,
            index,
            listener,
            doorstep: Doorstep::new(shared.options.text_framing),
            accept: Accept::Nothing,
            next_loop: 0,
            connections: Slab::new(),
            readable: Vec::new(),
            ready: Vec::new(),
            deadlines: Vec::new(),
            maintain_at: (index == 0 && shared.options.maintain).then(Instant::now),
            paused: false,
            pauses_ended: 0,
            idle: Idle::new(&shared.options.limits, 0),
            workspace: Workspace::new(&shared.loops[index].stats, KeySpace::new(Arc::clone(&shared.databases))),
            shared,
            stopping: false,
        }
    }

    /// Runs until the server stops and every connection is closed.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !(self.stopping && self.connections.is_empty()) {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Only a defect of ours can cause one: the descriptor and the buffer are this loop's own.
                Err(error) => panic!("waiting for events failed: {error}"),
            }
            if let Some(idle) = &mut self.idle {
                idle.tick();
            }
            self.workspace.now_s = self.shared.uptime_s();
            for event in &events {
                match event.token() {
                    WAKER => {}
                    LISTENER => self.accept = Accept::Now,
                    token if Doorstep::owns(token) => self.doorstep.hear(token),
                    Token(slot) => {
                        if let Some(idle) = &mut self.idle {
                            idle.hear(slot);
                        }
                        if event.is_read_closed()
                            && let Some(connection) = self.connections.get_mut(slot)
                            && connection.on_hangup()
                        {
                            self.close(slot);
                        }
                        if event.is_writable() {
                            self.on_writable(slot);
                        }
                        if event.is_readable() {
                            self.readable.push(slot);
                        }
                    }
                }
            }
            if !self.ready.is_empty() {
                self.readable.append(&mut self.ready);
                // A connection that was read ahead twice would run the second part before the rest of the first.
                self.readable.sort_unstable();
                self.readable.dedup();
            }
            // Before requests that may have been sent because of what was posted, and after those that post.
            self.take_mailbox();
            self.run_readable();
            self.take_mailbox();
            self.look_for_pause();
            if self.accept != Accept::Nothing {
                self.accept();
            }
            self.maintain();
            self.shared.trim.step();
            if !self.deadlines.is_empty() {
                self.check_deadlines();
            }
            if !self.doorstep.is_empty() {
                self.doorstep.step();
            }
            self.close_silent();
            if self.shared.stopping.load(Relaxed) && self.stop_step() {
                break;
            }
        }
        let left: Vec<usize> = self.connections.iter().map(|(slot, _)| slot).collect();
        left.into_iter().for_each(|slot| self.close(slot));
    }

    /// Gives the cache's background work one step if it is due.
    fn maintain(&mut self) {
        let Some(at) = &mut self.maintain_at else { return };
        let now = Instant::now();
        if now >= *at {
            let more = self.shared.cache.maintain();
            *at = now + if more { Duration::ZERO } else { MAINTAIN_EVERY };
        }
    }

    /// Lets connections go on after a pause.
    fn look_for_pause(&mut self) {
        let ended = self.shared.pause.ended();
        if !self.paused && !self.shared.pause.is_on() && ended == self.pauses_ended {
            return;
        }
        self.pauses_ended = ended;
        self.paused = self.shared.pause.left().is_some();
        if !self.paused {
            self.resume();
        }
    }

    fn resume(&mut self) {
        let slots: Vec<usize> = self.connections.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            let counters = &self.shared.loops[self.index].counters;
            let outcome = self.connections[slot].resume(Parked::Pause, &mut self.workspace, &self.shared, counters);
            self.carry_out(slot, outcome);
        }
    }

    /// How long the system may let us wait.
    fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() || self.accept == Accept::Now || self.shared.loops[self.index].mailbox.is_full() {
            return Some(Duration::ZERO);
        }
        let maintain = self.maintain_at.map(|at| at.saturating_duration_since(Instant::now()));
        let step = (self.stopping
            || self.accept == Accept::Later
            || !self.deadlines.is_empty()
            || !self.doorstep.is_empty()
            || self.shared.trim.is_wanted())
        .then_some(DEADLINE_STEP);
        let idle = self.idle.as_ref().filter(|_| !self.connections.is_empty()).map(Idle::wait);
        let pause = if self.paused { self.shared.pause.left() } else { None };
        [maintain, step, idle, pause].into_iter().flatten().min()
    }

    /// Lets every readable connection work. A few at a time are read first and glanced at, then run: without pipelines
    /// that is what makes their waits for memory overlap, with each other and with the calls of the system between them.
    fn run_readable(&mut self) {
        let mut slots = std::mem::take(&mut self.readable);
        self.workspace.begin_round(slots.len());
        for slots in slots.chunks(READ_AHEAD) {
            if let [slot] = slots {
                self.on_readable(*slot);
                continue;
            }
            let mut reads = [const { None }; READ_AHEAD];
            let mut keys = [None; READ_AHEAD];
            for (place, &slot) in slots.iter().enumerate() {
                // A connection that was closed earlier in this round may still have an event.
                if let Some(connection) = self.connections.get_mut(slot) {
                    reads[place] = connection.read_ahead(&mut self.workspace, place);
                    keys[place] = self.workspace.glance(&reads[place], place, &self.shared);
                }
                // Behind the first read that gave its line of the index time to come.
                if place == 1
                    && let Some(key) = keys[0]
                {
                    self.shared.cache.prefetch_record(key);
                }
            }
            for (place, (&slot, read)) in slots.iter().zip(reads).enumerate() {
                if let Some(key) = keys.get(place + 1).copied().flatten() {
                    self.shared.cache.prefetch_record(key);
                }
                let Some(result) = read else {
                    self.on_readable(slot);
                    continue;
                };
                let counters = &self.shared.loops[self.index].counters;
                let connection = &mut self.connections[slot];
                let outcome = connection.on_read_ahead(result, place, &mut self.workspace, &self.shared, counters);
                self.carry_out(slot, outcome);
            }
        }
        slots.clear();
        self.readable = slots;
    }

    /// Lets one connection read and work.
    fn on_readable(&mut self, slot: usize) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let counters = &self.shared.loops[self.index].counters;
        let outcome = connection.on_readable(&mut self.workspace, &self.shared, counters);
        self.carry_out(slot, outcome);
    }

    /// Lets one connection send what is left, and go on if it was paused.
    fn on_writable(&mut self, slot: usize) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let counters = &self.shared.loops[self.index].counters;
        let outcome = connection.on_writable(&mut self.workspace, &self.shared, counters);
        self.carry_out(slot, outcome);
    }

    #[inline]
    fn carry_out(&mut self, slot: usize, outcome: Outcome) {
        match outcome {
            Outcome::Wait => {}
            Outcome::Again => self.ready.push(slot),
            Outcome::Watch(after) => self.watch(slot, after),
            Outcome::Close => self.close(slot),
        }
    }

    fn watch(&mut self, slot: usize, after: Duration) {
        let connection = &self.connections[slot];
        let (client_id, sent) = (connection.id(), Some(connection.sent()));
        self.deadlines.push(Deadline { at: Instant::now() + after, slot, client_id, sent });
    }

    fn close(&mut self, slot: usize) {
        let mut connection = self.connections.remove(slot);
        connection.release(&self.shared);
        self.shared.clients.fetch_sub(1, Relaxed);
        // Dropping the socket takes it out of the system's list of interest.
    }

    fn check_deadlines(&mut self) {
        let now = Instant::now();
        let due: Vec<Deadline> = self.deadlines.extract_if(.., |deadline| deadline.at <= now).collect();
        for deadline in due {
            let Some(connection) = self.connections.get_mut(deadline.slot) else { continue };
            if connection.id() == deadline.client_id {
                match deadline.sent {
                    Some(sent) => {
                        let outcome = connection.on_deadline(sent, &self.shared);
                        self.carry_out(deadline.slot, outcome);
                    }
                    None => self.end_waits(deadline.slot, now, GivenUp::Late),
                }
            }
        }
    }

    /// Accepts what waits and spreads it over the loops in turn.
    fn accept(&mut self) {
        self.accept = Accept::Nothing;
        let Some(listener) = &self.listener else { return };
        let mut own = Vec::new();
        for turn in 0.. {
            if turn == ACCEPTS {
                self.accept = Accept::Now;
                break;
            }
            match listener.accept() {
                Ok((stream, peer)) => {
                    if let Err(reason) = self.shared.admit() {
                        self.doorstep.refuse(stream, reason, self.poll.registry());
                        continue;
                    }
                    let target = self.next_loop;
                    self.next_loop = (target + 1) % self.shared.loops.len();
                    if target == self.index {
                        own.push((stream, peer));
                    } else {
                        self.shared.post(self.index as u16, target as u16, Message::Connection(stream, peer));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {
                }
                // Out of descriptors or memory: the queue keeps the rest until some are free.
                Err(_) => {
                    self.accept = Accept::Later;
                    break;
                }
            }
        }
        own.into_iter().for_each(|(stream, peer)| self.add(stream, peer));
    }

    /// Does what others have asked for. Between the turns of connections, so that a push is never inside a reply.
    fn take_mailbox(&mut self) {
        let mailbox = &self.shared.loops[self.index].mailbox;
        if !mailbox.is_full() {
            return;
        }
        let messages = mailbox.take();
        let mut pushed = Vec::new();
        for message in messages {
            let push_bytes = message.push_bytes();
            match message {
                Message::Connection(stream, peer) => self.add(stream, peer),
                Message::Publish { topic, push, to } => {
                    for address in to {
                        self.push(address, &topic, &push, &mut pushed);
                    }
                    drop(push);
                    self.shared.release_push(push_bytes);
                }
                Message::Notice { to, notice, is_redirected } => {
                    let connection = self.connections.get_mut(to.slot as usize).filter(|one| one.id() == to.client_id);
                    let queued = connection.map(|one| one.queue_notice(&notice, is_redirected, &self.shared));
                    self.send_soon(to.slot as usize, queued.unwrap_or(Some(0)), &mut pushed);
                    self.shared.release_push(push_bytes);
                }
                Message::Outcome { to, ticket, outcome } => {
                    let slot = to.slot as usize;
                    let Some(connection) = self.connections.get_mut(slot).filter(|one| one.id() == to.client_id) else {
                        continue;
                    };
                    let counters = &self.shared.loops[self.index].counters;
                    let outcome =
                        connection.on_outcome(ticket, Ok(outcome), &mut self.workspace, &self.shared, counters);
                    self.carry_out(slot, outcome);
                }
                Message::Waits { to, until } => {
                    let (slot, client_id) = (to.slot as usize, to.client_id);
                    if !self
                        .deadlines
                        .iter()
                        .any(|one| one.client_id == client_id && one.sent.is_none() && one.at <= until)
                    {
                        self.deadlines.push(Deadline { at: until, slot, client_id, sent: None });
                    }
                }
                Message::Unblock { to, how } => self.unblock(to, how),
                // Who asked may have stopped waiting.
                Message::Ping(answer) => drop(answer.try_send(())),
                Message::Close(address) => {
                    if self.connection(address).is_some() {
                        self.close(address.slot as usize);
                    }
                }
            }
        }
        pushed.sort_unstable();
        pushed.dedup();
        pushed.into_iter().for_each(|slot| self.on_writable(slot));
    }

    /// Answers the requests of a connection that have waited too long for a key at `now`, for this reason.
    fn end_waits(&mut self, slot: usize, now: Instant, how: GivenUp) {
        let counters = &self.shared.loops[self.index].counters;
        let connection = &mut self.connections[slot];
        let (outcome, next) = connection.end_waits(now, how, &mut self.workspace, &self.shared, counters);
        let client_id = connection.id();
        self.deadlines.extend(next.map(|at| Deadline { at, slot, client_id, sent: None }));
        self.carry_out(slot, outcome);
    }

    /// The connection at an address, if it is still there.
    fn connection(&mut self, address: Address) -> Option<&mut Connection> {
        self.connections.get_mut(address.slot as usize).filter(|connection| connection.id() == address.client_id)
    }

    /// Hands a push to a connection. It is sent at once if much waits, else with others: `pushed` notes the slot.
    fn push(&mut self, address: Address, topic: &Topic, push: &Push, pushed: &mut Vec<usize>) {
        let Some(connection) = self.connections.get_mut(address.slot as usize) else { return };
        if connection.id() != address.client_id {
            return;
        }
        let queued = connection.queue(topic, push, &self.shared);
        self.send_soon(address.slot as usize, queued, pushed);
    }

    /// Goes on with a connection for which `queued` bytes wait; `None`: it takes so little that it is cut.
    fn send_soon(&mut self, slot: usize, queued: Option<usize>, pushed: &mut Vec<usize>) {
        match queued {
            Some(0) => {}
            Some(..SEND_BYTES) => pushed.push(slot),
            Some(_) => self.on_writable(slot),
            None => {
                self.shared.cut.fetch_add(1, Relaxed);
                self.close(slot);
            }
        }
    }

    fn add(&mut self, mut stream: TcpStream, peer: SocketAddr) {
        let entry = self.connections.vacant_entry();
        let slot = entry.key();
        // Both interests at once: readiness is reported once per change, so that a socket that could be written
        // to all the time costs nothing, and a backlog needs no further system call.
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut stream, Token(slot), interest).is_err() {
            self.shared.clients.fetch_sub(1, Relaxed);
            return;
        }
        if let Some(idle) = &mut self.idle {
            idle.hear(slot);
        }
        let client_id = self.shared.accepted.fetch_add(1, Relaxed) + 1;
        let address = Address { event_loop: self.index as u16, slot: slot as u32, client_id };
        let listens_at = self.shared.address;
        let is_known = !listens_at.ip().is_unspecified();
        let local = if is_known { listens_at } else { stream.local_addr().unwrap_or(listens_at) };
        let card = Arc::new(Card::new(address, peer, local, self.shared.uptime_s()));
        self.shared.table.add(Arc::clone(&card));
        entry.insert(Connection::new(stream, card, &self.shared));
    }
}
