//! What an asker hands in.

use std::sync::Arc;

use super::Wake;

/// What an asker wants of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum GateKind {
    /// The value, loaded by one of the askers if it is absent. All askers share one load.
    Load = 1,
    /// To compute a new value from the current one. Overtaken by any immediate change of the key.
    Upsert = 2,
    /// To store if the key is absent once its turn comes.
    Insert = 3,
    /// To store if the key is there once its turn comes.
    Update = 4,
    /// The value at a moment when no change is in flight or queued. Never holds the key.
    Stable = 5,
}

/// A request for a key.
#[derive(Clone)]
pub struct Request {
    /// What is wanted.
    pub kind: GateKind,
    /// Whose request it is: an environment or a connection. When it ends, so do its requests.
    pub owner: u64,
    /// Name of the request, unique among those of its owner.
    pub ticket: u64,
    /// How long the key may be held, in milliseconds from the grant; `None`: until the holder finishes or its owner
    /// ends. Past it the token is fenced and the next one is served.
    pub hold_ms: Option<u64>,
    /// Where outcomes go.
    pub wake: Arc<dyn Wake>,
}

impl Request {
    /// Whether this is `owner`'s request `ticket`.
    pub(super) fn is(&self, owner: u64, ticket: u64) -> bool {
        self.owner == owner && self.ticket == ticket
    }
}
