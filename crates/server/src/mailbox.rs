//! What others have to say to an event loop.

use std::mem;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Relaxed};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use mio::net::TcpStream;
use parking_lot::Mutex;
use tandem_engine::gates::Outcome;

use crate::pubsub::{Push, Topic};
use crate::tracking::Notice;
use crate::waiting::GivenUp;

/// Where a connection lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    pub event_loop: u16,
    /// Place in the table of that loop; it may have a new owner by the time a message arrives.
    pub slot: u32,
    pub client_id: u64,
}

/// A message to a loop.
pub(crate) enum Message {
    /// A connection to take over, and its peer.
    Connection(TcpStream, SocketAddr),
    /// A push for those of these connections that still listen to the topic.
    Publish { topic: Topic, push: Push, to: Vec<Address> },
    /// Something for a client that tracks keys, or for one that another one redirects to.
    Notice { to: Address, notice: Notice, is_redirected: bool },
    /// A connection to close.
    Close(Address),
    /// What has become of a request that waits for a key.
    Outcome { to: Address, ticket: u64, outcome: Outcome },
    /// A request of a connection waits for a key, until then.
    Waits { to: Address, until: Instant },
    /// A connection whose request is not to wait any longer.
    Unblock { to: Address, how: GivenUp },
    /// Somebody wants to know whether the loop is running.
    Ping(SyncSender<()>),
}

impl Message {
    /// Bytes of a push that waits here, which count as buffers of clients.
    pub fn push_bytes(&self) -> usize {
        match self {
            Self::Publish { push, to, .. } => push.len() + to.len() * size_of::<Address>(),
            Self::Notice { notice, .. } => notice.len(),
            _ => 0,
        }
    }
}

/// The messages of one loop, in the order they came.
#[derive(Default)]
pub(crate) struct Mailbox {
    /// Set from the first message to the next [`Mailbox::take`].
    full: AtomicBool,
    messages: Mutex<Messages>,
}

#[derive(Default)]
struct Messages {
    waiting: Vec<Message>,
    push_bytes: usize,
}

impl Mailbox {
    /// Adds a message; true if the loop does not know yet that there is one. The receivers of a push for which there is no
    /// room are closed: they have missed something. `has_room` is told the bytes of a push and of all that would wait here
    /// with it, and takes the former into the books if it agrees.
    pub fn add(&self, message: Message, has_room: impl FnOnce(usize, usize) -> bool) -> bool {
        let messages = &mut *self.messages.lock();
        let bytes = message.push_bytes();
        match message {
            message if bytes > 0 && !has_room(bytes, messages.push_bytes + bytes) => match message {
                Message::Publish { to, .. } => messages.waiting.extend(to.into_iter().map(Message::Close)),
                Message::Notice { to, .. } => messages.waiting.push(Message::Close(to)),
                _ => {}
            },
            message => {
                messages.push_bytes += bytes;
                messages.waiting.push(message);
            }
        }
        !self.full.swap(true, AcqRel)
    }

    /// Whether there are messages.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }

    /// Takes all messages. What pushes have in the books of client buffers stays there until each is done with.
    pub fn take(&self) -> Vec<Message> {
        self.full.store(false, Relaxed);
        mem::take(&mut *self.messages.lock()).waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(bytes: usize, client_id: u64) -> Message {
        let to = vec![Address { event_loop: 0, slot: 0, client_id }];
        Message::Publish { topic: Topic::Channel(b"c"[..].into()), push: Push::message(b"c", &vec![b'x'; bytes]), to }
    }

    #[test]
    fn only_the_first_message_wakes() {
        let mailbox = Mailbox::default();
        assert!(!mailbox.is_full());
        assert!(mailbox.add(publish(1, 1), |_, _| true));
        assert!(!mailbox.add(publish(1, 2), |_, _| true));
        assert!(mailbox.is_full());
        assert_eq!(mailbox.take().len(), 2);
        assert!(!mailbox.is_full());
        assert!(mailbox.add(publish(1, 3), |_, _| true));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mailbox = Mailbox::default();
        let has_room = |_, all| all <= 4_000;
        for id in 0..8 {
            mailbox.add(publish(900, id), has_room);
        }
        let messages = mailbox.take();
        let closed = |message: &&Message| matches!(message, Message::Close(_));
        assert_eq!((messages.len(), messages.iter().filter(closed).count()), (8, 4));
        mailbox.add(publish(900, 9), has_room);
        assert!(matches!(mailbox.take()[..], [Message::Publish { .. }]));
    }
}
