//! What threads meet at: parking_lot's lock and the processor's atomics, or shuttle's where schedules are explored. The
//! shard lock is without guards of its own, and apart from what it protects: whoever holds it may lend that, and unlocks
//! it.

#[cfg(not(feature = "shuttle"))]
mod imp {
    pub(crate) use std::sync::atomic;
    pub(crate) use std::thread_local;

    use parking_lot::RawMutex;
    use parking_lot::lock_api::RawMutex as _;

    /// Where another thread may come in between two plain loads. Nothing, where threads are real.
    #[inline(always)]
    pub(crate) fn preemption_point() {}

    /// One byte.
    pub(crate) struct Lock(RawMutex);

    impl Default for Lock {
        fn default() -> Self {
            Self(RawMutex::INIT)
        }
    }

    impl Lock {
        #[inline(always)]
        pub(crate) fn lock(&self) {
            let _ = self.0.lock();
        }

        /// Takes the lock if it is free; whether it was.
        #[inline(always)]
        pub(crate) fn try_lock(&self) -> bool {
            self.0.try_lock().is_some()
        }

        /// # Safety
        /// This thread has taken the lock.
        #[inline(always)]
        pub(crate) unsafe fn unlock(&self) {
            // SAFETY: as the caller says. What locking returned has no state.
            unsafe { self.0.unlock(Default::default()) };
        }
    }
}

#[cfg(feature = "shuttle")]
mod imp {
    use std::cell::UnsafeCell;
    use std::mem::transmute;
    use std::sync::PoisonError;

    pub(crate) use shuttle::sync::atomic;
    use shuttle::sync::{Mutex, MutexGuard};
    pub(crate) use shuttle::thread::yield_now as preemption_point;
    pub(crate) use shuttle::thread_local;

    #[derive(Default)]
    pub(crate) struct Lock {
        /// Of `lock`, while it is held; so it lives no longer than that.
        guard: UnsafeCell<Option<MutexGuard<'static, ()>>>,
        lock: Mutex<()>,
    }

    // SAFETY: the guard is touched by the holder of the lock alone.
    unsafe impl Sync for Lock {}
    // SAFETY: as above.
    unsafe impl Send for Lock {}

    impl Lock {
        fn keep(&self, guard: MutexGuard<'_, ()>) {
            // SAFETY: the lock is held, and the guard goes before the mutex does.
            unsafe { *self.guard.get() = Some(transmute::<MutexGuard<'_, ()>, MutexGuard<'static, ()>>(guard)) };
        }

        pub(crate) fn lock(&self) {
            self.keep(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        }

        /// Takes the lock if it is free; whether it was.
        pub(crate) fn try_lock(&self) -> bool {
            self.lock.try_lock().map(|guard| self.keep(guard)).is_ok()
        }

        /// # Safety
        /// This thread has taken the lock.
        pub(crate) unsafe fn unlock(&self) {
            // SAFETY: as the caller says. Out of its place before it unlocks: then the place is the next holder's.
            let guard = unsafe { (*self.guard.get()).take() };
            drop(guard);
        }
    }
}

pub(crate) use imp::{Lock, atomic, preemption_point, thread_local};
