//! Publish and subscribe: who listens to what, and what they are sent.
//!
//! ```text
//!  PUBLISH ─▶ PubSub (all loops, read lock) ─▶ one frame ─▶ one message for each loop ─▶ its receivers' buffers
//! ```
//!
//! A message is encoded once, whatever the number of its receivers, and never waits for any of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;
use tandem_wire::{Protocol, reply};

use crate::glob;
use crate::mailbox::{Address, Message};
use crate::shared::Shared;

/// Channels and patterns that one client may listen to.
const MAX_SUBSCRIPTIONS: usize = 100_000;
/// Their names in bytes, with [`NAME_OVERHEAD`] for each.
const MAX_NAME_BYTES: usize = 16 << 20;
/// What a subscription takes beside its name, roughly: two table entries and the counters of the name.
const NAME_OVERHEAD: usize = 128;

/// What one listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Topic {
    Channel(Arc<[u8]>),
    Pattern(Arc<[u8]>),
}

/// A push, encoded once for all its receivers. The two protocols differ in its first byte, which is left out.
#[derive(Debug, Clone)]
pub(crate) struct Push(Arc<[u8]>);

impl Push {
    /// What the subscribers of `channel` get.
    pub fn message(channel: &[u8], payload: &[u8]) -> Self {
        Self::of(&[b"message", channel, payload])
    }

    /// What the subscribers of `pattern` get for a message on `channel`.
    fn pattern_message(pattern: &[u8], channel: &[u8], payload: &[u8]) -> Self {
        Self::of(&[b"pmessage", pattern, channel, payload])
    }

    fn of(parts: &[&[u8]]) -> Self {
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 16).sum::<usize>() + 8);
        reply::push(&mut bytes, parts.len());
        parts.iter().for_each(|part| reply::bulk(&mut bytes, part));
        Self(bytes[1..].into())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes it as `protocol` has it.
    pub fn write_to(&self, out: &mut Vec<u8>, protocol: Protocol) {
        out.push(match protocol {
            Protocol::Resp2 => b'*',
            Protocol::Resp3 => b'>',
        });
        out.extend_from_slice(&self.0);
    }
}

/// What one client listens to.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    channels: BTreeSet<Arc<[u8]>>,
    patterns: BTreeSet<Arc<[u8]>>,
    name_bytes: usize,
}

impl Subscriptions {
    /// Number of channels and patterns.
    pub fn len(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    pub fn contains(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Channel(name) => self.channels.contains(name),
            Topic::Pattern(name) => self.patterns.contains(name),
        }
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.name_bytes
    }

    /// Whether so many more, with names of so many bytes in all, are allowed.
    pub fn has_room(&self, count: usize, bytes: usize) -> bool {
        self.len() + count <= MAX_SUBSCRIPTIONS && self.name_bytes + bytes + count * NAME_OVERHEAD <= MAX_NAME_BYTES
    }

    /// The channels, or the patterns, in order.
    pub fn names(&self, patterns: bool) -> &BTreeSet<Arc<[u8]>> {
        if patterns { &self.patterns } else { &self.channels }
    }

    fn names_mut(&mut self, patterns: bool) -> &mut BTreeSet<Arc<[u8]>> {
        if patterns { &mut self.patterns } else { &mut self.channels }
    }
}

/// Subscribers of each channel, or of each pattern.
type Subscribers = HashMap<Arc<[u8]>, HashMap<u64, Address>>;

/// Who listens to what, on every loop.
#[derive(Default)]
pub(crate) struct PubSub {
    channels: RwLock<Subscribers>,
    patterns: RwLock<Subscribers>,
}

impl PubSub {
    fn table(&self, patterns: bool) -> &RwLock<Subscribers> {
        if patterns { &self.patterns } else { &self.channels }
    }

    /// Adds a subscription; does nothing if it is there.
    pub fn subscribe(&self, own: &mut Subscriptions, address: Address, name: &[u8], patterns: bool) {
        if own.names(patterns).contains(name) {
            return;
        }
        let mut table = self.table(patterns).write();
        let name: Arc<[u8]> = match table.get_key_value(name) {
            Some((name, _)) => Arc::clone(name),
            None => name.into(),
        };
        table.entry(Arc::clone(&name)).or_default().insert(address.client_id, address);
        own.name_bytes += name.len() + NAME_OVERHEAD;
        own.names_mut(patterns).insert(name);
    }

    /// Ends a subscription; does nothing if there is none.
    pub fn unsubscribe(&self, own: &mut Subscriptions, client_id: u64, name: &[u8], patterns: bool) {
        let Some(name) = own.names_mut(patterns).take(name) else { return };
        own.name_bytes -= name.len() + NAME_OVERHEAD;
        let mut table = self.table(patterns).write();
        if let Some(subscribers) = table.get_mut(&name) {
            subscribers.remove(&client_id);
            if subscribers.is_empty() {
                table.remove(&name);
            }
        }
    }

    /// Ends all subscriptions of a client.
    pub fn leave(&self, own: &mut Subscriptions, client_id: u64) {
        for patterns in [false, true] {
            while let Some(name) = own.names(patterns).first().cloned() {
                self.unsubscribe(own, client_id, &name, patterns);
            }
        }
    }

    /// Number of clients that listen to `channel` by its name.
    pub fn subscribers(&self, channel: &[u8]) -> usize {
        self.channels.read().get(channel).map_or(0, HashMap::len)
    }

    /// Number of patterns that somebody listens to.
    pub fn patterns(&self) -> usize {
        self.patterns.read().len()
    }

    /// The channels that somebody listens to by name.
    pub fn channels(&self) -> Vec<Arc<[u8]>> {
        self.channels.read().keys().cloned().collect()
    }

    /// Sends `payload` to all who listen to `channel`, from the thread of loop `from`; returns how many times.
    pub fn publish(&self, shared: &Shared, from: u16, channel: &[u8], payload: &[u8]) -> usize {
        let mut receivers = 0;
        if let Some((name, subscribers)) = self.channels.read().get_key_value(channel) {
            receivers += subscribers.len();
            let topic = Topic::Channel(Arc::clone(name));
            post(shared, from, &topic, &Push::message(channel, payload), subscribers);
        }
        let patterns = self.patterns.read();
        for (pattern, subscribers) in patterns.iter().filter(|(pattern, _)| hears(pattern, channel)) {
            receivers += subscribers.len();
            let topic = Topic::Pattern(Arc::clone(pattern));
            post(shared, from, &topic, &Push::pattern_message(pattern, channel, payload), subscribers);
        }
        receivers
    }
}

/// Whether `pattern` takes in `channel`. A channel without a name is for the empty pattern alone, as in Redis.
pub(crate) fn hears(pattern: &[u8], channel: &[u8]) -> bool {
    if channel.is_empty() { pattern.is_empty() } else { glob::matches(pattern, channel) }
}

/// Hands a push to each loop that has receivers of it.
fn post(shared: &Shared, from: u16, topic: &Topic, push: &Push, subscribers: &HashMap<u64, Address>) {
    let mut by_loop = vec![Vec::new(); shared.loops.len()];
    subscribers.values().for_each(|address| by_loop[address.event_loop as usize].push(*address));
    for (target, to) in by_loop.into_iter().enumerate().filter(|(_, to)| !to.is_empty()) {
        shared.post(from, target as u16, Message::Publish { topic: topic.clone(), push: push.clone(), to });
    }
}
