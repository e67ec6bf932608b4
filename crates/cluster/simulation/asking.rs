//! What clients ask for gets to the workers, and the answers back.

use super::process::{Reply, Request};
use super::world::{Arrival, Event, World};

/// How long a client waits, in ms.
const CLIENT_PATIENCE: u64 = 1_000;

impl World {
    pub fn client_turn(&mut self, client: usize) {
        if self.clients_stop {
            return;
        }
        let request = self.clients.ask(client, &mut self.random);
        let worker = self.clients.prefers[client];
        self.issue(worker, request);
    }

    /// A client sends a request to a worker.
    pub fn issue(&mut self, worker: usize, request: Request) {
        let number = request.number;
        self.trace(|| format!("  asks {worker}: {number} {:?} {:?}", request.action, request.keys));
        let life = self.hosts[worker].life;
        if self.hosts[worker].process.is_some() {
            let wait = self.random.below(2);
            self.send_to(worker, life, wait, Arrival::Request(request));
            let attempt = self.clients.pending.get(&number).map_or(0, |pending| pending.attempts);
            self.after(CLIENT_PATIENCE, Event::ClientGivesUp { number, attempt });
        } else {
            self.after(1, Event::Answer { number, reply: Reply::Refused });
        }
    }

    pub fn answer(&mut self, number: u64, reply: &Reply) {
        if self.clients.tries_again(number, reply) {
            self.coverage.retries += 1;
            let wait = self.random.between(5, 60);
            self.after(wait, Event::Retry(number));
            return;
        }
        let Some(pending) = self.clients.end(number, reply) else { return };
        self.on_last(reply);
        let think = match reply {
            Reply::Done { .. } => self.random.between(1, 40),
            Reply::Refused | Reply::Unknown => {
                self.clients.prefers[pending.client] ^= 1;
                self.random.between(5, 60)
            }
        };
        if self.random.chance(5) {
            self.clients.prefers[pending.client] = self.random.below(2) as usize;
        }
        self.after(think, Event::ClientTurn(pending.client));
    }
}
