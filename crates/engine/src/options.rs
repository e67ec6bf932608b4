//! Options of a cache, validated where they enter.

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result};

/// Order of eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PolicyKind {
    /// Scan-resistant: S3-FIFO queues over the log of segments.
    #[default]
    Default,
    /// Exact least-recently-used (per shard).
    Lru,
}

/// Whether values are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Values are stored as they come.
    None,
    /// LZ4 block format with the raw length in front (u32, little endian), kept only where it saves a tenth or more.
    Lz4 {
        /// Smallest value in bytes that is tried.
        min_bytes: usize,
    },
}

/// Options of a cache.
#[derive(Clone)]
pub struct Options {
    /// Bound on all memory of the cache in bytes; at least [`crate::MIN_CACHE_BYTES`].
    pub max_bytes: u64,
    /// Bound on the number of entries.
    pub max_entries: Option<u64>,
    /// Bound on the sum of costs.
    pub max_cost: Option<u64>,
    /// Order of eviction.
    pub policy: PolicyKind,
    /// Number of shards, a power of two up to 256; `None`: 1 for `lru`, `max_cost` and small caches, else by size.
    pub shards: Option<usize>,
    /// Largest value in bytes, at most [`crate::MAX_VALUE_BYTES`].
    pub max_value_bytes: u64,
    /// Ttl of writes that give none, in milliseconds.
    pub default_ttl_ms: Option<u64>,
    /// Idle ttl of writes that give none, in milliseconds.
    pub default_idle_ttl_ms: Option<u64>,
    /// Compression.
    pub compression: Compression,
    /// Seed of the key hash; `None`: random.
    pub seed: Option<u64>,
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_bytes: 512 << 20,
            max_entries: None,
            max_cost: None,
            policy: PolicyKind::Default,
            shards: None,
            max_value_bytes: 16 << 20,
            default_ttl_ms: None,
            default_idle_ttl_ms: None,
            compression: Compression::Lz4 { min_bytes: 512 },
            seed: None,
            clock: Arc::new(SystemClock),
        }
    }
}

impl Options {
    /// Checks every option on its own and against the others.
    ///
    /// # Errors
    /// [`Error::BadOption`], naming the option, its value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        let bad = |option, reason: String| Err(Error::BadOption { option, reason });
        if self.max_bytes < crate::MIN_CACHE_BYTES || self.max_bytes > crate::MAX_CACHE_BYTES {
            return bad("maxBytes", format!("{} is outside 1 MiB to 32 TiB", self.max_bytes));
        }
        if self.max_entries == Some(0) {
            return bad("maxEntries", "0 is not allowed; at least 1".into());
        }
        if self.max_cost == Some(0) {
            return bad("maxCost", "0 is not allowed; at least 1".into());
        }
        if let Some(shards) = self.shards
            && (!shards.is_power_of_two() || shards > 256)
        {
            return bad("shards", format!("{shards} is not a power of two from 1 to 256"));
        }
        if self.max_value_bytes == 0 || self.max_value_bytes > crate::MAX_VALUE_BYTES {
            return bad(
                "maxValueBytes",
                format!("{} is outside 1 to {}", self.max_value_bytes, crate::MAX_VALUE_BYTES),
            );
        }
        if self.default_ttl_ms == Some(0) {
            return bad("ttl", "0 is not allowed; leave it out for no expiry".into());
        }
        if let Some(idle) = self.default_idle_ttl_ms
            && (idle == 0 || idle > crate::MAX_IDLE_TTL_MS)
        {
            return bad("idleTtl", format!("{idle} ms is outside 1 to {}", crate::MAX_IDLE_TTL_MS));
        }
        Ok(())
    }
}
