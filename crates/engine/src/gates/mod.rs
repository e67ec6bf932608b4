//! Key gates: who may change a key next, while a change of it is in flight.
//!
//! A gate exists only while a load, upsert, insert or update of its key is in flight or somebody waits for the key.
//! At most one of them holds the key, by a fencing token; the others wait in the order they came.
//!
//! ```text
//!             acquire                     finish / preempt / tick / cancel / owner_gone
//!  request ──────────▶ granted: holder ─────────────────────────────────────────────────▶ next: loads or writers,
//!             │                                                                            whoever came first
//!             └──────▶ queued:  loads     ask for a value; all of them share the load that is in flight
//!                               writers   upserts, inserts, updates; each holds the key in its turn
//!                               stables   wait until nobody holds or waits, and the key is there
//!  preempt(Removed) on a load in flight moves it and its askers to `detached`: they get the value, it is not stored
//! ```
//!
//! This is a plain state machine: it lives under the shard lock and has no lock, clock or I/O of its own. Time comes in
//! as milliseconds of a monotonic clock. Nobody is woken from here: what is to be said goes into [`Effects`], which the
//! caller delivers after unlocking. It knows nothing of values either: whether a key is there, and what it holds, is
//! for the caller to decide under the same lock.

mod acquire;
mod effects;
mod finish;
mod gate;
mod leave;
mod ledger;
mod preempt;
mod request;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::mem::size_of;
use std::sync::Arc;

use rapidhash::fast::RandomState;

pub use acquire::Acquired;
pub use effects::{CarriedValue, Effects, Outcome, Wake};
pub use finish::{End, Standing};
use gate::{Gate, Waiter};
pub use leave::Cancelled;
use ledger::Ledger;
pub use preempt::Overtaking;
pub use request::{GateKind, Request};

/// Most holders and waiters of one key unless told otherwise. How many there may be in all is for the cache to say,
/// by the memory they take ([`Gates::bytes`]).
pub const DEFAULT_PER_KEY: usize = 16_384;

/// The gates of one shard.
pub struct Gates {
    gates: HashMap<Arc<[u8]>, Gate, RandomState>,
    ledger: Ledger,
    per_key: usize,
    closed: bool,
}

impl Gates {
    /// No gates yet; allocates nothing. Tokens are `first_token`, `first_token + step`, and so on: with the shard's
    /// number (counted from 1) and the number of shards they are unique in a cache, and never 0.
    /// A key may have `per_key` holders and waiters.
    pub fn new(first_token: u64, step: u64, per_key: usize) -> Self {
        Self {
            gates: HashMap::with_hasher(RandomState::default()),
            ledger: Ledger::new(first_token, step),
            per_key,
            closed: false,
        }
    }

    /// Whether there is no gate at all: the check of the commit path.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.gates.is_empty()
    }

    /// Number of keys with a gate.
    pub fn len(&self) -> usize {
        self.gates.len()
    }

    /// Whether `key` has a gate.
    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.gates.contains_key(key)
    }

    /// Whether nobody holds `key` and no load or write of it is queued.
    pub fn is_quiet(&self, key: &[u8]) -> bool {
        self.gates.get(key).is_none_or(Gate::is_quiet)
    }

    /// Whether `owner` holds `key`.
    pub fn is_held_by(&self, key: &[u8], owner: u64) -> bool {
        let holder = self.gates.get(key).and_then(|gate| gate.holder.as_ref());
        holder.is_some_and(|holder| holder.request.owner == owner)
    }

    /// Memory of the gates in bytes, an upper estimate; 0 without gates.
    pub fn bytes(&self) -> usize {
        // Twice the size for tables and queues that are at most half empty; an `Arc<[u8]>` has two counters in front.
        let gate = 2 * size_of::<(Arc<[u8]>, Gate)>() + 2 * size_of::<usize>();
        let deadline = 2 * size_of::<(u64, u64, Arc<[u8]>)>();
        self.gates.len() * gate
            + self.ledger.key_bytes
            + self.ledger.tickets * 2 * size_of::<Waiter>()
            + self.ledger.deadlines.len() * deadline
    }

    /// Changes the gate of `key`, if there is one, and keeps the books: drops the gate when nobody is left in it and
    /// reports it when only stable waiters are. Every change of an existing gate goes through here.
    fn change<R>(
        &mut self,
        key: &[u8],
        effects: &mut Effects,
        f: impl FnOnce(&mut Gate, &Arc<[u8]>, &mut Ledger, &mut Effects) -> R,
    ) -> Option<R> {
        let shared = self.gates.get_key_value(key)?.0.clone();
        let gate = self.gates.get_mut(key)?;
        self.ledger.tickets -= gate.tickets();
        let result = f(gate, &shared, &mut self.ledger, effects);
        self.ledger.tickets += gate.tickets();
        if gate.is_empty() {
            self.gates.remove(key);
            self.ledger.key_bytes -= key.len();
            if self.gates.is_empty() {
                self.gates.shrink_to(0);
            }
        } else if gate.is_quiet() && !gate.stables.is_empty() {
            effects.quiet.push(shared);
        }
        Some(result)
    }

    /// The keys of all gates, for changes that concern each of them.
    fn keys(&self) -> Vec<Arc<[u8]>> {
        self.gates.keys().cloned().collect()
    }
}
