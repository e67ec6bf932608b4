//! The data plane of a worker: does requests or passes them on, and holds replies until they may be given.

use std::collections::BTreeMap;
use std::sync::Arc;

use tandem_cluster::{Identity, Node, Now, Output, Recall, Rules, Service, Shape, Store};
use tandem_wire::replication::{LaneNumber, Record, RequestId, Sequence, Slot, Version};

use super::copy::{Copy, value_of};

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    pub name: Arc<[u8]>,
    pub slot: Slot,
    pub lane: LaneNumber,
}

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Get,
    /// Leaves this value, for so many ms if that is not 0.
    Set(u64, u64),
    /// Leaves this value, and shows the one before.
    Swap(u64),
    Delete,
    /// Leaves nothing in the lane of the key.
    Flush,
}

impl Action {
    pub fn writes(self) -> bool {
        self != Self::Get
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Number of it among all.
    pub number: u64,
    pub action: Action,
    /// Number of each key among all.
    pub keys: Vec<usize>,
    /// Its client numbers its requests: which client, and the last one that it has an answer of.
    pub session: Option<(u64, u64)>,
    /// Another worker has passed it on.
    pub is_forwarded: bool,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Done {
        /// What was there, of each key.
        seen: Vec<Option<u64>>,
        /// What it has now.
        versions: Vec<Version>,
        copies: u8,
    },
    /// It was not done.
    Refused,
    /// It may have been done.
    Unknown,
}

impl Reply {
    /// What is remembered of it.
    fn encode(&self) -> Vec<u8> {
        let Self::Done { seen, versions, .. } = self else { return Vec::new() };
        let pairs = seen.iter().zip(versions);
        pairs.flat_map(|(seen, version)| [seen.unwrap_or(0), *version]).flat_map(u64::to_be_bytes).collect()
    }

    fn decode(bytes: &[u8]) -> Self {
        let numbers: Vec<u64> =
            bytes.chunks(8).map(|one| one.iter().fold(0, |all, &byte| all << 8 | u64::from(byte))).collect();
        let seen = numbers.chunks(2).map(|one| Some(one[0]).filter(|&value| value != 0)).collect();
        Self::Done { seen, versions: numbers.chunks(2).map(|one| one[1]).collect(), copies: 2 }
    }
}

struct Held {
    request: Request,
    places: Vec<(LaneNumber, Sequence)>,
    reply: Reply,
    since: u64,
}

/// A running worker.
pub struct Process {
    pub node: Node,
    pub copy: Copy,
    pub shape: Shape,
    /// Done, and not acknowledged.
    held: BTreeMap<u64, Held>,
    /// Not begun yet, and until when.
    waiting: BTreeMap<u64, (Request, u64)>,
    /// The partner does them, and until when.
    forwarded: BTreeMap<u64, (Request, u64)>,
    /// Its connection to the partner, and how many attempts at one there were.
    pub dialled: Option<usize>,
    pub attempts: u64,
    pub accepted: u64,
    pub is_leaving: bool,
}

/// What a request leads to.
pub enum Deed {
    Reply(Request, Reply),
    Forward(Request),
    /// The key was given up for others.
    Evicted(usize),
    /// It had been done before.
    Recalled,
    /// It was done here while this was the state of it.
    Served {
        lane: LaneNumber,
    },
}

/// How long a request may wait before it is refused, and how long the partner may take for one, in ms.
const PATIENCE: u64 = 50;
const FORWARD_PATIENCE: u64 = 400;

impl Process {
    pub fn new(identity: Identity, shape: Shape, rules: Rules, seed: u64, room: usize) -> Self {
        Self {
            node: Node::new(identity, shape, rules, seed),
            copy: Copy::new(shape, room),
            shape,
            held: BTreeMap::new(),
            waiting: BTreeMap::new(),
            forwarded: BTreeMap::new(),
            dialled: None,
            attempts: 0,
            accepted: 0,
            is_leaving: false,
        }
    }

    /// Requests that have no reply yet.
    pub fn unanswered(&self) -> usize {
        self.held.len() + self.waiting.len() + self.forwarded.len()
    }

