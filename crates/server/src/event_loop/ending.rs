//! What ends from outside: the waits of connections, those that are silent, and all when the server stops.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::{Accept, EventLoop};
use crate::idle::Idle;
use crate::mailbox::Address;
use crate::waiting::GivenUp;

/// Longer than any request waits for a key.
const FOREVER: Duration = Duration::from_secs(24 * 3600);

impl EventLoop {
    /// Closes connections that have been silent for too long and wait for nothing.
    pub(super) fn close_silent(&mut self) {
        let texts = self.shared.loops[self.index].text_clients.load(Relaxed);
        let Some(idle) = &mut self.idle else {
            if texts > 0 {
                self.idle = Idle::new(&self.shared.options.limits, texts);
            }
            return;
        };
        if !idle.is_due() {
            return;
        }
        let silent: Vec<usize> = self
            .connections
            .iter()
            .filter(|(slot, one)| idle.is_silent(*slot, one.is_text()) && !one.waits())
            .map(|(slot, _)| slot)
            .collect();
        for slot in silent {
            self.shared.silent.fetch_add(1, Relaxed);
            let connection = &mut self.connections[slot];
            if connection.is_text() && !connection.has_backlog() {
                connection.say("silent for too long", &self.shared);
            }
            self.close(slot);
        }
        if self.shared.options.limits.idle.is_none() && texts == 0 {
            self.idle = None;
        }
    }

    /// Ends the wait of a connection whose request holds up its others, if it still waits.
    pub(super) fn unblock(&mut self, to: Address, how: GivenUp) {
        let slot = to.slot as usize;
        let Some(connection) = self.connections.get_mut(slot).filter(|one| one.id() == to.client_id) else { return };
        let counters = &self.shared.loops[self.index].counters;
        let outcome = connection.unblock(how, &mut self.workspace, &self.shared, counters);
        self.carry_out(slot, outcome);
    }

    /// The first time: stops accepting, answers what has been received and closes each connection as soon as its
    /// peer has taken the answers. Returns true when the time for that is over.
    pub(super) fn stop_step(&mut self) -> bool {
        if !self.stopping {
            self.stopping = true;
            self.listener = None;
            self.accept = Accept::Nothing;
            self.doorstep.clear();
            self.take_mailbox();
            self.shared.pause.end();
            self.resume();
            let slots: Vec<usize> = self.connections.iter().map(|(slot, _)| slot).collect();
            for slot in slots {
                // Nobody goes on waiting for keys.
                self.end_waits(slot, Instant::now() + FOREVER, GivenUp::Stopping);
                if !self.connections.contains(slot) {
                    continue;
                }
                self.connections[slot].finish_soon();
                self.on_writable(slot);
                self.on_readable(slot);
                // What is left waits for its peer to take replies; a deadline set before is longer.
                if let Some(connection) = self.connections.get(slot) {
                    self.watch(slot, connection.patience(&self.shared));
                }
            }
        }
        self.shared.stop_by.lock().is_some_and(|by| Instant::now() >= by)
    }
}
