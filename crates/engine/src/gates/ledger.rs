//! Books that all gates of a shard share.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Tokens, deadlines and sums. Apart from the gates, so that one gate can be changed while it is borrowed.
pub(super) struct Ledger {
    next_token: u64,
    token_step: u64,
    next_arrival: u64,
    /// (deadline in monotonic ms, token) of every holder that has a deadline -> its key.
    pub deadlines: BTreeMap<(u64, u64), Arc<[u8]>>,
    /// Holders and waiters in all gates.
    pub tickets: usize,
    /// Sum of the lengths of all keys with a gate.
    pub key_bytes: usize,
}

impl Ledger {
    pub fn new(first_token: u64, token_step: u64) -> Self {
        Self {
            next_token: first_token,
            token_step,
            next_arrival: 0,
            deadlines: BTreeMap::new(),
            tickets: 0,
            key_bytes: 0,
        }
    }

    /// A token that was never given before. 2^63 of them last longer than any process.
    pub fn token(&mut self) -> u64 {
        let token = self.next_token;
        self.next_token += self.token_step;
        token
    }

    /// Place in the order of arrival.
    pub fn arrival(&mut self) -> u64 {
        self.next_arrival += 1;
        self.next_arrival
    }
}
