//! The process-wide registry: which caches exist, under which names, and how many handles each has.
//!
//! Nothing here belongs to a JavaScript environment, so a cache outlives the thread that opened it.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tandem_engine::{Cache, Error, ManualClock, Options};

use crate::caretaker::Caretaker;
use crate::events::Hub;
use crate::failure::Failure;
use crate::structures::Structures;

/// A cache with what its handles in all threads share.
pub struct SharedCache {
    /// The engine.
    pub engine: Arc<Cache>,
    /// Object shapes learnt by the codec.
    pub structures: Structures,
    /// The clock, where the caller gave one; it stands where the last call put it.
    pub clock: Option<Arc<ManualClock>>,
    /// Subscribers of the change stream.
    pub events: Hub,
    name: Option<String>,
    description: String,
    /// Open handles; changed only under the registry's lock.
    handles: AtomicUsize,
}

/// A counted claim on a cache. The cache closes when the last one is dropped.
pub struct Handle(Arc<SharedCache>);

/// How to open a cache.
pub struct Opening {
    /// Name in the registry; `None` for a cache of its own.
    pub name: Option<String>,
    /// The engine's options, for a cache that does not exist yet.
    pub options: Options,
    /// Whether the caller gave options, which then must be those the cache has.
    pub explicit: bool,
    /// All options in words, for comparison and for the error.
    pub description: String,
    /// The clock inside `options`, where it is not the system's.
    pub clock: Option<Arc<ManualClock>>,
}

#[derive(Default)]
struct Registry {
    named: HashMap<String, Arc<SharedCache>>,
    caretaker: Caretaker,
}

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

fn lock() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handle {
    /// Creates a cache, or attaches to the one of that name.
    ///
    /// # Errors
    /// [`Error::BadOption`] for an option out of range; the code of that name for options other than those the named
    /// cache has, with both; [`Error::OutOfMemory`] when the system grants no address space or no thread.
    pub fn open(opening: Opening) -> Result<Self, Failure> {
        let mut registry = lock();
        if let Some(existing) = opening.name.as_ref().and_then(|name| registry.named.get(name)) {
            if opening.explicit && existing.description != opening.description {
                return Err(Failure::Coded {
                    code: "BadOption",
                    message: format!(
                        "option name: the cache {:?} is open with other options: it has {}; asked for {}",
                        opening.name.unwrap_or_default(),
                        existing.description,
                        opening.description
                    ),
                });
            }
            existing.handles.fetch_add(1, Ordering::Relaxed);
            return Ok(Self(Arc::clone(existing)));
        }
        let engine = Arc::new(Cache::new(opening.options)?);
        registry
            .caretaker
            .add(Arc::clone(&engine))
            .map_err(|error| Error::OutOfMemory { reason: format!("no thread for maintenance: {error}") })?;
        let shared = Arc::new(SharedCache {
            engine,
            structures: Structures::default(),
            clock: opening.clock,
            events: Hub::default(),
            name: opening.name.clone(),
            description: opening.description,
            handles: AtomicUsize::new(1),
        });
        if let Some(name) = opening.name {
            registry.named.insert(name, Arc::clone(&shared));
        }
        Ok(Self(shared))
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        let _registry = lock();
        self.0.handles.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut registry = lock();
        if self.0.handles.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        if let Some(name) = &self.0.name {
            registry.named.remove(name);
        }
        registry.caretaker.remove(&self.0.engine);
        drop(registry);
        self.0.engine.close();
    }
}

impl Deref for Handle {
    type Target = SharedCache;

    fn deref(&self) -> &SharedCache {
        &self.0
    }
}
