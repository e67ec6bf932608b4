//! What clients ask for, and what they know of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tandem_cluster::Shape;
use tandem_wire::replication::{LaneNumber, Version};

use super::history::{Act, Deed};
use super::process::{Action, Key, Reply, Request};
use super::random::Random;

/// A request that has no answer yet.
pub struct Pending {
    pub client: usize,
    pub request: Request,
    pub call: u64,
    /// How often it was asked for.
    pub attempts: u32,
    /// An attempt before may have done it.
    is_doubtful: bool,
}

/// How often a client asks for what may have been done.
const ATTEMPTS: u32 = 6;

/// What is known of a key.
#[derive(Debug, Default, Clone)]
pub struct Knowledge {
    pub acts: Vec<Act>,
    /// The highest version that was acknowledged, and whether nothing was left by it.
    pub newest: Option<(Version, bool)>,
    /// It may be gone for other reasons than a deletion that was acknowledged.
    pub may_vanish: bool,
}

/// All clients.
pub struct Clients {
    pub keys: Vec<Key>,
    pub known: Vec<Knowledge>,
    pub pending: BTreeMap<u64, Pending>,
    /// The worker that each client speaks to.
    pub prefers: Vec<usize>,
    /// Keys that several clients write, and pairs of keys that are always written together.
    contended: usize,
    pairs: usize,
    shape: Shape,
    /// The last numbered request of each client that has an answer.
    settled: Vec<u64>,
    /// Lanes that may yet be emptied, and since when.
    open_flushes: Vec<(LaneNumber, u64)>,
    order: u64,
    requests: u64,
    values: u64,
    pub acknowledged: u64,
}

impl Clients {
    pub fn new(shape: Shape, count: usize, random: &mut Random) -> Self {
        let (contended, pairs) = (random.between(2, 5) as usize, 2);
        let mut all = Self {
            keys: Vec::new(),
            known: Vec::new(),
            pending: BTreeMap::new(),
            prefers: (0..count).map(|_| random.below(2) as usize).collect(),
            contended,
            pairs,
            shape,
            settled: vec![0; count],
            open_flushes: Vec::new(),
            order: 0,
            requests: 0,
            values: 0,
            acknowledged: 0,
        };
        for _ in 0..contended + 2 * pairs {
            all.add_key();
        }
        all
    }

    fn add_key(&mut self) -> usize {
        let number = self.keys.len();
        let name: Arc<[u8]> = Arc::from(format!("k{number}").as_bytes());
        let slot = self.shape.slot_of(&name);
        let lane = self.shape.lane_of(slot);
        self.keys.push(Key { name, slot, lane });
        let flushes = self.open_flushes.iter().filter(|(of, _)| *of == lane);
        let acts: Vec<Act> =
            flushes.map(|&(_, call)| Act { deed: Deed::Remove, call, answered: None, seen: None }).collect();
        let may_vanish = !acts.is_empty();
        self.known.push(Knowledge { acts, newest: None, may_vanish });
        number
    }

    /// A new key in a lane.
    pub fn add_key_in(&mut self, lane: LaneNumber) -> usize {
        loop {
            let key = self.add_key();
            if self.keys[key].lane == lane {
                return key;
            }
        }
    }

    /// A request of nobody who goes on afterwards.
    pub fn last(&mut self, writes: bool, key: usize) -> Request {
        let action = if writes { Action::Set(self.value(), 0) } else { Action::Get };
        self.begin(0, action, vec![key])
    }

