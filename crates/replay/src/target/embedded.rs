//! An embedded cache.

use tandem_engine::{Cache, Compression, Condition, Error as CacheError, Kind, NewValue, Options, PolicyKind};
use tandem_engine::{MAX_VALUE_BYTES, ReadMode, WriteOptions};

use super::{Figures, Stored, Target};
use crate::{Bound, Result};

/// Room beside the bounded thing, so that the byte bound of the cache is not what evicts.
const SPARE_BYTES: u64 = 64 << 20;
/// Bytes allowed for an entry where entries are bounded. Memory is touched only when used.
const BYTES_AN_ENTRY: u64 = 64 << 10;
/// Most address space a cache bounded by entries or cost asks for.
const MOST_BYTES: u64 = 16 << 30;

pub(crate) struct Embedded {
    cache: Cache,
    costs_are_sizes: bool,
}

impl Embedded {
    pub(crate) fn new(bound: Bound, policy: PolicyKind, shards: Option<usize>, seed: u64) -> Result<Self> {
        let roomy = |bytes: u64| bytes.saturating_add(SPARE_BYTES).min(MOST_BYTES);
        let (max_bytes, max_entries, max_cost) = match bound {
            Bound::Entries(entries) => (roomy(entries.saturating_mul(BYTES_AN_ENTRY)), Some(entries), None),
            Bound::Bytes(bytes) => (bytes, None, None),
            Bound::Cost(cost) => (roomy(cost.saturating_mul(2)), None, Some(cost)),
        };
        let cache = Cache::new(Options {
            max_bytes,
            max_entries,
            max_cost,
            policy,
            shards,
            max_value_bytes: MAX_VALUE_BYTES,
            compression: Compression::None,
            seed: Some(seed),
            ..Options::default()
        })?;
        Ok(Self { cache, costs_are_sizes: max_cost.is_some() })
    }
}

impl Target for Embedded {
    fn get(&mut self, key: &[u8]) -> Result<bool> {
        Ok(self.cache.read(key, ReadMode::Use, |found| std::hint::black_box(found.bytes.len())).is_some())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<Stored> {
        let value = NewValue { kind: Kind::Bytes, codec: 0, bytes: value };
        let cost = self.costs_are_sizes.then(|| value.bytes.len().max(1) as u64);
        match self.cache.set(key, value, &WriteOptions { cost, ..WriteOptions::default() }) {
            Ok(_) => Ok(Stored::Yes),
            Err(CacheError::TooLarge { .. }) => Ok(Stored::Refused),
            Err(error) => Err(error.into()),
        }
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.cache.delete(key, Condition::Always)?;
        Ok(())
    }

    fn figures(&mut self) -> Result<Figures> {
        let stats = self.cache.stats();
        Ok(Figures {
            entries: Some(stats.entries),
            evictions: Some(stats.evictions),
            cache_bytes: Some(stats.bytes),
            rss_bytes: own_rss_bytes(),
        })
    }
}

/// Resident memory of this process, where Linux tells it.
fn own_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}
