//! Counters of a cache.

/// A snapshot. Byte figures: `bytes == keys + values + overhead + dead + reserve` and `bytes <= max_bytes`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Live entries.
    pub entries: u64,
    /// Sum of costs of live entries, as far as 64 bits reach.
    pub cost: u64,
    /// Everything the cache occupies.
    pub bytes: u64,
    /// The bound.
    pub max_bytes: u64,
    /// Bytes of live keys.
    pub key_bytes: u64,
    /// Bytes of live values as stored.
    pub value_bytes: u64,
    /// Bytes of live values before compression.
    pub raw_value_bytes: u64,
    /// Record headers, index, ghosts, directories.
    pub overhead_bytes: u64,
    /// Bytes in the log that no entry uses any more.
    pub dead_bytes: u64,
    /// Free segments held ready, and unfilled ends of segments.
    pub reserve_bytes: u64,
    /// Reads that found an entry.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Writes that stored.
    pub sets: u64,
    /// Deletes that removed an entry.
    pub deletes: u64,
    /// Entries evicted to make room.
    pub evictions: u64,
    /// Entries removed by expiry.
    pub expirations: u64,
    /// Entries stored compressed, ever.
    pub compressed: u64,
    /// Key gates that exist now.
    pub gates: u64,
    /// Panics caught in a critical section, each of which emptied a shard.
    pub resets: u64,
    /// Number of shards.
    pub shards: u32,
}

impl Stats {
    /// Adds the counters of another shard.
    pub(crate) fn add(&mut self, other: &Self) {
        self.entries += other.entries;
        self.cost = self.cost.saturating_add(other.cost);
        self.bytes += other.bytes;
        self.key_bytes += other.key_bytes;
        self.value_bytes += other.value_bytes;
        self.raw_value_bytes += other.raw_value_bytes;
        self.overhead_bytes += other.overhead_bytes;
        self.dead_bytes += other.dead_bytes;
        self.reserve_bytes += other.reserve_bytes;
        self.hits += other.hits;
        self.misses += other.misses;
        self.sets += other.sets;
        self.deletes += other.deletes;
        self.evictions += other.evictions;
        self.expirations += other.expirations;
        self.compressed += other.compressed;
        self.gates += other.gates;
        self.resets += other.resets;
        self.shards += other.shards;
    }
}
