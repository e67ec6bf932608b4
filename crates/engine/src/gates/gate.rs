//! The gate of one key.

use std::collections::VecDeque;
use std::sync::Arc;

use super::effects::{Effects, Outcome};
use super::ledger::Ledger;
use super::request::{GateKind, Request};
use crate::error::Error;

/// A request in a queue.
pub(super) struct Waiter {
    /// Place in the order of arrival.
    pub arrival: u64,
    pub request: Request,
}

/// The request that may change the key now (or, in a detached load, could until the key was removed).
pub(super) struct Holder {
    pub token: u64,
    pub request: Request,
    /// False once a loader's own ask was cancelled while others still wait for its load.
    pub asking: bool,
    /// In monotonic ms.
    pub deadline: Option<u64>,
}

impl Holder {
    /// Tells the holder that its token is worth nothing any more.
    pub fn end(&self, error: Error, effects: &mut Effects) {
        effects.post(&self.request, Outcome::Ended(error));
    }

    fn is_load(&self) -> bool {
        self.request.kind == GateKind::Load
    }
}

/// A load whose key was removed while it ran: those who asked before the removal get its value.
pub(super) struct DetachedLoad {
    pub holder: Holder,
    pub askers: VecDeque<Waiter>,
}

#[derive(Default)]
pub(super) struct Gate {
    pub holder: Option<Holder>,
    /// Ask for a value: of the load in flight, or else of the next one.
    pub loads: VecDeque<Waiter>,
    /// Upserts, inserts and updates.
    pub writers: VecDeque<Waiter>,
    pub stables: VecDeque<Waiter>,
    pub detached: Vec<DetachedLoad>,
}

impl Gate {
    pub fn is_empty(&self) -> bool {
        self.tickets() == 0
    }

    pub fn is_quiet(&self) -> bool {
        self.holder.is_none() && self.loads.is_empty() && self.writers.is_empty()
    }

    /// Holders and waiters.
    pub fn tickets(&self) -> usize {
        let detached: usize = self.detached.iter().map(|load| 1 + load.askers.len()).sum();
        usize::from(self.holder.is_some()) + self.loads.len() + self.writers.len() + self.stables.len() + detached
    }

    pub fn load_in_flight(&self) -> bool {
        self.holder.as_ref().is_some_and(Holder::is_load)
    }

    /// Makes `request` the holder; nobody else may be.
    pub fn hold(&mut self, key: &Arc<[u8]>, request: Request, ledger: &mut Ledger, now_ms: u64) -> u64 {
        debug_assert!(self.holder.is_none());
        let token = ledger.token();
        let deadline = request.hold_ms.map(|ms| now_ms.saturating_add(ms));
        if let Some(deadline) = deadline {
            ledger.deadlines.insert((deadline, token), key.clone());
        }
        self.holder = Some(Holder { token, request, asking: true, deadline });
        token
    }

    /// Takes the holder out, whose token is thereby fenced.
    pub fn take_holder(&mut self, ledger: &mut Ledger) -> Option<Holder> {
        self.holder.take().inspect(|holder| forget_deadline(holder, ledger))
    }

    /// Takes a detached load out.
    pub fn take_detached(&mut self, index: usize, ledger: &mut Ledger) -> DetachedLoad {
        let load = self.detached.swap_remove(index);
        forget_deadline(&load.holder, ledger);
        load
    }

    /// Gives the key to whoever came first, if nobody holds it.
    pub fn promote(&mut self, key: &Arc<[u8]>, ledger: &mut Ledger, now_ms: u64, effects: &mut Effects) {
        if self.holder.is_some() {
            return;
        }
        let load_first = match (self.loads.front(), self.writers.front()) {
            (Some(load), Some(writer)) => load.arrival < writer.arrival,
            (load, _) => load.is_some(),
        };
        let queue = if load_first { &mut self.loads } else { &mut self.writers };
        if let Some(Waiter { request, .. }) = queue.pop_front() {
            let granted = request.clone();
            let token = self.hold(key, request, ledger, now_ms);
            effects.post(&granted, Outcome::Granted { token });
        }
    }

    /// Answers everybody who asks for a value.
    pub fn answer_loads(&mut self, outcome: &Outcome, effects: &mut Effects) {
        answer(&mut self.loads, outcome, effects);
    }

    /// Lets the askers of a load that came to nothing ask again, in their old places.
    pub fn rejoin(&mut self, askers: VecDeque<Waiter>) {
        self.loads.extend(askers);
        self.loads.make_contiguous().sort_by_key(|waiter| waiter.arrival);
    }
}

/// Empties `queue` and posts `outcome` to all that were in it.
pub(super) fn answer(queue: &mut VecDeque<Waiter>, outcome: &Outcome, effects: &mut Effects) {
    for waiter in queue.drain(..) {
        effects.post(&waiter.request, outcome.clone());
    }
}

fn forget_deadline(holder: &Holder, ledger: &mut Ledger) {
    if let Some(deadline) = holder.deadline {
        ledger.deadlines.remove(&(deadline, holder.token));
    }
}
