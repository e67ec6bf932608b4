//! Leaving before the answer: one asker, a whole owner, or everybody.

use super::Gates;
use super::effects::{Effects, Outcome};
use super::gate::{DetachedLoad, Gate, answer};
use super::request::{GateKind, Request};
use crate::error::Error;

/// What became of a cancelled request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It is gone, its hold included; nothing more is posted to it (a `Granted` may be on its way: its token is fenced).
    Left,
    /// Its ask is gone, but it runs a load that others wait for. Go on, or finish it as abandoned.
    StillLoading,
    /// It was not there: it has been answered already.
    Unknown,
}

impl Gates {
    /// Cancels `owner`'s request `ticket` on `key`, and no other. When nobody asks for a load any more, the load is
    /// ended: its holder is told `Cancelled`.
    pub fn cancel(&mut self, key: &[u8], owner: u64, ticket: u64, now_ms: u64, effects: &mut Effects) -> Cancelled {
        self.change(key, effects, |gate, key, ledger, effects| {
            let is_it = |request: &Request| request.is(owner, ticket);
            if gate.holder.as_ref().is_some_and(|holder| is_it(&holder.request)) {
                if gate.load_in_flight() && !gate.loads.is_empty() {
                    return still_loading(gate.holder.as_mut().map(|holder| &mut holder.asking));
                }
                gate.take_holder(ledger);
                gate.promote(key, ledger, now_ms, effects);
                return Cancelled::Left;
            }
            if let Some(index) = gate.detached.iter().position(|load| is_it(&load.holder.request)) {
                if !gate.detached[index].askers.is_empty() {
                    return still_loading(Some(&mut gate.detached[index].holder.asking));
                }
                gate.take_detached(index, ledger);
                return Cancelled::Left;
            }
            let before = gate.tickets();
            gate.retain(|request| !is_it(request));
            if gate.tickets() == before {
                return Cancelled::Unknown;
            }
            gate.end_unwanted_loads(ledger, effects);
            gate.promote(key, ledger, now_ms, effects);
            Cancelled::Left
        })
        .unwrap_or(Cancelled::Unknown)
    }

    /// Forgets everything `owner` asked for and releases what it holds: the oldest asker of its load becomes the
    /// loader. Nothing is posted to `owner`. Costs time by the number of gates and waiters.
    pub fn owner_gone(&mut self, owner: u64, now_ms: u64, effects: &mut Effects) {
        for key in self.keys() {
            self.change(&key, effects, |gate, key, ledger, effects| {
                gate.retain(|request| request.owner != owner);
                if gate.holder.as_ref().is_some_and(|holder| holder.request.owner == owner) {
                    gate.take_holder(ledger);
                }
                while let Some(index) = gate.detached.iter().position(|load| load.holder.request.owner == owner) {
                    let DetachedLoad { askers, .. } = gate.take_detached(index, ledger);
                    gate.rejoin(askers);
                }
                gate.end_unwanted_loads(ledger, effects);
                gate.promote(key, ledger, now_ms, effects);
            });
        }
    }

    /// Answers everybody `Closed` and refuses whoever comes later.
    pub fn close(&mut self, effects: &mut Effects) {
        self.closed = true;
        let closed = Outcome::Ended(Error::Closed);
        for key in self.keys() {
            self.change(&key, effects, |gate, _, ledger, effects| {
                if let Some(holder) = gate.take_holder(ledger) {
                    holder.end(Error::Closed, effects);
                }
                while !gate.detached.is_empty() {
                    let mut load = gate.take_detached(0, ledger);
                    load.holder.end(Error::Closed, effects);
                    answer(&mut load.askers, &closed, effects);
                }
                for queue in [&mut gate.loads, &mut gate.writers, &mut gate.stables] {
                    answer(queue, &closed, effects);
                }
            });
        }
    }
}

fn still_loading(asking: Option<&mut bool>) -> Cancelled {
    match asking {
        Some(asking) if *asking => {
            *asking = false;
            Cancelled::StillLoading
        }
        _ => Cancelled::Unknown,
    }
}

impl Gate {
    /// Keeps only waiters that `keep` says; holders stay.
    fn retain(&mut self, keep: impl Fn(&Request) -> bool) {
        for queue in [&mut self.loads, &mut self.writers, &mut self.stables] {
            queue.retain(|waiter| keep(&waiter.request));
        }
        for load in &mut self.detached {
            load.askers.retain(|waiter| keep(&waiter.request));
        }
    }

    /// Ends loads in flight that nobody asks for any more.
    fn end_unwanted_loads(&mut self, ledger: &mut super::Ledger, effects: &mut Effects) {
        let unwanted = |holder: &super::gate::Holder, askers: usize| {
            holder.request.kind == GateKind::Load && !holder.asking && askers == 0
        };
        if self.holder.as_ref().is_some_and(|holder| unwanted(holder, self.loads.len()))
            && let Some(holder) = self.take_holder(ledger)
        {
            holder.end(Error::Cancelled, effects);
        }
        while let Some(index) = self.detached.iter().position(|load| unwanted(&load.holder, load.askers.len())) {
            self.take_detached(index, ledger).holder.end(Error::Cancelled, effects);
        }
    }
}