    /// The pairs of keys that are always written together.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let first = self.contended;
        (0..self.pairs).map(move |pair| (first + 2 * pair, first + 2 * pair + 1))
    }

    /// The next moment.
    pub fn tick(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    fn value(&mut self) -> u64 {
        self.values += 1;
        self.values
    }

    /// What a client does next.
    pub fn ask(&mut self, client: usize, random: &mut Random) -> Request {
        let fresh = self.contended + 2 * self.pairs;
        if random.below(400) == 0 {
            return self.begin(client, Action::Flush, vec![random.below(self.contended as u64) as usize]);
        }
        let (action, keys) = match random.below(100) {
            0..15 => (Action::Get, vec![random.below(self.contended as u64) as usize]),
            15..30 => (Action::Set(self.value(), 0), vec![random.below(self.contended as u64) as usize]),
            30..36 => (Action::Swap(self.value()), vec![random.below(self.contended as u64) as usize]),
            36..40 => (Action::Delete, vec![random.below(self.contended as u64) as usize]),
            40..42 => {
                let key = random.below(self.contended as u64) as usize;
                (Action::Set(self.value(), random.between(50, 800)), vec![key])
            }
            42..48 => {
                let first = self.contended + 2 * random.below(self.pairs as u64) as usize;
                (Action::Set(self.value(), 0), vec![first, first + 1])
            }
            48..75 => (Action::Set(self.value(), 0), vec![self.add_key()]),
            75..85 if self.keys.len() > fresh => {
                (Action::Delete, vec![fresh + random.below((self.keys.len() - fresh) as u64) as usize])
            }
            _ if self.keys.len() > fresh => {
                (Action::Get, vec![fresh + random.below((self.keys.len() - fresh) as u64) as usize])
            }
            _ => (Action::Set(self.value(), 0), vec![self.add_key()]),
        };
        self.begin(client, action, keys)
    }

    /// Notes that something is asked for.
    pub fn begin(&mut self, client: usize, action: Action, keys: Vec<usize>) -> Request {
        self.requests += 1;
        let is_numbered = action.writes() && action != Action::Flush && self.requests.is_multiple_of(2);
        let session = is_numbered.then(|| (client as u64, self.settled[client]));
        let request = Request { number: self.requests, action, keys, session, is_forwarded: false };
        let pending = Pending { client, request: request.clone(), call: self.tick(), attempts: 1, is_doubtful: false };
        self.pending.insert(request.number, pending);
        request
    }

    /// Whether a request of unknown outcome is asked for again. Only a numbered one may be.
    pub fn tries_again(&mut self, number: u64, reply: &Reply) -> bool {
        let Some(pending) = self.pending.get_mut(&number) else { return false };
        pending.is_doubtful |= *reply == Reply::Unknown;
        let again = pending.request.session.is_some() && pending.is_doubtful && pending.attempts < ATTEMPTS;
        if again && !matches!(reply, Reply::Done { .. }) {
            pending.attempts += 1;
            self.prefers[pending.client] ^= 1;
            return true;
        }
        false
    }

    /// Notes what came of it; `None` if that is known already.
    pub fn end(&mut self, number: u64, reply: &Reply) -> Option<Pending> {
        let pending = self.pending.remove(&number)?;
        let now = self.tick();
        if pending.request.session.is_some() {
            self.settled[pending.client] = number;
        }
        let reply = if pending.is_doubtful && *reply == Reply::Refused { &Reply::Unknown } else { reply };
        if pending.request.action == Action::Flush {
            self.end_flush(&pending, now, reply);
            return Some(pending);
        }
        let (answered, all_seen) = match reply {
            Reply::Refused => return Some(pending),
            Reply::Unknown => (None, None),
            Reply::Done { seen, .. } => (Some(now), Some(seen)),
        };
        for (index, &key) in pending.request.keys.iter().enumerate() {
            let seen = all_seen.and_then(|all| all[index]);
            let known = &mut self.known[key];
            let (deed, shows) = match pending.request.action {
                Action::Get => (Deed::Read, true),
                Action::Set(value, ttl) => {
                    if ttl != 0 {
                        let act = Act { deed: Deed::Expire(value), call: pending.call, answered: None, seen: None };
                        known.acts.push(act);
                        known.may_vanish = true;
                    }
                    (Deed::Write(value), false)
                }
                Action::Swap(value) => (Deed::Swap(value), true),
                Action::Delete | Action::Flush => (Deed::Remove, false),
            };
            known.may_vanish |= deed == Deed::Remove && answered.is_none();
            let seen = if shows { seen } else { None };
            known.acts.push(Act { deed, call: pending.call, answered, seen });
            if let Reply::Done { versions, .. } = reply
                && let Some(&version) = versions.get(index)
                && known.newest.is_none_or(|(newest, _)| newest < version)
            {
                known.newest = Some((version, deed == Deed::Remove));
            }
        }
        self.acknowledged += u64::from(answered.is_some() && pending.request.action.writes());
        Some(pending)
    }

    /// A lane was emptied, or may have been.
    fn end_flush(&mut self, pending: &Pending, now: u64, reply: &Reply) {
        let (answered, version) = match reply {
            Reply::Refused => return,
            Reply::Unknown => (None, None),
            Reply::Done { versions, .. } => (Some(now), versions.first().copied()),
        };
        let lane = self.keys[pending.request.keys[0]].lane;
        if answered.is_none() {
            self.open_flushes.push((lane, pending.call));
        }
        let paired = self.contended..self.contended + 2 * self.pairs;
        for (number, known) in self.known.iter_mut().enumerate().filter(|(number, _)| self.keys[*number].lane == lane) {
            known.acts.push(Act { deed: Deed::Remove, call: pending.call, answered, seen: None });
            known.may_vanish |= answered.is_none() || paired.contains(&number);
            if let Some(version) = version
                && known.newest.is_none_or(|(newest, _)| newest < version)
            {
                known.newest = Some((version, true));
            }
        }
    }

    /// A key was given up for others.
    pub fn evicted(&mut self, key: usize) {
        let call = self.tick();
        self.known[key].may_vanish = true;
        self.known[key].acts.push(Act { deed: Deed::Remove, call, answered: None, seen: None });
    }
}
