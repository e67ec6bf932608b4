//! One connection: reads, runs requests, sends replies.

mod client;
mod input;
mod requests;
mod sending;
mod speech;
mod workspace;

use std::io::{self, Read};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use tandem_engine::gates;
use tandem_wire::{Protocol, RequestParser, reply};

use crate::clients::Card;
use crate::command::{self, Context};
use crate::output::Output;
use crate::shared::{Counters, Shared};
use crate::waiting::{GivenUp, Pending};

pub(crate) use client::{Client, Parked, Special};
use input::Input;
pub(crate) use requests::{Ran, Stop};
use speech::Speech;
pub(crate) use workspace::{MAX_MESSAGE_BYTES, READ_AHEAD, Workspace};

/// Least room for reading on with an unfinished request.
const READ_ROOM: usize = 16 << 10;
/// Bytes read at first of what is likely to be a large request.
const FIRST_READ: usize = 4 << 10;
/// Full reads of one turn; then the others get theirs.
const READS_A_TURN: usize = 4;

/// A read that was done, and where its bytes are.
struct Received {
    /// The place in [`Workspace::ahead`]; `None`: [`Workspace::input`], or behind [`Connection::input`].
    place: Option<usize>,
    room: usize,
    result: io::Result<usize>,
}

/// What the loop does with a connection after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing until the next event.
    Wait,
    /// Another turn without waiting: there is more to read.
    Again,
    /// As `Wait`, but look at it again after this time.
    Watch(Duration),
    /// Close it: it is done, broken or hostile.
    Close,
}

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Reads and answers.
    Open,
    /// Has more unsent replies than allowed: reads and runs nothing until the peer has taken them.
    Paused,
    /// A request of it waits for something: reads and runs nothing until then.
    Parked,
    /// Answers no more requests; ends when the replies are sent.
    Finishing,
    /// Has said its last word and waits for the peer's close, dropping what comes: closing earlier, with bytes
    /// unread, would make the system reset the connection and lose replies that are still on their way.
    Lingering,
}

/// A connection. Without unfinished business it owns no memory beyond this.
pub(crate) struct Connection {
    stream: TcpStream,
    client: Client,
    speech: Speech,
    state: State,
    /// The peer has closed its side: read to the end, no event will say more.
    hangup: bool,
    /// The server stops: what has been received is answered, then the connection ends.
    last_turn: bool,
    /// A deadline is set on the backlog.
    watched: bool,
    /// The beginning of a request that is not complete, or requests that must wait.
    input: Input,
    /// The last request was a large one, so it is likely that the next one is: little of it is read into the loop's
    /// buffer, from where it has to be copied.
    expects_large: bool,
    /// Least length of `input` at which the request in it can go on.
    needed: usize,
    /// How far the request in `input` is understood.
    parser: RequestParser,
    /// Replies that the peer did not take at once.
    backlog: Option<Box<Output>>,
    /// Bytes sent so far.
    sent: u64,
    /// What this connection has added to [`Shared::buffer_bytes`].
    accounted: usize,
    /// What others see of it.
    card: Arc<Card>,
}

impl Connection {
    pub fn new(stream: TcpStream, card: Arc<Card>, shared: &Shared) -> Self {
        Self {
            stream,
            client: Client::new(card.address, shared.options.password.is_some()),
            speech: Speech::Unknown,
            state: State::Open,
            hangup: false,
            last_turn: false,
            watched: false,
            input: Input::default(),
            expects_large: false,
            needed: 0,
            parser: RequestParser::default(),
            backlog: None,
            sent: 0,
            accounted: 0,
            card,
        }
    }

    /// The client's id.
    pub fn id(&self) -> u64 {
        self.client.id
    }

    /// Bytes sent so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// From now on: answer what has been received, then end. A client that understands is told: the push `goaway`
    /// waits in the backlog, which is to be sent next.
    pub fn finish_soon(&mut self) {
        self.last_turn = true;
        let listens = matches!(self.state, State::Open | State::Paused | State::Parked);
        if listens && self.client.protocol == Protocol::Resp3 {
            let out = self.backlog.get_or_insert_default().bytes();
            reply::push(out, 1);
            reply::bulk(out, b"goaway");
        }
    }

    /// Whether the client speaks the text protocol.
    pub fn is_text(&self) -> bool {
        self.speech.is_text()
    }

    /// Whether the peer has replies to take.
    pub fn has_backlog(&self) -> bool {
        self.backlog.is_some()
    }

    /// Whether the client waits for what others will say: it may be silent.
    pub fn waits(&self) -> bool {
        self.state == State::Parked
            || self.client.session.as_ref().is_some_and(|session| session.waiting.is_some())
            || self.client.special.contains(Special::SUBSCRIBED)
    }

    /// The peer has closed its side. Whether that is the end: what its requests wait for is then, as in Redis, of no use.
    pub fn on_hangup(&mut self) -> bool {
        self.hangup = true;
        self.state == State::Parked
    }