    /// A request has come.
    pub fn accept(&mut self, at: Now, request: Request, keys: &[Key], out: &mut Vec<Output>, deeds: &mut Vec<Deed>) {
        self.attempt(at, request, at.at + PATIENCE, keys, out, deeds);
    }

    fn attempt(
        &mut self,
        at: Now,
        request: Request,
        until: u64,
        keys: &[Key],
        out: &mut Vec<Output>,
        deeds: &mut Vec<Deed>,
    ) {
        let services: Vec<Service> =
            request.keys.iter().map(|&key| self.node.service(keys[key].lane, request.action.writes(), at.at)).collect();
        if services.iter().all(|service| *service == Service::Here) {
            self.execute(at, request, keys, out, deeds);
        } else if services.contains(&Service::Loading) || request.is_forwarded && services.contains(&Service::Partner) {
            deeds.push(Deed::Reply(request, Reply::Refused));
        } else if services.iter().all(|service| *service == Service::Partner) {
            self.forwarded.insert(request.number, (request.clone(), at.at + FORWARD_PATIENCE));
            deeds.push(Deed::Forward(Request { is_forwarded: true, ..request }));
        } else if at.at >= until || !services.contains(&Service::Wait) {
            deeds.push(Deed::Reply(request, Reply::Refused));
        } else {
            self.waiting.insert(request.number, (request, until));
        }
    }

    /// Tries again what waits; gives up what has waited for too long.
    pub fn retry(&mut self, at: Now, keys: &[Key], out: &mut Vec<Output>, deeds: &mut Vec<Deed>) {
        for (_, (request, until)) in std::mem::take(&mut self.waiting) {
            self.attempt(at, request, until, keys, out, deeds);
        }
        self.forwarded.retain(|_, (request, until)| {
            let is_late = at.at >= *until;
            if is_late {
                let reply = if request.action.writes() { Reply::Unknown } else { Reply::Refused };
                deeds.push(Deed::Reply(request.clone(), reply));
            }
            !is_late
        });
        // Its client has stopped waiting long ago.
        self.held.retain(|_, held| at.at < held.since + 10_000);
    }

    /// The partner has answered.
    pub fn on_forwarded(&mut self, number: u64, reply: Reply, deeds: &mut Vec<Deed>) {
        if let Some((request, _)) = self.forwarded.remove(&number) {
            deeds.push(Deed::Reply(request, reply));
        }
    }

    fn execute(&mut self, at: Now, request: Request, keys: &[Key], out: &mut Vec<Output>, deeds: &mut Vec<Deed>) {
        request.keys.iter().for_each(|&key| deeds.push(Deed::Served { lane: keys[key].lane }));
        if let Some((session, _)) = request.session {
            match self.node.recall(keys[request.keys[0]].lane, session, request.number) {
                Recall::New => {}
                Recall::Forgotten => {
                    deeds.push(Deed::Reply(request, Reply::Unknown));
                    return;
                }
                Recall::Done(reply) => {
                    deeds.push(Deed::Recalled);
                    let places = self.unacknowledged(&request, keys);
                    self.hold(at, request, places, Reply::decode(&reply), deeds);
                    return;
                }
            }
        }
        if request.action == Action::Flush {
            let lane = keys[request.keys[0]].lane;
            let flushed = self.node.flush(at, &mut self.copy, &[lane], out);
            let reply =
                Reply::Done { seen: vec![None], versions: flushed.iter().map(|one| one.2).collect(), copies: 2 };
            let places = flushed.iter().map(|&(lane, sequence, _)| (lane, sequence)).collect();
            self.hold(at, request, places, reply, deeds);
            return;
        }
        let time = self.node.time_ms(at.wall);
        let seen: Vec<Option<u64>> = request
            .keys
            .iter()
            .map(|&key| {
                let record = self.copy.get(keys[key].slot, &keys[key].name)?;
                let is_over = record.expires_at != 0 && record.expires_at <= time;
                record.value.as_ref().filter(|_| !is_over).map(value_of)
            })
            .collect();
        let (value, ttl) = match request.action {
            Action::Get => (None, 0),
            Action::Set(value, ttl) => (Some(value), ttl),
            Action::Swap(value) => (Some(value), 0),
            Action::Delete | Action::Flush => (None, 0),
        };
        let mut versions = Vec::new();
        let places = if request.action.writes() {
            if value.is_some() && !self.make_room(at, request.keys.len(), &request.keys, keys, out, deeds) {
                deeds.push(Deed::Reply(request, Reply::Refused));
                return;
            }
            let mut parts: Vec<(LaneNumber, Vec<Record>)> = Vec::new();
            for &key in &request.keys {
                let expires_at = if ttl == 0 { 0 } else { time + ttl };
                let record = self.record(at, &keys[key], value, expires_at);
                versions.push(record.version);
                self.copy.apply(&record).expect("there is room");
                match parts.iter_mut().find(|(lane, _)| *lane == keys[key].lane) {
                    Some((_, records)) => records.push(record),
                    None => parts.push((keys[key].lane, vec![record])),
                }
            }
            let done = Reply::Done { seen: seen.clone(), versions: versions.clone(), copies: 2 };
            let id = request.session.map(|(session, settled)| RequestId {
                session,
                number: request.number,
                settled,
                reply: Arc::from(done.encode()),
            });
            // The answer is remembered where a retry looks for it.
            parts.sort_by_key(|(lane, _)| *lane != keys[request.keys[0]].lane);
            self.node.commit(at, &mut self.copy, parts, id, out)
        } else {
            self.unacknowledged(&request, keys)
        };
        self.hold(at, request, places, Reply::Done { seen, versions, copies: 2 }, deeds);
    }

