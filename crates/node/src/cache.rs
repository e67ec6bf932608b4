//! The calls off the hot path, as methods of a class that owns the handle.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use napi::bindgen_prelude::{BigInt, Buffer, Either, Env, Uint8Array};
use napi_derive::napi;
use tandem_engine::{ChangeKind, Condition, Error, ScanEntry, Stats};
use tandem_server::glob_matches;

use crate::calls::{Key, expiry};
use crate::environment::{Environment, Slots};
use crate::events::Subscription;
use crate::failure::Failure;
use crate::options::CacheOptions;
use crate::registry::{Handle, Opening};

/// Most entries or changes one call hands over, so that no call holds the event loop for long.
const PAGE_LIMIT: u32 = 4096;

/// A key as JavaScript gets it: a string, or a Buffer where the bytes are no UTF-8.
#[napi]
pub type KeyOut = Either<String, Buffer>;

fn key_out(key: Vec<u8>) -> KeyOut {
    String::from_utf8(key).map_or_else(|error| Either::B(error.into_bytes().into()), Either::A)
}

/// A step of a scan.
#[napi(object, object_from_js = false)]
pub struct ScanPage {
    /// Where the next step starts; 0 when the scan is complete.
    pub cursor: f64,
    /// Keys of this step.
    pub keys: Vec<KeyOut>,
}

/// One change of the cache.
#[napi(object, object_from_js = false)]
pub struct NativeChange {
    /// What happened: the engine's `ChangeKind`.
    pub kind: u32,
    /// The key; empty for changes of the whole cache.
    pub key: KeyOut,
    /// Version after the change.
    pub version: BigInt,
    /// Bytes of the value that went, if the subscription asked for values.
    pub old: Option<Buffer>,
    /// Kind of that value.
    pub old_kind: u32,
    /// Codec id of that value.
    pub old_codec: u32,
}

/// Object shapes learnt by the codec.
#[napi(object, object_from_js = false)]
pub struct StructuresBlob {
    /// Changes with every save; 0 before the first.
    pub revision: u32,
    /// The blob.
    pub bytes: Buffer,
}

/// Counters of a cache or a shard.
#[napi(object, object_from_js = false)]
pub struct NativeStats {
    /// Live entries.
    pub entries: f64,
    /// Sum of costs of live entries.
    pub cost: f64,
    /// Everything the cache occupies.
    pub bytes: f64,
    /// The bound on it.
    pub max_bytes: f64,
    /// Bytes of live keys.
    pub key_bytes: f64,
    /// Bytes of live values as stored.
    pub value_bytes: f64,
    /// Bytes of live values before compression.
    pub raw_value_bytes: f64,
    /// Record headers, index, ghosts, directories.
    pub overhead_bytes: f64,
    /// Bytes in the log that no entry uses any more.
    pub dead_bytes: f64,
    /// Free segments held ready, and unfilled ends of segments.
    pub reserve_bytes: f64,
    /// Reads that found an entry.
    pub hits: f64,
    /// Reads that found none.
    pub misses: f64,
    /// Writes that stored.
    pub sets: f64,
    /// Deletes that removed an entry.
    pub deletes: f64,
    /// Entries evicted to make room.
    pub evictions: f64,
    /// Entries removed by expiry.
    pub expirations: f64,
    /// Entries stored compressed, ever.
    pub compressed: f64,
    /// Key gates that exist now.
    pub gates: f64,
    /// Panics caught in a critical section, each of which emptied a shard.
    pub resets: f64,
    /// Number of shards.
    pub shards: u32,
}

impl From<Stats> for NativeStats {
    fn from(stats: Stats) -> Self {
        Self {
            entries: stats.entries as f64,
            cost: stats.cost as f64,
            bytes: stats.bytes as f64,
            max_bytes: stats.max_bytes as f64,
            key_bytes: stats.key_bytes as f64,
            value_bytes: stats.value_bytes as f64,
            raw_value_bytes: stats.raw_value_bytes as f64,
            overhead_bytes: stats.overhead_bytes as f64,
            dead_bytes: stats.dead_bytes as f64,
            reserve_bytes: stats.reserve_bytes as f64,
            hits: stats.hits as f64,
            misses: stats.misses as f64,
            sets: stats.sets as f64,
            deletes: stats.deletes as f64,
            evictions: stats.evictions as f64,
            expirations: stats.expirations as f64,
            compressed: stats.compressed as f64,
            gates: stats.gates as f64,
            resets: stats.resets as f64,
            shards: stats.shards,
        }
    }
}

