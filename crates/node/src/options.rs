//! Options as JavaScript gives them. TypeScript has validated types and ranges; the engine validates again.

use std::sync::Arc;

use napi_derive::napi;
use tandem_engine::{Compression, ManualClock, Options, PolicyKind};

use crate::registry::Opening;

/// Options of a cache, complete and validated by `src/cache/options.ts`.
#[napi(object, object_to_js = false)]
pub struct CacheOptions {
    /// Name in the process-wide registry; absent for a cache of its own.
    pub name: Option<String>,
    /// Whether the caller gave options, which then must be those a cache of that name has.
    pub explicit: bool,
    /// All options in words.
    pub description: String,
    /// Bound on all memory in bytes.
    pub max_bytes: f64,
    /// Bound on the number of entries.
    pub max_entries: Option<f64>,
    /// Bound on the sum of costs.
    pub max_cost: Option<f64>,
    /// Exact LRU instead of the default policy.
    pub lru: bool,
    /// Number of shards.
    pub shards: Option<u32>,
    /// Largest value in bytes.
    pub max_value_bytes: f64,
    /// Default ttl in ms.
    pub ttl: Option<f64>,
    /// Default idle ttl in ms.
    pub idle_ttl: Option<f64>,
    /// Smallest value in bytes that LZ4 is tried on; absent for no compression.
    pub compress_from: Option<f64>,
    /// Seed of the key hash.
    pub seed: Option<f64>,
    /// Time of an injected clock in ms since the Unix epoch; absent for the system's.
    pub now: Option<f64>,
}

impl From<CacheOptions> for Opening {
    fn from(given: CacheOptions) -> Self {
        let clock = given.now.map(|now| Arc::new(ManualClock::new(now as u64)));
        let mut options = Options {
            max_bytes: given.max_bytes as u64,
            max_entries: given.max_entries.map(|entries| entries as u64),
            max_cost: given.max_cost.map(|cost| cost as u64),
            policy: if given.lru { PolicyKind::Lru } else { PolicyKind::Default },
            shards: given.shards.map(|shards| shards as usize),
            max_value_bytes: given.max_value_bytes as u64,
            default_ttl_ms: given.ttl.map(|ms| ms as u64),
            default_idle_ttl_ms: given.idle_ttl.map(|ms| ms as u64),
            compression: match given.compress_from {
                Some(bytes) => Compression::Lz4 { min_bytes: bytes as usize },
                None => Compression::None,
            },
            seed: given.seed.map(|seed| seed as u64),
            ..Options::default()
        };
        if let Some(clock) = &clock {
            options.clock = clock.clone();
        }
        Opening { name: given.name, options, explicit: given.explicit, description: given.description, clock }
    }
}
