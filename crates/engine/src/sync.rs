//! The shard lock: parking_lot's, or shuttle's where schedules are explored. Without guards of its own: whoever holds it
//! may lend what it protects, and unlocks it.

#[cfg(not(feature = "shuttle"))]
mod imp {
    use std::mem::forget;
    pub(crate) use std::thread_local;

    pub(crate) use parking_lot::Mutex;

    #[inline(always)]
    pub(crate) fn lock<T>(mutex: &Mutex<T>) {
        forget(mutex.lock());
    }

    /// Takes the lock if it is free; whether it was.
    #[inline(always)]
    pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> bool {
        mutex.try_lock().map(forget).is_some()
    }

    /// # Safety
    /// This thread has taken the lock.
    #[inline(always)]
    pub(crate) unsafe fn unlock<T>(mutex: &Mutex<T>) {
        // SAFETY: as the caller says; its guard was forgotten, and had no state.
        unsafe { mutex.force_unlock(Default::default()) };
    }
}

#[cfg(feature = "shuttle")]
mod imp {
    use std::cell::UnsafeCell;
    use std::mem::transmute;
    use std::sync::PoisonError;

    use shuttle::sync::{Mutex as Explored, MutexGuard};
    pub(crate) use shuttle::thread_local;

    pub(crate) struct Mutex<T> {
        /// Of `lock`, while it is held; so it lives no longer than that.
        guard: UnsafeCell<Option<MutexGuard<'static, ()>>>,
        lock: Explored<()>,
        value: UnsafeCell<T>,
    }

    // SAFETY: value and guard are touched by the holder of the lock alone.
    unsafe impl<T: Send> Sync for Mutex<T> {}
    // SAFETY: as above.
    unsafe impl<T: Send> Send for Mutex<T> {}

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self { guard: UnsafeCell::new(None), lock: Explored::new(()), value: UnsafeCell::new(value) }
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.value.get_mut()
        }

        pub(crate) fn data_ptr(&self) -> *mut T {
            self.value.get()
        }

        fn keep(&self, guard: MutexGuard<'_, ()>) {
            // SAFETY: the lock is held, and the guard goes before the mutex does.
            unsafe { *self.guard.get() = Some(transmute::<MutexGuard<'_, ()>, MutexGuard<'static, ()>>(guard)) };
        }
    }

    pub(crate) fn lock<T>(mutex: &Mutex<T>) {
        mutex.keep(mutex.lock.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes the lock if it is free; whether it was.
    pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> bool {
        mutex.lock.try_lock().map(|guard| mutex.keep(guard)).is_ok()
    }

    /// # Safety
    /// This thread has taken the lock.
    pub(crate) unsafe fn unlock<T>(mutex: &Mutex<T>) {
        // SAFETY: as the caller says. Out of its place before it unlocks: then the place is the next holder's.
        let guard = unsafe { (*mutex.guard.get()).take() };
        drop(guard);
    }
}

pub(crate) use imp::{Mutex, lock, thread_local, try_lock, unlock};