/// One open handle on a cache. Give it back with `close`; the garbage collector does so for one that was forgotten.
#[napi]
pub struct NativeCache {
    slots: Rc<Slots>,
    index: u32,
    /// Set by `close`: the slot may belong to another cache by now.
    closed: Cell<bool>,
    subscription: RefCell<Option<Subscription>>,
}

impl NativeCache {
    /// A claim of its own on the cache, for a native part that outlives this object.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn claim(&self) -> Result<Handle, Error> {
        self.handle_or_none(|handle| handle.cloned()).ok_or(Error::Closed)
    }

    /// Runs `f` with the handle, or with `None` once it was closed.
    fn handle_or_none<T>(&self, f: impl FnOnce(Option<&Handle>) -> T) -> T {
        if self.closed.get() { f(None) } else { self.slots.with(self.index, f) }
    }

    fn with<T>(&self, env: Env, f: impl FnOnce(&Handle) -> Result<T, Error>) -> napi::Result<T> {
        self.handle_or_none(|handle| handle.ok_or(Error::Closed).and_then(f))
            .map_err(|error| Failure::Engine(error).raise(env))
    }

    fn release(&self) {
        if self.closed.replace(true) {
            return;
        }
        let subscription = self.subscription.borrow_mut().take();
        if let (Some(handle), Some(subscription)) = (self.slots.remove(self.index), subscription) {
            handle.events.unsubscribe(subscription);
        }
    }
}

impl Drop for NativeCache {
    fn drop(&mut self) {
        self.release();
    }
}

#[napi]
impl NativeCache {
    /// Creates a cache, or attaches to the one of that name.
    #[napi(factory, catch_unwind)]
    pub fn open(env: Env, options: CacheOptions) -> napi::Result<Self> {
        let state =
            Environment::of(env.raw()).ok_or_else(|| Failure::Type("the binding is not bound".into()).raise(env))?;
        let handle = Handle::open(Opening::from(options)).map_err(|failure| failure.raise(env))?;
        let slots = Rc::clone(&state.slots);
        let index = slots.insert(handle);
        Ok(Self { slots, index, closed: Cell::new(false), subscription: RefCell::default() })
    }

    /// The handle number for the calls on the data path.
    #[napi(getter)]
    pub fn handle(&self) -> u32 {
        self.index
    }

    /// Sets the injected clock; without one it does nothing.
    #[napi]
    pub fn set_clock(&self, now: f64) {
        self.handle_or_none(|handle| {
            if let Some(clock) = handle.and_then(|handle| handle.clock.as_ref()) {
                clock.set(now as u64);
            }
        });
    }

    /// Counters in sum.
    #[napi(catch_unwind)]
    pub fn stats(&self, env: Env) -> napi::Result<NativeStats> {
        self.with(env, |handle| Ok(handle.engine.stats().into()))
    }

    /// Counters of each shard.
    #[napi(catch_unwind)]
    pub fn shard_stats(&self, env: Env) -> napi::Result<Vec<NativeStats>> {
        self.with(env, |handle| Ok(handle.engine.shard_stats().into_iter().map(NativeStats::from).collect()))
    }

    /// Number of live entries.
    #[napi(getter, catch_unwind)]
    pub fn size(&self, env: Env) -> napi::Result<f64> {
        self.with(env, |handle| Ok(handle.engine.len() as f64))
    }

    /// Deletes `key` if its version is `version`.
    #[napi(catch_unwind)]
    pub fn delete_version(
        &self,
        env: Env,
        #[napi(ts_arg_type = "string | Uint8Array")] key: Key,
        version: BigInt,
    ) -> napi::Result<bool> {
        let (_, version, _) = version.get_u64();
        self.with(env, |handle| handle.engine.delete(&key.0, Condition::IfVersion(version)))
    }

    /// Changes the expiry of an entry; modes as in `setWith`. Says whether the key is there.
    #[napi(catch_unwind)]
    pub fn set_expiry(
        &self,
        env: Env,
        #[napi(ts_arg_type = "string | Uint8Array")] key: Key,
        mode: u32,
        ms: f64,
    ) -> napi::Result<bool> {
        self.with(env, |handle| handle.engine.set_expiry(&key.0, expiry(f64::from(mode), ms as u64)))
    }

    /// One step of a scan; keeps keys that match the pattern, as Redis understands it.
    #[napi(catch_unwind)]
    pub fn scan(&self, env: Env, cursor: f64, pattern: Option<String>) -> napi::Result<ScanPage> {
        self.with(env, |handle| {
            let mut entries: Vec<ScanEntry> = Vec::new();
            let next = handle.engine.scan(cursor as u64, &mut entries);
            let matches = |key: &[u8]| pattern.as_ref().is_none_or(|pattern| glob_matches(pattern.as_bytes(), key));
            let keys =
                entries.into_iter().filter(|entry| matches(&entry.key)).map(|entry| key_out(entry.key)).collect();
            Ok(ScanPage { cursor: next as f64, keys })
        })
    }

