//! The Tandem cache engine: a sharded, byte-bounded, in-memory key-value cache.
//!
//! ```text
//!  Cache ── hashes the key once, picks the shard, takes its lock
//!    └─ Shard (single-threaded core, one per slice of the hash space)
//!         ├─ Index     hash -> record address, 12 slots a cache line, pages split one at a time
//!         ├─ Log       records in segments, segments in queues (the order of eviction)
//!         ├─ Policy    which record goes next: exact LRU, or the scan-resistant default
//!         └─ Gates     per-key queues, only while a write is in flight
//!  Memory ── one budget for segments, index pages and large values of all shards
//! ```
//!
//! The crate does no I/O and knows nothing of Node. Time and randomness are injected.

mod cache;
mod clock;
mod codec;
mod collection;
mod error;
mod events;
mod eviction;
pub mod gates;
mod idle;
mod index;
mod log;
mod memory;
mod options;
mod record;
mod shard;
mod stats;
mod sync;
mod value;
mod watch;

pub use cache::{
    Cache, Commits, EntryInfo, Fill, Filled, Held, Lease, LeaseMode, Moved, Prefetched, ScanEntry, Scope, Stable,
};
pub use clock::{Clock, ManualClock, SystemClock};
pub use collection::{Editor, Element, Elements, Growth, Put};
pub use error::{Error, Result};
pub use events::{Change, ChangeKind, ChangeLimits, ChangeStream, OldValue, Origin, OriginGuard};
pub use memory::Draft;
pub use options::{Compression, Options, PolicyKind};
pub use stats::Stats;
pub use value::{Condition, Expiry, Found, Kind, LargeValue, NewValue, ReadMode, Transform, WriteOptions, Written};
pub use watch::WatchFlag;

/// Longest key in bytes.
pub const MAX_KEY_BYTES: usize = 65_535;
/// Upper limit of `Options::max_value_bytes`: 256 MiB less one byte, the width of the record's length field.
pub const MAX_VALUE_BYTES: u64 = (1 << 28) - 1;
/// Longest idle ttl: 3,650 days, far below the time that a record's last use can be told from a later one.
pub const MAX_IDLE_TTL_MS: u64 = 3_650 * 86_400_000;
/// Smallest `Options::max_bytes`.
pub const MIN_CACHE_BYTES: u64 = 1 << 20;
/// Largest `Options::max_bytes`, 32 TiB: what always fits in one piece into the 128 TiB that a process can address.
pub const MAX_CACHE_BYTES: u64 = 1 << 45;