    /// Takes what this connection has in the books out of them, and ends its subscriptions.
    pub fn release(&mut self, shared: &Shared) {
        self.client.leave(shared);
        self.speech.leave(self.client.event_loop, shared);
        shared.table.remove(self.client.id);
        shared.account(mem::take(&mut self.accounted), 0);
    }

    /// What the client waited for is there: goes on with what had to wait, then with what the socket holds.
    pub fn resume(&mut self, what: Parked, work: &mut Workspace, shared: &Shared, counters: &Counters) -> Outcome {
        if self.state != State::Parked || self.client.parked != Some(what) {
            return Outcome::Wait;
        }
        self.state = State::Open;
        self.client.parked = None;
        match self.run_waiting(0, work, shared, counters) {
            Outcome::Wait if self.state == State::Open => Outcome::Again,
            other => other,
        }
    }

    /// Tells the client what has become of a request that waited, and goes on if that held it up.
    pub fn on_outcome(
        &mut self,
        ticket: u64,
        outcome: Result<gates::Outcome, GivenUp>,
        work: &mut Workspace,
        shared: &Shared,
        counters: &Counters,
    ) -> Outcome {
        let waiting = self.client.session.as_mut().and_then(|session| session.waiting.as_mut());
        let Some(pending) = waiting.and_then(|waiting| waiting.take(ticket)) else { return Outcome::Wait };
        let id = pending.id;
        let mut output = self.backlog.take().unwrap_or_default();
        let mut context = Context {
            client: &mut self.client,
            output: &mut output,
            keys: &mut work.keys,
            draft: None,
            server: shared,
        };
        let answered = command::gates::answer(&mut context, pending, outcome);
        self.backlog = Some(output);
        if answered && self.client.parked == Some(Parked::Request(id)) {
            return self.resume(Parked::Request(id), work, shared, counters);
        }
        self.on_writable(work, shared, counters)
    }

    /// Answers requests that have waited too long at `now`, for this reason; returns when the next one will have.
    pub fn end_waits(
        &mut self,
        now: Instant,
        how: GivenUp,
        work: &mut Workspace,
        shared: &Shared,
        counters: &Counters,
    ) -> (Outcome, Option<Instant>) {
        let mut result = Outcome::Wait;
        while result != Outcome::Close {
            let Some(waiting) = self.client.session.as_mut().and_then(|session| session.waiting.as_mut()) else {
                break;
            };
            let Some(late) = waiting.take_late(now) else {
                return (result, waiting.next_deadline());
            };
            match self.give_up(late, how, work, shared, counters) {
                Outcome::Wait => {}
                other => result = other,
            }
        }
        (result, None)
    }

    /// Answers the request that holds up the others, if there still is one, and goes on with these.
    pub fn unblock(&mut self, how: GivenUp, work: &mut Workspace, shared: &Shared, counters: &Counters) -> Outcome {
        let Some(Parked::Request(id)) = self.client.parked else { return Outcome::Wait };
        let waiting = self.client.session.as_mut().and_then(|session| session.waiting.as_mut());
        match waiting.and_then(|waiting| waiting.take_id(id)) {
            Some(request) => self.give_up(request, how, work, shared, counters),
            None => Outcome::Wait,
        }
    }

    /// Answers a request that was taken from those that wait.
    fn give_up(
        &mut self,
        (ticket, pending): (u64, Pending),
        how: GivenUp,
        work: &mut Workspace,
        shared: &Shared,
        counters: &Counters,
    ) -> Outcome {
        if let Some(waiting) = self.client.session.as_mut().and_then(|session| session.waiting.as_mut()) {
            shared.cache.cancel(&pending.key, waiting.owner, ticket);
            waiting.wait(ticket, pending);
        }
        self.on_outcome(ticket, Err(how), work, shared, counters)
    }

    /// Notes before requests are run what holds for all clients.
    #[inline]
    fn look_around(&mut self, shared: &Shared) {
        if shared.pause.is_on() {
            self.client.special.insert(Special::PAUSED);
        }
        if shared.observer.is_on() {
            self.client.special.insert(Special::OBSERVED);
        }
    }

    /// Reads into `place` of what is read ahead. `None` for a connection that has to go on with something first.
    #[inline]
    pub fn read_ahead(&mut self, work: &mut Workspace, place: usize) -> Option<io::Result<usize>> {
        // What is told apart by its first bytes, or by the end of a read, is not read in parts.
        let fresh = self.state == State::Open && self.input.is_empty() && self.speech.is_resp() && !self.expects_large;
        fresh.then(|| self.stream.read(&mut work.ahead[place]))
    }

    /// Goes on with what [`Connection::read_ahead`] has read.
    #[inline]
    pub fn on_read_ahead(
        &mut self,
        result: io::Result<usize>,
        place: usize,
        work: &mut Workspace,
        shared: &Shared,
        counters: &Counters,
    ) -> Outcome {
        self.go_on(Some(Received { place: Some(place), room: work.ahead[place].len(), result }), work, shared, counters)
    }

