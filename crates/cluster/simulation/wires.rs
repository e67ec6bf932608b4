//! Connections begin and end, and what is sent on them comes, or does not.

use tandem_wire::replication::{Body, Frame};

use super::network::{Connection, STALLED};
use super::world::{Arrival, Event, World};

impl World {
    /// A connection is closed by its dialler: the other one learns of it, unless nothing gets through.
    pub fn close(&mut self, connection: usize) {
        let delay = self.network.delay(&mut self.random);
        let one = &mut self.network.connections[connection];
        let ((from, _), was_open) = (one.dialler, one.is_open);
        one.is_open = false;
        one.stalled.clear();
        if was_open
            && !self.network.cut[from]
            && let Some((life, number)) = one.acceptor
        {
            let at = one.not_before.max(self.now + delay);
            self.at(at, Event::Arrival { to: 1 - from, life, arrival: Arrival::PartnerClosed { number } });
        }
    }

    /// A connection is reset: both learn of it.
    pub fn reset(&mut self, connection: usize) {
        let was_open = self.network.connections[connection].is_open;
        self.close(connection);
        let delay = self.network.delay(&mut self.random);
        let one = &mut self.network.connections[connection];
        let (worker, life) = one.dialler;
        if was_open
            && !self.network.cut[1 - worker]
            && let Some(process) = &self.hosts[worker].process
        {
            let attempt = process.attempts;
            self.send_to(worker, life, delay, Arrival::Closed { attempt });
        }
    }

    /// Sends something that is not replication to the other worker.
    pub fn pass(&mut self, from: usize, life: u32, arrival: Arrival) {
        let delay = self.network.delay(&mut self.random);
        if !self.network.cut[from] {
            self.send_to(1 - from, life, delay, arrival);
        } else if self.random.chance(50) {
            // It waits in a socket until the cut ends, or for ever.
            let late = self.random.below(3_000);
            self.send_to(1 - from, life, delay + late, arrival);
        }
    }

    pub fn dial(&mut self, worker: usize) {
        self.trace(|| format!("{worker} dials"));
        let life = self.hosts[worker].life;
        let Some(process) = &mut self.hosts[worker].process else { return };
        process.attempts += 1;
        let attempt = process.attempts;
        if let Some(old) = process.dialled.take() {
            self.close(old);
        }
        if !self.network.cut[worker] {
            let delay = self.network.delay(&mut self.random);
            self.after(delay, Event::Knock { from: worker, life, attempt });
        }
    }

    pub fn knock(&mut self, from: usize, life: u32, attempt: u64) {
        let to = 1 - from;
        if self.network.vanished[to] || self.network.cut[to] {
            return;
        }
        let delay = self.network.delay(&mut self.random);
        let to_life = self.hosts[to].life;
        match &mut self.hosts[to].process {
            Some(process) if !self.network.refuses[to] => {
                process.accepted += 1;
                let connection = self.network.connections.len();
                let acceptor = Some((to_life, process.accepted));
                self.network.connections.push(Connection {
                    dialler: (from, life),
                    acceptor,
                    is_open: false,
                    not_before: 0,
                    stalled: Vec::new(),
                });
                self.send_to(from, life, delay, Arrival::Dialled { attempt, connection });
            }
            _ => self.send_to(from, life, delay, Arrival::Refused { attempt }),
        }
    }

    pub fn send(&mut self, worker: usize, body: Body) {
        let Some(process) = &self.hosts[worker].process else { return };
        let Some(connection) = process.dialled else { return };
        let frame = Frame { header: process.node.header(), body };
        self.trace(|| format!("{worker} sends {:?}", frame.body));
        self.coverage.frames += 1;
        if self.network.cut[worker] {
            let stalled = &mut self.network.connections[connection].stalled;
            stalled.push(frame);
            if stalled.len() > STALLED {
                let (life, attempt) = (self.hosts[worker].life, process.attempts);
                self.network.connections[connection].is_open = false;
                self.network.connections[connection].stalled.clear();
                self.send_to(worker, life, 0, Arrival::Closed { attempt });
            }
            return;
        }
        self.deliver(worker, connection, frame);
    }

    fn deliver(&mut self, from: usize, connection: usize, frame: Frame) {
        let one = &self.network.connections[connection];
        let Some((life, number)) = one.acceptor else { return };
        if !one.is_open || self.hosts[1 - from].life != life {
            return;
        }
        let fate = self.network.fate(self.now, connection, &frame.body, &mut self.random);
        self.coverage.weather(fate.was_lost, fate.times.len() > 1, fate.was_overtaken);
        for at in fate.times {
            let arrival = Arrival::Frame { number, frame: frame.clone() };
            self.at(at, Event::Arrival { to: 1 - from, life, arrival });
        }
    }

    /// What waited for a cut to end comes, when its sender tries again.
    pub fn release(&mut self, from: usize) {
        for connection in 0..self.network.connections.len() {
            if self.network.connections[connection].dialler.0 != from {
                continue;
            }
            let stalled = std::mem::take(&mut self.network.connections[connection].stalled);
            if !stalled.is_empty() {
                let late = self.now + self.random.below(1_000);
                self.network.connections[connection].not_before = late;
            }
            for frame in stalled {
                self.deliver(from, connection, frame);
            }
        }
    }
}
