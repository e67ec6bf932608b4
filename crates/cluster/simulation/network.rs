//! What lies between the two workers: connections that delay, cut, reset and refuse, and, more than TCP ever would,
//! lose, double and reorder frames.

use tandem_wire::replication::{Body, Frame};

use super::random::Random;

/// How a seed's network treats frames.
#[derive(Debug, Clone)]
pub struct Weather {
    /// Shortest and longest way of a frame, in ms.
    pub delay: (u64, u64),
    /// Frames of a thousand that get lost.
    pub lost: u64,
    /// Frames of a thousand that come twice.
    pub doubled: u64,
    /// Frames of a thousand that others overtake.
    pub overtaken: u64,
}

/// A connection that a worker has dialled.
#[derive(Debug)]
pub struct Connection {
    /// Who has dialled it, and in which of its lives.
    pub dialler: (usize, u32),
    /// In which of its lives the other one has accepted it, and which of all its connections it was.
    pub acceptor: Option<(u32, u64)>,
    /// The dialler can send on it.
    pub is_open: bool,
    /// Nothing comes before this.
    pub not_before: u64,
    /// What waits for a cut to end.
    pub stalled: Vec<Frame>,
}

/// The two ways between workers, and what is on them.
#[derive(Debug)]
pub struct Network {
    pub weather: Weather,
    /// Whether what a worker sends gets lost on its way, by worker.
    pub cut: [bool; 2],
    /// Nobody listens at a worker's address although it lives.
    pub refuses: [bool; 2],
    /// A worker's machine is gone: nothing even refuses.
    pub vanished: [bool; 2],
    pub connections: Vec<Connection>,
    /// Added to the way of every frame, in ms.
    pub slowness: u64,
}

/// Frames that a connection holds while nothing gets through; then its driver gives it up.
pub const STALLED: usize = 400;

/// What becomes of a frame that is sent.
pub struct Fate {
    /// When it comes; twice, if it is doubled.
    pub times: Vec<u64>,
    pub was_lost: bool,
    pub was_overtaken: bool,
}

impl Network {
    pub fn new(weather: Weather) -> Self {
        Self {
            weather,
            cut: [false; 2],
            refuses: [false; 2],
            vanished: [false; 2],
            connections: Vec::new(),
            slowness: 0,
        }
    }

    /// How long a way takes.
    pub fn delay(&self, random: &mut Random) -> u64 {
        random.between(self.weather.delay.0, self.weather.delay.1) + self.slowness
    }

    /// Whether what was sent before a cut ended has not come yet.
    pub fn is_stalled(&self, now: u64) -> bool {
        let longest = self.weather.delay.1 + self.slowness;
        self.connections.iter().any(|one| one.is_open && (!one.stalled.is_empty() || one.not_before > now + longest))
    }

    /// When a frame comes that is sent now.
    pub fn fate(&mut self, now: u64, connection: usize, body: &Body, random: &mut Random) -> Fate {
        let delay = self.delay(random);
        let one = &mut self.connections[connection];
        one.not_before = one.not_before.max(now + delay);
        let mut fate = Fate { times: vec![one.not_before], was_lost: false, was_overtaken: false };
        // A connection begins with its first frame, or does not begin.
        if matches!(body, Body::Hello { .. }) {
            return fate;
        }
        if random.below(1000) < self.weather.lost {
            fate.was_lost = true;
            fate.times.clear();
        } else if random.below(1000) < self.weather.doubled {
            fate.times.push(one.not_before + random.below(300));
        } else if random.below(1000) < self.weather.overtaken {
            fate.was_overtaken = true;
            fate.times[0] += random.below(300);
        }
        fate
    }
}
