//! Immediate changes that overtake what is in flight.

use super::Gates;
use super::effects::{Effects, Outcome};
use super::gate::{DetachedLoad, answer};
use super::request::GateKind;
use crate::error::Error;

/// What an immediate change did to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overtaking {
    /// A value was stored.
    Stored,
    /// The key was deleted, whether or not it was there.
    Removed,
}

impl Gates {
    /// Called for every immediate change of the value or existence of `key`, under the lock, after it committed.
    ///
    /// An upsert in flight is told `Preempted` and fenced. A load in flight is fenced by a stored value, which its
    /// askers get; after a removal it goes on for those who asked before, and later askers load anew. An insert or
    /// update in flight keeps its turn: it has not decided yet. Then the queue goes on in order.
    pub fn preempt(&mut self, key: &[u8], change: Overtaking, now_ms: u64, effects: &mut Effects) {
        self.change(key, effects, |gate, key, ledger, effects| {
            let stored = change == Overtaking::Stored;
            match gate.holder.as_ref().map(|holder| holder.request.kind) {
                Some(GateKind::Upsert) => {
                    if let Some(holder) = gate.take_holder(ledger) {
                        holder.end(Error::Preempted, effects);
                    }
                }
                Some(GateKind::Load) if stored => {
                    if let Some(holder) = gate.take_holder(ledger) {
                        let own = if holder.asking { Outcome::Value(None) } else { Outcome::Ended(Error::Preempted) };
                        effects.post(&holder.request, own);
                    }
                }
                Some(GateKind::Load) => {
                    // The deadline stays in the ledger: a detached load is still bound by it.
                    if let Some(holder) = gate.holder.take() {
                        gate.detached.push(DetachedLoad { holder, askers: std::mem::take(&mut gate.loads) });
                    }
                }
                Some(GateKind::Insert | GateKind::Update | GateKind::Stable) | None => {}
            }
            if stored {
                gate.answer_loads(&Outcome::Value(None), effects);
                while !gate.detached.is_empty() {
                    let mut load = gate.take_detached(0, ledger);
                    let own = if load.holder.asking { Outcome::Value(None) } else { Outcome::Ended(Error::Preempted) };
                    effects.post(&load.holder.request, own);
                    answer(&mut load.askers, &Outcome::Value(None), effects);
                }
            }
            gate.promote(key, ledger, now_ms, effects);
            if stored && gate.is_quiet() {
                answer(&mut gate.stables, &Outcome::Value(None), effects);
            }
        });
    }

    /// [`Gates::preempt`] with `Removed` for every key that has a gate: the cache was cleared. Costs time by the number
    /// of gates.
    pub fn preempt_all(&mut self, now_ms: u64, effects: &mut Effects) {
        for key in self.keys() {
            self.preempt(&key, Overtaking::Removed, now_ms, effects);
        }
    }
}
