//! Operations that wait: shared loads, upserts, inserts and updates in turn, stable reads.
//!
//! ```text
//!  getOrSet   lease ─▶ hit | won(token) ─▶ load ─▶ fill(token, Store) | fail
//!                        └▶ queued ─▶ value, error, or won(token) by [`Wake`]
//!  upsert     gate(Upsert) ─▶ token, at once or in turn ─▶ read ─▶ fill(token, Store | Keep | Delete)
//!  insert     gate(Insert) ─▶ token ─▶ fill(token, Store { condition: IfAbsent })
//!  update     gate(Update) ─▶ token ─▶ fill(token, Store { condition: IfPresent })
//! ```

use std::sync::atomic::Ordering;

use super::{Cache, scratch};
use crate::error::{Error, Result};
use crate::gates::{Acquired, Cancelled, CarriedValue, End, Request};
use crate::shard::{Effects, Shard};
use crate::value::{Condition, NewValue, WriteOptions};

pub use crate::shard::Filled;

/// When a lease is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseMode {
    /// On a miss; waits for the load in flight, if there is one.
    IfMissing,
    /// To replace a value that is there; never waits.
    Refresh,
}

/// Answer to a request for a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// The key is there: read it.
    Hit,
    /// The caller is to load, and to end its hold with this token.
    Won {
        /// The fencing token.
        token: u64,
    },
    /// Somebody loads or writes; the outcome will be posted.
    Queued,
    /// A refresh is not needed: somebody loads or writes.
    Busy,
}

/// Answer to a stable read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stable {
    /// The committed value.
    Value(CarriedValue),
    /// The key is absent, or a change of it is in flight or queued; the outcome will be posted.
    Queued,
}

/// How a holder ends its hold.
#[derive(Debug, Clone, Copy)]
pub enum Fill<'a> {
    /// Store this value.
    Store {
        /// The value.
        value: NewValue<'a>,
        /// As for [`Cache::set`]; the condition is that of `insert` and `update`.
        options: &'a WriteOptions,
    },
    /// Leave the key as it is; a loader found nothing.
    Keep,
    /// Delete the key.
    Delete,
    /// The transform or loader failed; these bytes reach all askers of the load.
    Fail(&'a [u8]),
    /// Give up without a result: the next one in turn runs instead.
    Abandon,
}

/// Gates may take one part in so many of the cache's memory.
const GATES_PART: u64 = 4;
/// Longest error of a loader in bytes.
const MAX_FAILURE_BYTES: usize = 64 << 10;

impl Cache {
    /// Asks to load `key`. Decided on committed state under the shard lock, so of any number of callers that miss at
    /// once exactly one wins. Not a use, and counts no hit or miss.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], [`Error::Overloaded`] beyond 16,384 waiters of the key, or when gates take a quarter
    /// of the cache's memory; [`Error::Closed`].
    pub fn lease(&self, key: &[u8], request: Request, mode: LeaseMode) -> Result<Lease> {
        self.ask(key, |shard, hash, effects| {
            match mode {
                LeaseMode::IfMissing if shard.committed(hash, key, effects).is_some() => return Ok(Lease::Hit),
                LeaseMode::Refresh if !shard.gates.is_quiet(key) => return Ok(Lease::Busy),
                LeaseMode::IfMissing | LeaseMode::Refresh => {}
            }
            let now_ms = shard.shared.monotonic_ms();
            Ok(match shard.gates.acquire(key, request, now_ms)? {
                Acquired::Granted { token } => Lease::Won { token },
                Acquired::Queued => Lease::Queued,
            })
        })
    }

    /// Asks to hold `key` for an upsert, insert or update; the key may be there or not. Served in order of arrival.
    ///
    /// # Errors
    /// Those of [`Cache::lease`].
    pub fn gate(&self, key: &[u8], request: Request) -> Result<Acquired> {
        self.ask(key, |shard, _, _| {
            let now_ms = shard.shared.monotonic_ms();
            shard.gates.acquire(key, request, now_ms)
        })
    }

    /// The committed value of `key` at a moment when no change of it is in flight or queued. Not a use.
    ///
    /// # Errors
    /// Those of [`Cache::lease`]; [`Error::WrongKind`] for a hash or set.
    pub fn stable(&self, key: &[u8], request: Request) -> Result<Stable> {
        let copy = self.ask(key, |shard, hash, effects| {
            let copy = shard.stable(hash, key, effects);
            if copy.is_none() {
                let now_ms = shard.shared.monotonic_ms();
                shard.gates.acquire(key, request, now_ms)?;
            }
            Ok(copy)
        })?;
        copy.map_or(Ok(Stable::Queued), |copy| {
            copy.with(|value| {
                if value.kind.is_collection() {
                    return Err(Error::WrongKind);
                }
                Ok(Stable::Value(CarriedValue::from(value)))
            })
        })
    }

