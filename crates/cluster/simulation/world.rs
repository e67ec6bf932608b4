//! Two workers, a witness, clients and what lies between them, in an order that follows from a seed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use tandem_cluster::{Input, Layout, Now, Output, Rules, Shape, Testimony};
use tandem_wire::replication::Frame;

use super::clients::Clients;
use super::coverage::Coverage;
use super::faults::{Fault, plan};
use super::network::{Network, Weather};
use super::process::{Deed, Process, Reply, Request};
use super::random::Random;

/// What comes to a worker.
#[derive(Debug, Clone)]
pub enum Arrival {
    Tick,
    Dialled {
        attempt: u64,
        connection: usize,
    },
    Refused {
        attempt: u64,
    },
    Closed {
        attempt: u64,
    },
    PartnerClosed {
        number: u64,
    },
    Frame {
        number: u64,
        frame: Frame,
    },
    Witness(Testimony),
    Request(Request),
    /// The partner's answer to a request that was passed on.
    Answer(u64, Reply),
    Stop,
}

/// What happens at some time.
#[derive(Debug, Clone)]
pub enum Event {
    Arrival {
        to: usize,
        life: u32,
        arrival: Arrival,
    },
    /// A worker's attempt at a connection reaches the other one.
    Knock {
        from: usize,
        life: u32,
        attempt: u64,
    },
    /// The witness has looked for the partner of this worker.
    Looked {
        by: usize,
        life: u32,
    },
    ClientTurn(usize),
    Answer {
        number: u64,
        reply: Reply,
    },
    /// A client stops to wait for the answer to an attempt at a request.
    ClientGivesUp {
        number: u64,
        attempt: u32,
    },
    Retry(u64),
    Start(usize),
    Resume {
        worker: usize,
        life: u32,
    },
    /// Faults begin and end, and what there is to see is looked at.
    Control,
    /// A slow worker stands still again.
    Stumble {
        worker: usize,
        until: u64,
    },
}

struct Scheduled {
    at: u64,
    order: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// A place where a worker runs.
pub struct Host {
    pub process: Option<Process>,
    pub life: u32,
    pub is_paused: bool,
    /// What came while the process stood still.
    pub backlog: Vec<Arrival>,
    /// By how much its wall clock is wrong, in ms.
    pub skew: i64,
    /// What its own clock showed when everything began, in ms.
    boot: u64,
    /// How often it looks at the time, in ms.
    pub tick_every: u64,
    pub room: usize,
    /// Lanes in which it has acknowledged something alone since both were in a pair.
    pub alone: HashSet<u16>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Faults,
    /// Nothing goes wrong any more: everything has to become well.
    Calm {
        since: u64,
    },
    Over,
}

/// All of it.
pub struct World {
    pub now: u64,
    pub random: Random,
    pub shape: Shape,
    pub rules: Rules,
    pub has_witness: bool,
    pub hosts: [Host; 2],
    pub network: Network,
    pub clients: Clients,
    pub coverage: Coverage,
    pub phase: Phase,
    pub faults: Vec<Fault>,
    /// Faults that last, and until when.
    pub active: Vec<(Fault, u64)>,
    pub next_fault: usize,
    pub fault_due: u64,
    /// A worker went while it was the only one to have something.
    pub may_lose: bool,
    /// Both may have served the same lanes.
    pub may_split: bool,
    pub has_split: bool,
    pub clients_stop: bool,
    /// Since when nothing was wrong, at the end.
    pub well_since: Option<u64>,
    /// When the last requests were made, and which of them were.
    pub finishing: Option<u64>,
    pub has_written: bool,
    pub has_read: bool,
    pub has_refused: bool,
    pub violation: Option<String>,
    pub is_traced: bool,
    pub dropped: u64,
    events: BinaryHeap<Reverse<Scheduled>>,
    order: u64,
    deeds: Vec<Deed>,
    outputs: Vec<Output>,
}

/// Clients that are at work at a time.
const CLIENTS: usize = 4;
/// A wall clock's time when everything begins.
const EPOCH: u64 = 1_700_000_000_000;

impl World {
    pub fn new(seed: u64, rules: &Rules, is_traced: bool) -> Self {
        let mut random = Random::new(seed.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add(7));
        let shape = random.pick(&[Shape::new(8, 2), Shape::new(8, 4), Shape::new(16, 4), Shape::new(4, 4)]);
        let mut rules = rules.clone();
        rules.layout = random.pick(&[Layout::Single, Layout::Split]);
        rules.timing.alone_after_ms = random.pick(&[1_000, 2_000, 5_000]);
        rules.volume.frame_bytes = random.pick(&[100, 400, 64 << 10]);
        rules.volume.window_bytes = random.pick(&[2_000, 8_000, 1 << 20]);
        rules.volume.batch_bytes = random.pick(&[60, 200, 1_000]).min(rules.volume.window_bytes / 4);
        rules.timing.check_every_ms = random.pick(&[20, 100]);
        rules.volume.refilling_lanes = random.pick(&[1, 2, 4]);
        let weather = Weather {
            delay: random.pick(&[(0, 0), (0, 2), (1, 5), (5, 60)]),
            lost: random.pick(&[0, 0, 5, 40]),
            doubled: random.pick(&[0, 0, 10, 50]),
            overtaken: random.pick(&[0, 0, 10, 50]),
        };
        let room = random.pick(&[30, 60, 10_000, 10_000]);
        let mut host = |boot| Host {
            process: None,
            life: 0,
            is_paused: false,
            backlog: Vec::new(),
            skew: random.pick(&[0, 0, 3, -40, 120]),
            boot,
            tick_every: random.pick(&[5, 10, 40]),
            room,
            alone: HashSet::new(),
        };
        let hosts = [host(1_000_000), host(3_333)];
        let faults = plan(&mut random);
        let mut world = Self {
            now: 0,
            shape,
            rules,
            has_witness: random.chance(50),
            hosts,
            network: Network::new(weather),
            clients: Clients::new(shape, CLIENTS, &mut random),
            coverage: Coverage::default(),
            phase: Phase::Faults,
            faults,
            active: Vec::new(),
            next_fault: 0,
            fault_due: 0,
            may_lose: false,
            may_split: false,
            has_split: false,
            clients_stop: false,
            well_since: None,
            finishing: None,
            has_written: false,
            has_read: false,
            has_refused: false,
            violation: None,
            is_traced,
            dropped: 0,
            events: BinaryHeap::new(),
            order: 0,
            deeds: Vec::new(),
            outputs: Vec::new(),
            random,
        };
        let late = if world.random.chance(15) { world.rules.timing.alone_after_ms + 700 } else { 50 };
        let first = world.random.below(2) as usize;
        world.after(0, Event::Start(first));
        let wait = world.random.below(late);
        world.after(wait, Event::Start(1 - first));
        for client in 0..CLIENTS {
            let wait = world.random.below(400);
            world.after(wait, Event::ClientTurn(client));
        }
        world.after(0, Event::Control);
        world
    }

