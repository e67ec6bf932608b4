//! How a connection sends, and what happens when its peer does not take it.

use std::io::{self, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tandem_wire::{Protocol, reply};

use super::requests::Stop;
use super::{Connection, Outcome, READS_A_TURN, Special, State, Workspace};
use crate::output::Output;
use crate::pubsub::{Push, Topic};
use crate::shared::{BUFFERS_FULL, Counters, Shared};
use crate::text;
use crate::tracking::Notice;

/// Replies of one turn above this leave memory behind that is worth giving back.
const LARGE_OUTPUT: usize = 1 << 20;
/// How long a peer may take nothing of its replies while the server stops.
const STALLED_AT_STOP: Duration = Duration::from_secs(2);
/// Pushes that a client has not taken, in bytes, at which it is cut, as Redis does by default.
const MAX_UNTAKEN: usize = 32 << 20;
/// The same for one that lasts for [`UNTAKEN_TIME`].
const MANY_UNTAKEN: usize = 8 << 20;
const UNTAKEN_TIME: Duration = Duration::from_secs(60);

impl Connection {
    /// A deadline of this connection has passed that was set when it had sent `sent` bytes.
    pub fn on_deadline(&mut self, sent: u64, shared: &Shared) -> Outcome {
        if self.state == State::Lingering {
            return Outcome::Close;
        }
        if self.backlog.is_none() {
            self.watched = false;
            return Outcome::Wait;
        }
        if self.sent == sent {
            shared.cut.fetch_add(1, Relaxed);
            return Outcome::Close;
        }
        Outcome::Watch(self.patience(shared))
    }

    /// How long the peer may take nothing of its replies.
    pub fn patience(&self, shared: &Shared) -> Duration {
        let stalled = shared.options.limits.stalled_reader;
        if self.last_turn { stalled.min(STALLED_AT_STOP) } else { stalled }
    }

    /// The socket takes bytes again.
    pub fn on_writable(&mut self, work: &mut Workspace, shared: &Shared, counters: &Counters) -> Outcome {
        if self.backlog.is_none() {
            return Outcome::Wait;
        }
        let paused = self.state == State::Paused;
        if paused {
            self.state = State::Open;
        }
        let outcome = self.settle(0, 0, work, shared, counters);
        if !paused || outcome == Outcome::Close {
            return outcome;
        }
        if self.backlog.is_some() {
            self.state = State::Paused;
            return outcome;
        }
        // Requests that had to wait come first; then what the socket holds, of which no event will tell.
        match self.run_waiting(0, work, shared, counters) {
            Outcome::Wait if self.state == State::Open => Outcome::Again,
            other => other,
        }
    }

    /// After a stop of the requests: notes what it means, sends early where replies pile up, and says whether
    /// there is more to run.
    pub(super) fn goes_on(&mut self, stop: Stop, output: &mut Output) -> bool {
        match stop {
            Stop::Incomplete(needed) => {
                self.needed = needed;
                false
            }
            Stop::Parked => {
                self.state = State::Parked;
                false
            }
            Stop::Closing => {
                self.state = State::Finishing;
                false
            }
            Stop::Full => {
                let before = output.pending();
                // An error shows again when the rest is sent.
                let all = output.send(&mut self.stream).unwrap_or(false);
                self.sent += (before - output.pending()) as u64;
                if !all {
                    self.state = State::Paused;
                }
                all
            }
        }
    }

    /// Tells the peer why its connection ends, where nothing else waits to be sent.
    pub fn say(&mut self, message: &str, shared: &Shared) {
        let mut line = Vec::new();
        if self.is_text() {
            text::write(&mut line, text::Class::Other, message, shared.options.text_framing);
        } else {
            reply::error(&mut line, format_args!("ERR {message}"));
        }
        // If the socket does not take a line now, its peer does not read.
        let _ = self.stream.write(&line);
    }

    /// The server stops, and all that a client of the text protocol has asked for is answered: it is told. One of RESP
    /// has got a push, which is no reply, and not had to wait for it.
    pub(super) fn say_goodbye(&mut self, work: &mut Workspace, shared: &Shared) {
        if self.is_text() {
            let output = self.backlog.as_deref_mut().unwrap_or(&mut work.output);
            text::write(output.bytes(), text::Class::Other, "server is stopping", shared.options.text_framing);
        }
    }

    /// Ends a turn: sends the replies, keeps the books and decides how the connection goes on.
    pub(super) fn settle(
        &mut self,
        bytes_in: usize,
        commands: u64,
        work: &mut Workspace,
        shared: &Shared,
        counters: &Counters,
    ) -> Outcome {
        let limits = &shared.options.limits;
        if self.client.cut {
            shared.cut.fetch_add(1, Relaxed);
            work.output = Output::default();
            return Outcome::Close;
        }
        self.card.note(&self.client, work.now_s);
        let output = self.backlog.as_deref_mut().unwrap_or(&mut work.output);
        let pending = output.pending();
        // A connection that was paused just now has found its socket full.
        let all = self.state != State::Paused
            && match output.send(&mut self.stream) {
                Ok(all) => all,
                Err(_) => {
                    work.output = Output::default();
                    return Outcome::Close;
                }
            };
        let left = output.pending();
        self.sent += (pending - left) as u64;
        counters.add(commands, bytes_in, pending - left);
        if all {
            self.backlog = None;
        } else if self.backlog.is_none() {
            self.backlog = Some(Box::new(mem::take(&mut work.output)));
        }
        if pending > LARGE_OUTPUT {
            shared.trim.note(pending);
        }
        if !self.account(shared) {
            shared.cut.fetch_add(1, Relaxed);
            if self.backlog.is_none() {
                self.say(BUFFERS_FULL, shared);
            }
            return Outcome::Close;
        }

        self.card.note_buffers(self.accounted, left);

        if !all {
            if !mem::replace(&mut self.watched, true) {
                return Outcome::Watch(self.patience(shared));
            }
            return Outcome::Wait;
        }
        match self.state {
            // Nobody waits for the answer.
            State::Parked if self.hangup => Outcome::Close,
            State::Open | State::Paused | State::Parked | State::Lingering => Outcome::Wait,
            State::Finishing if self.hangup => Outcome::Close,
            State::Finishing => {
                self.state = State::Lingering;
                match self.stream.shutdown(Shutdown::Write) {
                    Ok(()) => match self.discard(work) {
                        Outcome::Close => Outcome::Close,
                        _ => Outcome::Watch(limits.linger),
                    },
                    Err(_) => Outcome::Close,
                }
            }
        }
    }

    /// Drops what the peer still sends, until it closes.
    pub(super) fn discard(&mut self, work: &mut Workspace) -> Outcome {
        for _ in 0..READS_A_TURN {
            match self.stream.read(&mut work.input) {
                Ok(0) => return Outcome::Close,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Outcome::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Outcome::Close,
            }
        }
        Outcome::Again
    }

    /// Brings this connection's share of the buffers of all clients up to date. False if it has too much.
    #[inline]
    fn account(&mut self, shared: &Shared) -> bool {
        let held = self.input.memory()
            + self.backlog.as_ref().map_or(0, |backlog| backlog.memory())
            + self.client.session.as_ref().map_or(0, |session| session.memory());
        held == self.accounted || shared.account(mem::replace(&mut self.accounted, held), held)
    }

    /// Adds a push to what is to be sent, if the client still listens to its topic; returns how many bytes wait then.
    /// `None`: it takes so little that it is to be cut.
    pub fn queue(&mut self, topic: &Topic, push: &Push, shared: &Shared) -> Option<usize> {
        let listens = self.client.session.as_ref().is_some_and(|session| session.subscriptions.contains(topic));
        if !listens {
            return Some(0);
        }
        self.queue_bytes(shared, |out, protocol| push.write_to(out, protocol))
    }

    /// The same for a notice of tracked keys: of this client, or (`is_redirected`) of one that redirects to it.
    pub fn queue_notice(&mut self, notice: &Notice, is_redirected: bool, shared: &Shared) -> Option<usize> {
        let special = self.client.special;
        // In RESP2 only what looks like a message can be told from a reply.
        let can_tell = match self.client.protocol {
            Protocol::Resp3 => is_redirected || special.contains(Special::TRACKING),
            Protocol::Resp2 => is_redirected && special.contains(Special::SUBSCRIBED),
        };
        if can_tell { self.queue_bytes(shared, |out, protocol| notice.write_to(out, protocol)) } else { Some(0) }
    }

    fn queue_bytes(&mut self, shared: &Shared, write: impl FnOnce(&mut Vec<u8>, Protocol)) -> Option<usize> {
        if !matches!(self.state, State::Open | State::Paused | State::Parked) {
            return Some(0);
        }
        let out = self.backlog.get_or_insert_default();
        write(out.bytes(), self.client.protocol);
        let waiting = out.pending();
        let since = &mut self.client.session().untaken_since;
        if waiting <= MANY_UNTAKEN {
            *since = None;
        } else if waiting > MAX_UNTAKEN || since.get_or_insert_with(Instant::now).elapsed() > UNTAKEN_TIME {
            return None;
        }
        // At once: many pushes may be handed out before the first of them is sent.
        self.account(shared).then_some(waiting)
    }
}