    /// Ends the hold of `token`. A value that cannot be stored is handed to the askers of a load all the same; the hold
    /// has ended then, too.
    ///
    /// # Errors
    /// Those of [`Cache::set`]; [`Error::BadOption`] for a failure of more than 64 KiB.
    pub fn fill(&self, key: &[u8], token: u64, fill: Fill<'_>) -> Result<Filled> {
        let end = match fill {
            Fill::Store { value, options } => return self.fill_value(key, token, &value, options),
            Fill::Delete => return Ok(self.fill_delete(key, token)),
            Fill::Keep => End::Kept,
            Fill::Fail(error) if error.len() > MAX_FAILURE_BYTES => {
                return Err(Error::BadOption {
                    option: "error",
                    reason: format!("{} bytes; at most {MAX_FAILURE_BYTES} are allowed", error.len()),
                });
            }
            Fill::Fail(error) => End::Failed(error.into()),
            Fill::Abandon => End::Abandoned,
        };
        let held = self.change(key, |shard, _, effects| shard.end_hold(key, token, end, effects));
        Ok(if held { Filled::Ended } else { Filled::Fenced })
    }

    fn fill_value(&self, key: &[u8], token: u64, value: &NewValue<'_>, options: &WriteOptions) -> Result<Filled> {
        let filled = self.check_write(key, value, options).and_then(|()| {
            scratch::with(|compressed| {
                let encoded = self.encode(value, compressed);
                self.prepared(key, value, encoded, options, |shard, write, effects| shard.fill(write, token, effects))
            })
        });
        if filled.is_err() {
            let hash = self.shared.hash(key);
            let mut effects = Effects::default();
            self.lock(hash).end_refused(key, token, &mut effects);
            self.settle_with(effects, Some(*value));
        }
        filled
    }

    fn fill_delete(&self, key: &[u8], token: u64) -> Filled {
        self.change(key, |shard, hash, effects| {
            if let crate::gates::Standing::Holds(_) = shard.gates.standing(key, token) {
                shard.filling = true;
                shard.delete(hash, key, Condition::Always, effects, |_| {});
                shard.filling = false;
            }
            if shard.end_hold(key, token, End::Deleted, effects) { Filled::Ended } else { Filled::Fenced }
        })
    }

    /// Whether `owner` holds `key`: a further request of it would wait for itself.
    pub fn is_held_by(&self, key: &[u8], owner: u64) -> bool {
        self.lock(self.shared.hash(key)).gates.is_held_by(key, owner)
    }

    /// Cancels the request `ticket` of `owner` on `key`, and no other.
    pub fn cancel(&self, key: &[u8], owner: u64, ticket: u64) -> Cancelled {
        self.change(key, |shard, _, effects| {
            let now_ms = shard.shared.monotonic_ms();
            let cancelled = shard.gates.cancel(key, owner, ticket, now_ms, &mut effects.gates().posts);
            shard.settle_gates(effects);
            cancelled
        })
    }

    /// Releases everything `owner` holds and forgets everything it waits for. Costs time by the number of gates.
    pub fn owner_gone(&self, owner: u64) {
        self.each_gated_shard(|shard, effects| {
            let now_ms = shard.shared.monotonic_ms();
            shard.gates.owner_gone(owner, now_ms, &mut effects.gates().posts);
        });
    }

    /// Ends holds whose deadline has passed. A part of [`Cache::maintain`]; true while more are due.
    pub(super) fn tick_gates(&self) -> bool {
        let mut more = false;
        self.each_gated_shard(|shard, effects| {
            let now_ms = shard.shared.monotonic_ms();
            more |= shard.gates.tick(now_ms, &mut effects.gates().posts);
        });
        more
    }

    /// Answers every waiter `Closed`.
    pub(super) fn close_gates(&self) {
        for number in 0..self.shards.len() {
            let mut effects = Effects::default();
            let mut shard = self.lock_number(number);
            shard.gates.close(&mut effects.gates().posts);
            shard.settle_gates(&mut effects);
            drop(shard);
            self.settle(effects);
        }
    }

    fn each_gated_shard(&self, mut f: impl FnMut(&mut Shard, &mut Effects)) {
        if self.shared.gates.load(Ordering::Relaxed) == 0 {
            return;
        }
        for number in 0..self.shards.len() {
            let mut effects = Effects::default();
            let mut shard = self.lock_number(number);
            if !shard.gates.is_empty() {
                f(&mut shard, &mut effects);
                shard.settle_gates(&mut effects);
            }
            drop(shard);
            self.settle(effects);
        }
    }

    /// Runs a request under the lock of the key's shard and, as its gate takes memory, restores the byte bound.
    fn ask<T>(&self, key: &[u8], f: impl FnOnce(&mut Shard, u64, &mut Effects) -> Result<T>) -> Result<T> {
        self.check_open()?;
        if key.len() > crate::MAX_KEY_BYTES {
            return Err(Error::KeyTooLong { bytes: key.len() });
        }
        if self.shared.gate_bytes.load(Ordering::Relaxed) >= self.shared.budget.max() / GATES_PART {
            return Err(Error::Overloaded { what: "too many operations wait for keys" });
        }
        let answer = self.change(key, |shard, hash, effects| {
            let answer = f(shard, hash, effects);
            shard.settle_gates(effects);
            answer
        });
        while self.shrink_some() {}
        answer
    }

    fn change<T>(&self, key: &[u8], f: impl FnOnce(&mut Shard, u64, &mut Effects) -> T) -> T {
        let hash = self.shared.hash(key);
        let mut effects = Effects::default();
        let result = f(&mut self.lock(hash), hash, &mut effects);
        self.settle(effects);
        result
    }
}
