//! The end of a hold: by its holder, or by its deadline.

use std::sync::Arc;

use super::effects::{Effects, Outcome};
use super::gate::answer;
use super::{GateKind, Gates};
use crate::error::Error;

/// How a holder ends its hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Its value was committed.
    Stored,
    /// A loaded value that was not stored (too large, or not to be kept); askers get it all the same.
    Returned,
    /// An upsert left the key as it is, an insert or update did not apply, a loader found nothing.
    Kept,
    /// The key was deleted.
    Deleted,
    /// The transform or loader failed; all askers of a load get these bytes.
    Failed(Arc<[u8]>),
    /// The holder gives up without a result: the next one runs instead.
    Abandoned,
}

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It holds the key.
    Holds(GateKind),
    /// A load whose key was removed meanwhile: its value may be handed out, not stored.
    Detached,
    /// Nothing: it was overtaken, timed out or finished.
    Fenced,
}

/// Most holders that one [`Gates::tick`] ends, so that a step of background work stays short.
const DEADLINES_PER_TICK: usize = 64;

impl Gates {
    /// What `token` is worth for `key`. Asked under the lock before a commit.
    pub fn standing(&self, key: &[u8], token: u64) -> Standing {
        let Some(gate) = self.gates.get(key) else { return Standing::Fenced };
        match &gate.holder {
            Some(holder) if holder.token == token => Standing::Holds(holder.request.kind),
            _ if gate.detached.iter().any(|load| load.holder.token == token) => Standing::Detached,
            _ => Standing::Fenced,
        }
    }

    /// Ends the hold of `token` and serves the next. The holder itself learns the result from its caller, nothing is
    /// posted to it. Returns what the token was worth; a fenced one changes nothing.
    pub fn finish(&mut self, key: &[u8], token: u64, end: End, now_ms: u64, effects: &mut Effects) -> Standing {
        let standing = self.standing(key, token);
        if standing == Standing::Fenced {
            return standing;
        }
        let load_outcome = match &end {
            End::Stored | End::Returned => Some(Outcome::Value(None)),
            End::Kept | End::Deleted => Some(Outcome::Absent),
            End::Failed(error) => Some(Outcome::Failed(error.clone())),
            End::Abandoned => None,
        };
        self.change(key, effects, |gate, key, ledger, effects| {
            if let Some(index) = gate.detached.iter().position(|load| load.holder.token == token) {
                let mut load = gate.take_detached(index, ledger);
                match load_outcome {
                    Some(outcome) => answer(&mut load.askers, &outcome, effects),
                    None => gate.rejoin(load.askers),
                }
            } else {
                let was_load = gate.load_in_flight();
                gate.take_holder(ledger);
                match load_outcome {
                    Some(outcome) if was_load => gate.answer_loads(&outcome, effects),
                    // To those who ask for a value, what a writer stored is a hit.
                    _ if end == End::Stored => gate.answer_loads(&Outcome::Value(None), effects),
                    _ => {}
                }
            }
            gate.promote(key, ledger, now_ms, effects);
        });
        standing
    }

    /// Ends holds whose deadline has passed at `now_ms`: their holders are told `Timeout`, the next ones are served.
    /// Returns true while more are due.
    pub fn tick(&mut self, now_ms: u64, effects: &mut Effects) -> bool {
        for _ in 0..DEADLINES_PER_TICK {
            let Some((&(deadline, token), key)) = self.ledger.deadlines.first_key_value() else { return false };
            if deadline > now_ms {
                return false;
            }
            let key = key.clone();
            self.change(&key, effects, |gate, key, ledger, effects| {
                if let Some(index) = gate.detached.iter().position(|load| load.holder.token == token) {
                    let load = gate.take_detached(index, ledger);
                    load.holder.end(Error::Timeout, effects);
                    gate.rejoin(load.askers);
                } else if let Some(holder) = gate.take_holder(ledger) {
                    holder.end(Error::Timeout, effects);
                }
                gate.promote(key, ledger, now_ms, effects);
            });
        }
        self.ledger.deadlines.first_key_value().is_some_and(|(&(deadline, _), _)| deadline <= now_ms)
    }
}
