//! Asking for a key.

use super::gate::{Gate, Waiter};
use super::request::{GateKind, Request};
use super::{Effects, Gates};
use crate::error::{Error, Result};

/// Answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acquired {
    /// It holds the key at once. Nothing was posted.
    Granted {
        /// The fencing token.
        token: u64,
    },
    /// It waits; its outcome will be posted.
    Queued,
}

impl Gates {
    /// Asks for `key`. The caller has decided on committed state that the request must be asked at all: a load only on
    /// a miss (or to refresh), a stable wait only where the key is absent or not quiet.
    ///
    /// # Errors
    /// [`Error::Overloaded`] beyond the limit of the key, [`Error::Closed`] after [`Gates::close`].
    pub fn acquire(&mut self, key: &[u8], request: Request, now_ms: u64) -> Result<Acquired> {
        if self.closed {
            return Err(Error::Closed);
        }
        match self.gates.get_mut(key) {
            Some(gate) if gate.tickets() >= self.per_key => {
                return Err(Error::Overloaded { what: "too many operations wait for this key" });
            }
            Some(_) => {}
            None => {
                self.gates.insert(key.into(), Gate::default());
                self.ledger.key_bytes += key.len();
            }
        }
        // Asking never leaves a gate empty and wakes nobody, so there are no effects to hand on.
        let mut none = Effects::default();
        let acquired = self.change(key, &mut none, |gate, key, ledger, _| {
            let arrival = ledger.arrival();
            let free = gate.holder.is_none();
            let queue = match request.kind {
                GateKind::Stable => &mut gate.stables,
                _ if free => return Acquired::Granted { token: gate.hold(key, request, ledger, now_ms) },
                GateKind::Load => &mut gate.loads,
                GateKind::Upsert | GateKind::Insert | GateKind::Update => &mut gate.writers,
            };
            queue.push_back(Waiter { arrival, request });
            Acquired::Queued
        });
        Ok(acquired.expect("the gate was looked up or made above"))
    }

    /// Whether `key` has stable waiters and nobody else, so that they can be answered if the key is there.
    pub fn stable_due(&self, key: &[u8]) -> bool {
        self.gates.get(key).is_some_and(|gate| gate.is_quiet() && !gate.stables.is_empty())
    }

    /// Answers the stable waiters of `key`, which the caller found to be there; to be delivered with its value.
    pub fn answer_stable(&mut self, key: &[u8], effects: &mut Effects) {
        self.change(key, effects, |gate, _, _, effects| {
            super::gate::answer(&mut gate.stables, &super::Outcome::Value(None), effects);
        });
    }
}