    /// The socket has bytes, or its peer has closed.
    pub fn on_readable(&mut self, work: &mut Workspace, shared: &Shared, counters: &Counters) -> Outcome {
        match self.state {
            State::Open => self.go_on(None, work, shared, counters),
            State::Paused | State::Parked | State::Finishing => Outcome::Wait,
            State::Lingering => self.discard(work),
        }
    }

    /// Runs what was read, and reads on as long as there may be more.
    fn go_on(
        &mut self,
        mut received: Option<Received>,
        work: &mut Workspace,
        shared: &Shared,
        counters: &Counters,
    ) -> Outcome {
        for _ in 0..READS_A_TURN {
            let Received { place, room, result } = received.take().unwrap_or_else(|| self.read(work, shared));
            let count = match result {
                Ok(0) => {
                    self.hangup = true;
                    self.state = State::Finishing;
                    return self.settle(0, 0, work, shared, counters);
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.last_turn {
                        return Outcome::Wait;
                    }
                    self.say_goodbye(work, shared);
                    self.state = State::Finishing;
                    return self.settle(0, 0, work, shared, counters);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Outcome::Close,
            };
            let outcome = if self.input.is_empty() {
                self.run_fresh(count, place, work, shared, counters)
            } else {
                self.run_waiting(count, work, shared, counters)
            };
            if outcome != Outcome::Wait || self.state != State::Open {
                return outcome;
            }
            // A read that did not fill its buffer has emptied the socket, and more will be an event of its own.
            if count < room && !self.last_turn && !self.hangup {
                return Outcome::Wait;
            }
        }
        Outcome::Again
    }

    /// Reads into the loop's buffer, or behind the unfinished request.
    #[inline]
    fn read(&mut self, work: &mut Workspace, shared: &Shared) -> Received {
        if self.input.is_empty() {
            let room = if self.expects_large { FIRST_READ } else { work.input.len() };
            return Received { place: None, room, result: self.stream.read(&mut work.input[..room]) };
        }
        let (room, result) = self.input.read(&self.stream, self.needed, &shared.cache);
        Received { place: None, room, result }
    }

    /// Runs the requests in the first `count` bytes of the loop's buffer, or of what was read ahead.
    #[inline]
    fn run_fresh(
        &mut self,
        count: usize,
        place: Option<usize>,
        work: &mut Workspace,
        shared: &Shared,
        counters: &Counters,
    ) -> Outcome {
        let Workspace { input, ahead, requests, output, keys, .. } = work;
        self.look_around(shared);
        let bytes = &place.map_or(input, |place| &mut ahead[place])[..count];
        let mut backlog = self.backlog.take();
        let output = backlog.as_deref_mut().unwrap_or(output);
        let (mut done, mut commands) = (0, 0);
        self.needed = 0;
        while done < count {
            let mut context = Context { client: &mut self.client, output, keys, draft: None, server: shared };
            let ran = if self.speech.is_resp() {
                requests.run(&bytes[done..], &mut context)
            } else {
                self.speech.run(&bytes[done..], requests, &mut context)
            };
            done += ran.consumed;
            commands += ran.commands;
            if !self.goes_on(ran.stop, output) {
                break;
            }
        }
        self.backlog = backlog;
        if done < count && !self.client.closing {
            self.input = Input::new(&bytes[done..], self.needed, &shared.cache);
            // The parser knows how far it is in this very request.
            requests.exchange(&mut self.parser);
        }
        self.expects_large = self.input.draft().is_some();
        self.settle(count, commands, work, shared, counters)
    }

    /// Runs the requests in `input`, to which `count` bytes were just added.
    fn run_waiting(&mut self, count: usize, work: &mut Workspace, shared: &Shared, counters: &Counters) -> Outcome {
        let Workspace { requests, output, keys, .. } = work;
        self.look_around(shared);
        requests.exchange(&mut self.parser);
        let mut backlog = self.backlog.take();
        let output = backlog.as_deref_mut().unwrap_or(output);
        let (mut done, mut commands) = (0, 0);
        self.needed = 0;
        while done < self.input.bytes().len() {
            let (bytes, draft) = (self.input.bytes(), self.input.draft());
            let mut context = Context { client: &mut self.client, output, keys, draft, server: shared };
            let ran = if self.speech.is_resp() {
                requests.run(&bytes[done..], &mut context)
            } else {
                self.speech.run(&bytes[done..], requests, &mut context)
            };
            done += ran.consumed;
            commands += ran.commands;
            if !self.goes_on(ran.stop, output) {
                break;
            }
        }
        self.backlog = backlog;
        requests.exchange(&mut self.parser);
        if done == self.input.bytes().len() || self.client.closing {
            self.input = Input::default();
            self.parser = RequestParser::default();
        } else if done > 0 {
            self.input.consume(done, self.needed, &shared.cache);
        }
        self.settle(count, commands, work, shared, counters)
    }
}