    pub fn trace(&self, line: impl FnOnce() -> String) {
        if self.is_traced {
            println!("{:6} {}", self.now, line());
        }
    }

    pub fn fail(&mut self, what: String) {
        self.trace(|| format!("FAILED {what}"));
        self.violation.get_or_insert(what);
    }

    pub fn after(&mut self, wait: u64, event: Event) {
        self.at(self.now + wait, event);
    }

    pub fn at(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.events.push(Reverse(Scheduled { at, order: self.order, event }));
    }

    /// Runs until everything is over, or something is wrong.
    pub fn run(&mut self) {
        while self.phase != Phase::Over && self.violation.is_none() {
            let Some(Reverse(next)) = self.events.pop() else { return };
            self.now = next.at;
            self.happen(next.event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival { to, life, arrival } => {
                if self.hosts[to].life != life || self.hosts[to].process.is_none() {
                    return;
                }
                if matches!(arrival, Arrival::Tick) {
                    let every = self.hosts[to].tick_every;
                    self.after(every, Event::Arrival { to, life, arrival: Arrival::Tick });
                }
                if self.hosts[to].is_paused {
                    if !matches!(arrival, Arrival::Tick) {
                        self.hosts[to].backlog.push(arrival);
                    }
                } else {
                    self.arrive(to, arrival);
                }
            }
            Event::Knock { from, life, attempt } => self.knock(from, life, attempt),
            Event::Looked { by, life } => {
                let other = &self.hosts[1 - by];
                let testimony =
                    if other.process.is_some() && !other.is_paused { Testimony::Reached } else { Testimony::Unreached };
                self.send_to(by, life, 1, Arrival::Witness(testimony));
            }
            Event::ClientTurn(client) => self.client_turn(client),
            Event::Answer { number, reply } => self.answer(number, &reply),
            Event::ClientGivesUp { number, attempt } => {
                if self.clients.pending.get(&number).is_some_and(|pending| pending.attempts == attempt) {
                    self.answer(number, &Reply::Unknown);
                }
            }
            Event::Retry(number) => {
                if let Some(pending) = self.clients.pending.get(&number) {
                    let (worker, request) = (self.clients.prefers[pending.client], pending.request.clone());
                    self.issue(worker, request);
                }
            }
            Event::Start(worker) => self.start(worker),
            Event::Resume { worker, life } => self.resume(worker, life),
            Event::Control => self.control(),
            Event::Stumble { worker, until } => self.stumble(worker, until),
        }
    }

    pub fn send_to(&mut self, to: usize, life: u32, wait: u64, arrival: Arrival) {
        self.after(wait, Event::Arrival { to, life, arrival });
    }

    /// The time as a worker sees it.
    pub fn time_of(&self, worker: usize) -> Now {
        let host = &self.hosts[worker];
        Now { at: self.now + host.boot, wall: (EPOCH + self.now).saturating_add_signed(host.skew) }
    }

    /// Something comes to a process.
    pub fn arrive(&mut self, worker: usize, arrival: Arrival) {
        let at = self.time_of(worker);
        let (mut out, mut deeds) = (std::mem::take(&mut self.outputs), std::mem::take(&mut self.deeds));
        let keys = std::mem::take(&mut self.clients.keys);
        if let Some(process) = &mut self.hosts[worker].process {
            let input = match arrival {
                Arrival::Tick => Some(Input::Tick),
                Arrival::Dialled { attempt, connection } => (attempt == process.attempts).then(|| {
                    process.dialled = Some(connection);
                    self.network.connections[connection].is_open = true;
                    Input::Dialled
                }),
                Arrival::Refused { attempt } => (attempt == process.attempts).then_some(Input::Refused),
                Arrival::Closed { attempt } => (attempt == process.attempts && process.dialled.is_some()).then(|| {
                    process.dialled = None;
                    Input::Closed
                }),
                Arrival::PartnerClosed { number } => Some(Input::PartnerClosed { connection: number }),
                Arrival::Frame { number, frame } => Some(Input::Frame { connection: number, frame }),
                Arrival::Witness(testimony) => Some(Input::Witness(testimony)),
                Arrival::Stop => {
                    process.is_leaving = true;
                    Some(Input::Stop)
                }
                Arrival::Request(request) => {
                    process.accept(at, request, &keys, &mut out, &mut deeds);
                    None
                }
                Arrival::Answer(number, reply) => {
                    process.on_forwarded(number, reply, &mut deeds);
                    None
                }
            };
            let is_tick = matches!(input, Some(Input::Tick));
            if let Some(input) = input {
                process.node.step(at, input, &mut process.copy, &mut out);
            }
            if out.len() > 2_000 {
                self.violation.get_or_insert(format!("{} outputs of one step", out.len()));
            }
            if is_tick {
                process.expire(at, &keys, &mut out);
            }
            process.retry(at, &keys, &mut out, &mut deeds);
        }
        self.clients.keys = keys;
        self.follow(worker, at, &mut out, &mut deeds);
        (self.outputs, self.deeds) = (out, deeds);
    }

    /// Does what a step asks for, and what that leads to.
    fn follow(&mut self, worker: usize, at: Now, out: &mut Vec<Output>, deeds: &mut Vec<Deed>) {
        while !out.is_empty() || !deeds.is_empty() {
            let outputs = std::mem::take(out);
            for output in outputs {
                match output {
                    Output::Send(body) => self.send(worker, body),
                    Output::Dial => self.dial(worker),
                    Output::AskWitness => {
                        let life = self.hosts[worker].life;
                        self.coverage.witnessed += 1;
                        self.after(1, Event::Looked { by: worker, life });
                    }
                    Output::Event(event) => {
                        self.trace(|| format!("{worker} {event:?}"));
                        self.coverage.event(&event);
                        if let tandem_cluster::Event::Solo(lane) = event {
                            self.check_solo(worker, lane);
                        }
                    }
                    Output::Committed { lane, sequence, copies } => {
                        if copies == 1 {
                            self.hosts[worker].alone.insert(lane);
                        }
                        let Some(process) = &mut self.hosts[worker].process else { continue };
                        process.on_committed(lane, sequence, copies, deeds);
                    }
                    Output::Deposed(lane) => {
                        let Some(process) = &mut self.hosts[worker].process else { continue };
                        process.on_deposed(lane, deeds);
                    }
                    Output::MakeRoom(lane) => {
                        let Some(process) = &mut self.hosts[worker].process else { continue };
                        process.make_room_in(at, lane, &self.clients.keys, out, deeds);
                    }
                }
            }
            for deed in std::mem::take(deeds) {
                self.on_deed(worker, deed);
            }
        }
    }

    fn on_deed(&mut self, worker: usize, deed: Deed) {
        match deed {
            Deed::Reply(request, reply) => {
                self.trace(|| {
                    format!("{worker} answers {} {:?} {:?}: {reply:?}", request.number, request.action, request.keys)
                });
                if request.is_forwarded {
                    let life = self.hosts[1 - worker].life;
                    self.pass(worker, life, Arrival::Answer(request.number, reply));
                } else {
                    let wait = self.random.below(2);
                    self.after(wait, Event::Answer { number: request.number, reply });
                }
            }
            Deed::Forward(request) => {
                let life = self.hosts[1 - worker].life;
                self.pass(worker, life, Arrival::Request(request));
            }
            Deed::Evicted(key) => {
                self.trace(|| format!("{worker} evicts {key}"));
                self.coverage.evicted += 1;
                self.clients.evicted(key);
            }
            Deed::Recalled => self.coverage.recalled += 1,
            Deed::Served { lane } => self.check_served(worker, lane),
        }
    }
}
