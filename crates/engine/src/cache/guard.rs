//! Locked shards: locked for one operation, or borrowed from the transaction that the thread is in.

use std::cell::{Cell, UnsafeCell};
use std::ops::{Deref, DerefMut};
use std::ptr;

use super::{Cache, deliver};
use crate::shard::{Shard, View};
use crate::sync::thread_local;

/// What the lock in the [`View`] of the same number protects.
#[repr(align(128))]
pub(super) struct Locked<T>(UnsafeCell<T>);

// SAFETY: only the holder of the lock looks inside.
unsafe impl<T: Send> Sync for Locked<T> {}

impl<T> Locked<T> {
    pub(super) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }
}

/// A locked shard. A panic while it is held empties the shard before the lock is released.
pub(crate) struct Guard<'a> {
    shard: &'a Locked<Shard>,
    view: &'a View,
    /// A transaction of this thread has taken the lock, and keeps it.
    is_borrowed: bool,
    /// The thread was unwinding already when it took the lock, so that panic says nothing about this shard.
    unwinding: bool,
}

impl<'a> Guard<'a> {
    /// # Safety
    /// This thread has taken the lock; for this guard, or (`is_borrowed`) for a transaction, which keeps it longer than
    /// this guard lives and does not touch the shard meanwhile. There is no other guard that may be used.
    #[inline(always)]
    unsafe fn new(shard: &'a Locked<Shard>, view: &'a View, is_borrowed: bool) -> Self {
        Self { shard, view, is_borrowed, unwinding: std::thread::panicking() }
    }
}

impl Deref for Guard<'_> {
    type Target = Shard;
    #[inline(always)]
    fn deref(&self) -> &Shard {
        // SAFETY: see `new`.
        unsafe { &*self.shard.0.get() }
    }
}

impl DerefMut for Guard<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Shard {
        // SAFETY: see `new`.
        unsafe { &mut *self.shard.0.get() }
    }
}

impl Drop for Guard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if std::thread::panicking() && !self.unwinding {
            // The lock cannot be released first; waking takes no lock of the engine.
            if let Some(gates) = self.reset().gates {
                deliver(*gates, None);
            }
        }
        // Readers without the lock are kept out to the end of a transaction: they see all of it or nothing.
        if self.is_borrowed {
            self.update_load();
        } else {
            self.end_write();
            // SAFETY: see `new`.
            unsafe { self.view.lock.unlock() };
        }
    }
}

thread_local! {
    /// The innermost transaction of this thread.
    static INNERMOST: Cell<*const Hold> = const { Cell::new(ptr::null()) };
}

/// The shards that a transaction of this thread holds.
pub(super) struct Hold {
    cache: *const Cache,
    /// The transaction around it, of another cache.
    outer: *const Hold,
    /// Their numbers, rising.
    shards: Vec<usize>,
    /// Whether it can no longer be undone.
    pub(super) is_final: Cell<bool>,
}

impl Hold {
    pub(super) fn new(cache: &Cache, shards: Vec<usize>) -> Self {
        Self { cache, outer: INNERMOST.with(Cell::get), shards, is_final: Cell::new(false) }
    }

    /// Runs `f` as the innermost transaction of this thread.
    pub(super) fn enter<T>(&self, f: impl FnOnce() -> T) -> T {
        struct Leave(*const Hold);
        impl Drop for Leave {
            fn drop(&mut self) {
                INNERMOST.with(|innermost| innermost.set(self.0));
            }
        }
        let _leave = Leave(INNERMOST.with(|innermost| innermost.replace(self)));
        f()
    }

    /// Whether the shard `number` is held.
    pub(super) fn has(&self, number: usize) -> bool {
        self.shards.binary_search(&number).is_ok()
    }

    pub(super) fn len(&self) -> usize {
        self.shards.len()
    }
}

impl Cache {
    #[inline(always)]
    pub(super) fn lock(&self, hash: u64) -> Guard<'_> {
        self.lock_number(self.shard_number(hash))
    }

    /// The lock, if nobody but a transaction of this thread holds it.
    #[inline(always)]
    pub(super) fn try_lock(&self, hash: u64) -> Option<Guard<'_>> {
        let number = self.shard_number(hash);
        self.try_lock_number(number).or_else(|| self.borrow(number))
    }

    /// The lock.
    ///
    /// # Panics
    /// Where a transaction of this thread would have to wait for a shard that it does not hold: two of them could wait
    /// for each other.
    #[inline(always)]
    pub(super) fn lock_number(&self, number: usize) -> Guard<'_> {
        self.lock_unless_outside(number).expect("a transaction asked for a key outside what it holds")
    }

    /// The lock; `None` where a transaction of this thread would have to wait for it.
    #[inline(always)]
    pub(super) fn lock_unless_outside(&self, number: usize) -> Option<Guard<'_>> {
        match self.try_lock_number(number) {
            Some(shard) => Some(shard),
            None => self.lock_taken(number),
        }
    }

    #[inline(always)]
    fn try_lock_number(&self, number: usize) -> Option<Guard<'_>> {
        let (shard, view) = self.locked_and_view(number);
        // SAFETY: the lock was taken for this guard.
        view.lock.try_lock().then(|| unsafe { Guard::new(shard, view, false) })
    }

    #[cold]
    #[inline(never)]
    fn lock_taken(&self, number: usize) -> Option<Guard<'_>> {
        if self.hold(|_| ()).is_some() {
            return self.borrow(number);
        }
        let (shard, view) = self.locked_and_view(number);
        view.lock.lock();
        // SAFETY: the lock was taken for this guard.
        Some(unsafe { Guard::new(shard, view, false) })
    }

    /// The shard, if a transaction of this thread holds it.
    #[cold]
    #[inline(never)]
    fn borrow(&self, number: usize) -> Option<Guard<'_>> {
        let is_held = self.hold(|hold| hold.has(number)) == Some(true);
        let (shard, view) = self.locked_and_view(number);
        // SAFETY: operations run one after the other, each with one guard of a shard at a time, and the transaction
        // uses its own only before the first and after the last.
        is_held.then(|| unsafe { Guard::new(shard, view, true) })
    }

    #[inline(always)]
    fn locked_and_view(&self, number: usize) -> (&Locked<Shard>, &View) {
        (&self.shards[number], &self.shared.views[number])
    }

    /// Calls `f` with the transaction of this cache that this thread is in, if it is in one.
    pub(super) fn hold<T>(&self, f: impl FnOnce(&Hold) -> T) -> Option<T> {
        let mut at = INNERMOST.with(Cell::get);
        // SAFETY: `Hold::enter` keeps the pointer only while the hold is borrowed; `outer` outlives what is inside it.
        while let Some(hold) = unsafe { at.as_ref() } {
            if ptr::eq(hold.cache, self) {
                return Some(f(hold));
            }
            at = hold.outer;
        }
        None
    }

    /// Says that the transaction this thread is in, if it is in one, cannot be undone any more.
    pub(super) fn make_final(&self) {
        self.hold(|hold| {
            assert_eq!(hold.len(), self.shards.len(), "only a transaction that holds the whole cache may clear it");
            hold.is_final.set(true);
        });
    }
}