    /// Up to `limit` keys in order of use from `after` on, for exact LRU.
    #[napi(catch_unwind)]
    pub fn keys_by_recency(
        &self,
        env: Env,
        #[napi(ts_arg_type = "string | Uint8Array | null")] after: Option<Key>,
        limit: u32,
        newest_first: bool,
    ) -> napi::Result<Vec<KeyOut>> {
        let after = after.as_ref().map(|key| key.0.as_slice());
        self.with(env, |handle| {
            let keys = handle.engine.keys_by_recency(after, limit.min(PAGE_LIMIT) as usize, newest_first);
            Ok(keys.into_iter().map(key_out).collect())
        })
    }

    /// Empties the cache.
    #[napi(catch_unwind)]
    pub fn clear(&self, env: Env) -> napi::Result<()> {
        self.with(env, |handle| {
            handle.engine.clear();
            Ok(())
        })
    }

    /// Sets a new bound; says whether it holds already.
    #[napi(catch_unwind)]
    pub fn resize(&self, env: Env, max_bytes: f64) -> napi::Result<bool> {
        self.with(env, |handle| handle.engine.resize(max_bytes as u64))
    }

    /// Whether the bound that was set last holds.
    #[napi(catch_unwind)]
    pub fn is_within_bound(&self, env: Env) -> napi::Result<bool> {
        self.with(env, |handle| Ok(handle.engine.is_within_bound()))
    }

    /// One step of background work; says whether there is more to do at once.
    #[napi(catch_unwind)]
    pub fn maintain(&self) -> bool {
        self.handle_or_none(|handle| handle.is_some_and(|handle| handle.engine.maintain()))
    }

    /// Object shapes learnt by the codec of this cache.
    #[napi(catch_unwind)]
    pub fn structures(&self, env: Env) -> napi::Result<StructuresBlob> {
        self.with(env, |handle| {
            let (revision, bytes) = handle.structures.load();
            Ok(StructuresBlob { revision, bytes: bytes.into() })
        })
    }

    /// Replaces them if nobody did since `revision`; says whether it did.
    #[napi(catch_unwind)]
    pub fn save_structures(&self, env: Env, revision: u32, bytes: Uint8Array) -> napi::Result<bool> {
        self.with(env, |handle| Ok(handle.structures.save(revision, &bytes)))
    }

    /// Subscribes to changes of the kinds in `kinds` (bit `1 << kind`) instead of what this handle had before.
    #[napi(catch_unwind)]
    pub fn subscribe(&self, env: Env, kinds: u32, with_values: bool) -> napi::Result<()> {
        self.with(env, |handle| {
            let subscription = handle.events.subscribe(&handle.engine, kinds, with_values);
            if let Some(old) = self.subscription.borrow_mut().replace(subscription) {
                handle.events.unsubscribe(old);
            }
            Ok(())
        })
    }

    /// Ends the subscription.
    #[napi(catch_unwind)]
    pub fn unsubscribe(&self, env: Env) -> napi::Result<()> {
        self.with(env, |handle| {
            if let Some(old) = self.subscription.borrow_mut().take() {
                handle.events.unsubscribe(old);
            }
            Ok(())
        })
    }

    /// Takes up to `max` changes that are there; never waits.
    #[napi(catch_unwind)]
    pub fn drain(&self, env: Env, max: u32) -> napi::Result<Vec<NativeChange>> {
        self.with(env, |handle| {
            let subscription = self.subscription.borrow();
            let Some(subscription) = subscription.as_ref() else { return Ok(Vec::new()) };
            let changes = handle.events.take(subscription, max.min(PAGE_LIMIT) as usize);
            Ok(changes.into_iter().map(NativeChange::from).collect())
        })
    }

    /// Gives the handle back. The cache closes with the last handle of the process.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.release();
    }
}

impl From<tandem_engine::Change> for NativeChange {
    fn from(change: tandem_engine::Change) -> Self {
        let kind: ChangeKind = change.kind;
        let (old_kind, old_codec) = change.old.as_ref().map_or((0, 0), |old| (old.kind as u32, u32::from(old.codec)));
        Self {
            kind: kind as u32,
            key: key_out(change.key),
            version: change.version.into(),
            old: change.old.map(|old| old.bytes.into()),
            old_kind,
            old_codec,
        }
    }
}
