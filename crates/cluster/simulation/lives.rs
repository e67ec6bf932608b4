//! Processes begin, end and stand still.

use tandem_cluster::Identity;
use tandem_wire::replication::{Incarnation, NodeId};

use super::process::Process;
use super::world::{Arrival, World};

impl World {
    /// A process begins, without data.
    pub fn start(&mut self, worker: usize) {
        if self.hosts[worker].process.is_some() {
            return;
        }
        let host = &mut self.hosts[worker];
        host.life += 1;
        host.is_paused = false;
        host.backlog.clear();
        host.alone.clear();
        let seed = self.random.next();
        let incarnation = self.incarnation(worker, seed);
        let identity = Identity {
            me: NodeId(worker as u64 + 1),
            partner: NodeId(2 - worker as u64),
            incarnation,
            capacity: self.hosts[worker].room as u64,
            has_witness: self.has_witness,
        };
        let room = self.hosts[worker].room;
        // What is under way from the partner needs room, too.
        let process = Process::new(identity, self.shape, self.rules.clone(), seed, room + 20);
        self.hosts[worker].process = Some(self.spoilt(process));
        self.network.vanished[worker] = false;
        let life = self.hosts[worker].life;
        self.trace(|| format!("{worker} starts, life {life}"));
        self.send_to(worker, life, 0, Arrival::Tick);
    }

    #[cfg(not(feature = "planted"))]
    fn incarnation(&self, _worker: usize, seed: u64) -> Incarnation {
        Incarnation(seed)
    }

    #[cfg(not(feature = "planted"))]
    fn spoilt(&self, process: Process) -> Process {
        process
    }

    #[cfg(feature = "planted")]
    fn incarnation(&self, worker: usize, seed: u64) -> Incarnation {
        let is_reused = self.rules.planted == Some(tandem_cluster::Defect::ReuseIncarnation);
        Incarnation(if is_reused { worker as u64 + 1 } else { seed })
    }

    #[cfg(feature = "planted")]
    fn spoilt(&self, mut process: Process) -> Process {
        process.copy.forgets_floors = self.rules.planted == Some(tandem_cluster::Defect::ForgetFloor);
        process
    }

    /// A process ends, with its data.
    pub fn kill(&mut self, worker: usize, silently: bool) {
        let Some(process) = self.hosts[worker].process.take() else { return };
        self.trace(|| format!("{worker} ends"));
        self.dropped += process.node.dropped();
        self.hosts[worker].is_paused = false;
        self.network.vanished[worker] = silently;
        let other = 1 - worker;
        if !silently && let Some(dialled) = process.dialled {
            self.close(dialled);
        }
        if !silently && let Some(dialled) = self.hosts[other].process.as_ref().and_then(|process| process.dialled) {
            self.reset(dialled);
        }
    }

    pub fn resume(&mut self, worker: usize, life: u32) {
        let host = &mut self.hosts[worker];
        if host.life != life || !host.is_paused || host.process.is_none() {
            return;
        }
        host.is_paused = false;
        let mut backlog = std::mem::take(&mut host.backlog);
        self.trace(|| format!("{worker} goes on with {} in its queue", backlog.len()));
        // Whether timers, sockets or requests come first is up to its threads.
        match self.random.below(3) {
            0 => backlog.insert(0, Arrival::Tick),
            1 => backlog.sort_by_key(|arrival| !matches!(arrival, Arrival::Request(_))),
            _ => backlog.push(Arrival::Tick),
        }
        for arrival in backlog {
            self.arrive(worker, arrival);
        }
    }
}