    /// What is not acknowledged of what a request shows.
    fn unacknowledged(&self, request: &Request, keys: &[Key]) -> Vec<(LaneNumber, Sequence)> {
        let positions = request.keys.iter().map(|&key| (keys[key].lane, self.node.position(keys[key].lane)));
        positions.filter(|(_, (done, end))| done < end).map(|(lane, (_, end))| (lane, end)).collect()
    }

    /// Answers once all of these are acknowledged.
    fn hold(
        &mut self,
        at: Now,
        request: Request,
        places: Vec<(LaneNumber, Sequence)>,
        reply: Reply,
        deeds: &mut Vec<Deed>,
    ) {
        if places.is_empty() {
            deeds.push(Deed::Reply(request, reply));
        } else {
            self.held.insert(request.number, Held { request, places, reply, since: at.at });
        }
    }

    pub fn record(&mut self, at: Now, key: &Key, value: Option<u64>, expires_at: u64) -> Record {
        let version = self.node.next_version(&self.copy, at.wall, key.slot, &key.name);
        let value = value.map(|value| Arc::from(value.to_be_bytes().as_slice()));
        Record { slot: key.slot, key: Arc::clone(&key.name), version, expires_at, value }
    }

    /// Entries of a lane are acknowledged.
    pub fn on_committed(&mut self, lane: LaneNumber, sequence: Sequence, by: u8, deeds: &mut Vec<Deed>) {
        let mut done = Vec::new();
        for (&number, held) in &mut self.held {
            let before = held.places.len();
            held.places.retain(|&(one, place)| one != lane || place > sequence);
            if held.places.len() < before
                && let Reply::Done { copies, .. } = &mut held.reply
            {
                *copies = (*copies).min(by);
            }
            if held.places.is_empty() {
                done.push(number);
            }
        }
        for number in done {
            if let Some(held) = self.held.remove(&number) {
                deeds.push(Deed::Reply(held.request, held.reply));
            }
        }
    }

    /// Another worker is primary of a lane.
    pub fn on_deposed(&mut self, lane: LaneNumber, deeds: &mut Vec<Deed>) {
        self.held.retain(|_, held| {
            let is_hit = held.places.iter().any(|&(one, _)| one == lane);
            if is_hit {
                let reply = if held.request.action.writes() { Reply::Unknown } else { Reply::Refused };
                deeds.push(Deed::Reply(held.request.clone(), reply));
            }
            !is_hit
        });
    }
}
