//! Several operations as one: they take effect together or not at all, and nobody sees half of them.
//!
//! The thread that asks holds the locks of the shards concerned, taken in ascending order, from before the first
//! operation to after the last. Inside, every method of the cache works as it does outside: where it finds a shard
//! locked by its own thread, it borrows it. The first state of each changed key goes into a journal, from which
//! everything is put back on an error or a panic. Watchers, gates and the change stream learn of it at the commit.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Cache;
use super::guard::{Guard, Hold};
use crate::error::{Error, Result};
use crate::shard::Effects;
use crate::watch::WatchFlag;

/// Which part of a cache a transaction holds.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'k> {
    /// The shards of these keys.
    Keys(&'k [&'k [u8]]),
    /// Every shard: for what scans, counts, clears, or does not know its keys beforehand.
    All,
}

/// What a transaction may ask while it runs.
pub struct Held<'c> {
    cache: &'c Cache,
    hold: &'c Hold,
}

impl Held<'_> {
    /// Whether operations on `key` belong to the transaction.
    pub fn covers(&self, key: &[u8]) -> bool {
        self.hold.has(self.cache.shard_number(self.cache.shared.hash(key)))
    }

    /// Whether the whole cache is held.
    pub fn holds_all(&self) -> bool {
        self.hold.len() == self.cache.shards.len()
    }

    /// Whether the transaction can no longer be undone, because the cache was cleared in it.
    pub fn is_final(&self) -> bool {
        self.hold.is_final.get()
    }
}

/// How often transactions that changed something have been committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commits {
    /// Commits that have begun.
    pub begun: u64,
    /// Whether all of them have ended.
    pub steady: bool,
}

/// The counters behind [`Commits`], away from what every operation reads.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct CommitCounters {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Cache {
    /// Runs `f` while nobody else can change what `scope` covers, nor read what `f` has changed of it. Inside, this
    /// thread may call every method of the cache on the keys that are covered. With `Ok`, all changes take effect at
    /// once. With `Err`, or if `f` panics, they are undone, versions included; the panic goes on. Evictions and
    /// expirations are not undone, nor anything once the cache was cleared; a key for whose old value there is no room
    /// any more counts as evicted.
    ///
    /// Inside another transaction of this cache, `f` is simply a part of that one: its `Err` alone undoes nothing.
    ///
    /// Others who need these shards wait, without any bound but what `f` takes; so it should not take long, and wait
    /// for nothing itself.
    ///
    /// # Errors
    /// Those of `f`; [`Error::Closed`]; [`Error::BadOption`] inside another transaction that does not cover `scope`.
    pub fn transaction<T, E: From<Error>>(
        &self,
        scope: Scope<'_>,
        f: impl FnOnce(&Held<'_>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.check_open()?;
        let numbers = self.shards_of(scope);
        let covered = self.hold(|hold| numbers.iter().all(|&number| hold.has(number)));
        match covered {
            None => {}
            // The closure runs outside of `hold`, which lends what it finds.
            Some(true) => return self.within(f),
            Some(false) => {
                let reason = "a transaction within another one can only cover what that one covers".into();
                return Err(Error::BadOption { option: "scope", reason }.into());
            }
        }
        let mut guards: Vec<_> = numbers.iter().map(|&number| self.lock_number(number)).collect();
        guards.iter_mut().for_each(|shard| shard.begin_journal());
        let hold = Hold::new(self, numbers);
        let outcome = hold.enter(|| catch_unwind(AssertUnwindSafe(|| f(&Held { cache: self, hold: &hold }))));
        let keeps = matches!(outcome, Ok(Ok(_))) || hold.is_final.get();
        drop(hold);
        self.end(guards, keeps);
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn within<T, E: From<Error>>(
        &self,
        f: impl FnOnce(&Held<'_>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        match self.hold(|hold| f(&Held { cache: self, hold })) {
            Some(outcome) => outcome,
            None => Err(Error::Closed.into()),
        }
    }

    /// Commits or undoes, and releases the locks.
    fn end(&self, mut guards: Vec<Guard<'_>>, keeps: bool) {
        let (mut changes, mut effects) = (Vec::new(), Effects::default());
        if keeps {
            guards.iter_mut().for_each(|shard| shard.commit(&mut changes));
        } else {
            // Nothing is put back before everything is out: the bounds are those of the whole cache.
            guards.iter_mut().for_each(|shard| shard.withdraw(&mut effects));
            guards.iter_mut().for_each(|shard| shard.restore(&mut changes, &mut effects));
        }
        effects.changed |= !changes.is_empty();
        changes.sort_unstable_by_key(|told| told.place);
        effects.lost = self.shared.ring.push_unit(changes.into_iter().map(|told| told.change).collect());
        let journals: Vec<_> = guards.iter_mut().map(|shard| shard.end_journal(&mut effects)).collect();
        let changes = keeps && guards.iter().any(|shard| shard.is_written());
        if changes {
            self.commits.begun.fetch_add(1, Ordering::AcqRel);
        }
        drop(guards);
        if changes {
            self.commits.ended.fetch_add(1, Ordering::Release);
        }
        drop(journals);
        self.settle(effects);
    }

    /// The numbers of the shards that `scope` covers, rising.
    fn shards_of(&self, scope: Scope<'_>) -> Vec<usize> {
        match scope {
            Scope::All => (0..self.shards.len()).collect(),
            Scope::Keys(keys) => {
                let mut numbers: Vec<_> = keys.iter().map(|key| self.shard_number(self.shared.hash(key))).collect();
                numbers.sort_unstable();
                numbers.dedup();
                numbers
            }
        }
    }

    /// Whether this thread is inside a transaction of this cache.
    pub fn in_transaction(&self) -> bool {
        self.hold(|_| ()).is_some()
    }

    /// Two equal answers around several reads, `steady` both times: no transaction took effect between any two of them.
    pub fn commits(&self) -> Commits {
        let ended = self.commits.ended.load(Ordering::Acquire);
        let begun = self.commits.begun.load(Ordering::Acquire);
        Commits { begun, steady: begun == ended }
    }

    /// Has `flag` marked at the next committed change of `key`, eviction, expiration and clear included. Takes memory
    /// until [`Cache::unwatch`].
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], [`Error::Closed`].
    pub fn watch(&self, key: &[u8], flag: &Arc<WatchFlag>) -> Result<()> {
        self.check_open()?;
        if key.len() > crate::MAX_KEY_BYTES {
            return Err(Error::KeyTooLong { bytes: key.len() });
        }
        self.lock(self.shared.hash(key)).watch(key, flag);
        Ok(())
    }

    /// Ends [`Cache::watch`]; the flag stays as it is.
    pub fn unwatch(&self, key: &[u8], flag: &Arc<WatchFlag>) {
        self.lock(self.shared.hash(key)).unwatch(key, flag);
    }
}
