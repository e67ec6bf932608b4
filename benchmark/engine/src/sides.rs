//! The caches that are measured, behind one interface: a read copies the value into the caller's buffer, a write
//! takes borrowed bytes.

use std::sync::Arc;

use tandem_engine::{Cache, Compression, Kind, NewValue, Options, PolicyKind, ReadMode, WriteOptions};

use crate::workload::{KEY_BYTES, Key, VALUE_BYTES, key};

/// A cache under test.
pub trait Contender: Sync {
    /// Copies the value under `key` to the front of `target`; false on a miss.
    fn get(&self, key: &Key, target: &mut [u8; VALUE_BYTES]) -> bool;
    /// Stores a copy of `value`.
    fn set(&self, key: &Key, value: &[u8; VALUE_BYTES]);
}

/// The engine, without compression.
pub struct Tandem(pub Cache);

impl Tandem {
    /// A cache of `max_bytes` with the default number of shards.
    pub fn new(policy: PolicyKind, max_bytes: u64) -> Self {
        let options = Options { max_bytes, policy, compression: Compression::None, ..Options::default() };
        Self(Cache::new(options).expect("the options of a benchmark are legal"))
    }
}

/// `bytes` as a value to store.
pub fn bytes(bytes: &[u8]) -> NewValue<'_> {
    NewValue { kind: Kind::Bytes, codec: 0, bytes }
}

impl Contender for Tandem {
    #[inline]
    fn get(&self, key: &Key, target: &mut [u8; VALUE_BYTES]) -> bool {
        self.0.read(key, ReadMode::Use, |found| target[..found.bytes.len()].copy_from_slice(found.bytes)).is_some()
    }

    #[inline]
    fn set(&self, key: &Key, value: &[u8; VALUE_BYTES]) {
        self.0.set(key, bytes(value), &WriteOptions::default()).expect("a small value fits");
    }
}

/// quick_cache with keys and values of any length, as a cache of byte strings needs them.
pub struct QuickCache(quick_cache::sync::Cache<Box<[u8]>, Arc<[u8]>>);

impl QuickCache {
    /// A cache of `items` entries.
    pub fn new(items: usize) -> Self {
        Self(quick_cache::sync::Cache::new(items))
    }

    /// Entries it holds.
    pub fn entries(&self) -> usize {
        self.0.len()
    }
}

impl Contender for QuickCache {
    #[inline]
    fn get(&self, key: &Key, target: &mut [u8; VALUE_BYTES]) -> bool {
        self.0.get(key.as_slice()).is_some_and(|value| {
            target[..value.len()].copy_from_slice(&value);
            true
        })
    }

    #[inline]
    fn set(&self, key: &Key, value: &[u8; VALUE_BYTES]) {
        self.0.insert(Box::from(key.as_slice()), Arc::from(value.as_slice()));
    }
}

/// quick_cache with key and value as arrays inside its slab: the best case of a cache whose types the compiler knows.
pub struct QuickCacheFixed(quick_cache::sync::Cache<Key, [u8; VALUE_BYTES]>);

impl QuickCacheFixed {
    /// A cache of `items` entries.
    pub fn new(items: usize) -> Self {
        Self(quick_cache::sync::Cache::new(items))
    }

    /// Entries it holds.
    pub fn entries(&self) -> usize {
        self.0.len()
    }
}

impl Contender for QuickCacheFixed {
    #[inline]
    fn get(&self, key: &Key, target: &mut [u8; VALUE_BYTES]) -> bool {
        self.0.get(key).is_some_and(|value| {
            *target = value;
            true
        })
    }

    #[inline]
    fn set(&self, key: &Key, value: &[u8; VALUE_BYTES]) {
        self.0.insert(*key, *value);
    }
}

/// Stores the keys numbered below `keys`.
pub fn fill(contender: &impl Contender, keys: usize, value: &[u8; VALUE_BYTES]) {
    for number in 0..keys {
        contender.set(&key(number as u64), value);
    }
}

/// Bytes of key and value of one entry.
pub const ENTRY_BYTES: usize = KEY_BYTES + VALUE_BYTES;
