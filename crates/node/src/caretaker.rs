//! One native thread that does the background work of every cache in the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tandem_engine::Cache;

/// Pause between two rounds when no cache has work left. Bounds how late unread expired entries give memory back.
const IDLE_PAUSE: Duration = Duration::from_millis(50);
/// Pause between two rounds while there is work: leaves the locks to others and the core to the event loop.
const BUSY_PAUSE: Duration = Duration::from_micros(200);

#[derive(Default)]
struct Ward {
    caches: Vec<Arc<Cache>>,
    stopping: bool,
}

#[derive(Default)]
struct Shared {
    ward: Mutex<Ward>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ward> {
        self.ward.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut ward = self.lock();
        while !ward.stopping {
            let mut more = false;
            for cache in &ward.caches {
                // The engine catches its own panics; this keeps one it missed from ending the work of all other caches.
                more |= catch_unwind(AssertUnwindSafe(|| cache.maintain())).unwrap_or(false);
            }
            let pause = if more { BUSY_PAUSE } else { IDLE_PAUSE };
            ward = self.changed.wait_timeout(ward, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The thread; exists only while there is a cache.
#[derive(Default)]
pub struct Caretaker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Caretaker {
    /// Takes `cache` into care. Starts the thread for the first one.
    ///
    /// # Errors
    /// The system's words when it grants no thread; nothing has changed then.
    pub fn add(&mut self, cache: Arc<Cache>) -> std::io::Result<()> {
        self.shared.lock().caches.push(cache);
        if self.thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let spawned = std::thread::Builder::new().name("tandem-caretaker".into()).spawn(move || shared.run());
            match spawned {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => {
                    self.shared.lock().caches.pop();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Lets `cache` go; on return the thread holds no reference to it. Joins the thread after the last one.
    /// Waits for one maintenance step of each cache at most.
    pub fn remove(&mut self, cache: &Arc<Cache>) {
        let mut ward = self.shared.lock();
        ward.caches.retain(|other| !Arc::ptr_eq(other, cache));
        if !ward.caches.is_empty() {
            return;
        }
        ward.stopping = true;
        drop(ward);
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // `run` cannot panic; there is nothing to report.
            let _ = thread.join();
        }
        self.shared.lock().stopping = false;
    }
}
