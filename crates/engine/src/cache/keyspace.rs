//! Scans, recency, clear, and counters.

use super::{Cache, random_seed};
use crate::events::ChangeKind;
use crate::shard::{Effects, describe};
use crate::stats::Stats;
use crate::value::Kind;

/// Cursors keep the top 53 bits of a hash; pages never cut finer.
const CURSOR_SHIFT: u32 = 11;

/// Random pages that are tried for a random key before all are looked at in order.
const RANDOM_PAGES: u32 = 64;

/// One entry of a scan step; owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanEntry {
    /// The key.
    pub key: Vec<u8>,
    /// Meaning of the value.
    pub kind: Kind,
    /// Version of the entry.
    pub version: u64,
    /// Absolute expiry, ms since the Unix epoch.
    pub expires_at: Option<u64>,
    /// Bytes that the cache is smaller without the entry.
    pub bytes: u64,
}

impl Cache {
    /// Copies one index page (up to 700 entries) at `cursor` (0 starts) and returns the next cursor (0: finished).
    /// A key that exists throughout a scan appears exactly once, also while the cache grows, overwrites and
    /// compacts. Cursors fit 53 bits. Not a use.
    pub fn scan(&self, cursor: u64, entries: &mut Vec<ScanEntry>) -> u64 {
        let hash = cursor << CURSOR_SHIFT;
        let number = if self.shards.len() == 1 { 0 } else { (hash >> self.shard_shift) as usize };
        let shard = self.lock_number(number);
        let (addresses, next) = shard.index.page_at(hash);
        let now = self.shared.now_ms();
        for address in addresses {
            let record = shard.log.record(address);
            let found = describe(record, || now);
            // A cursor of a caller's own making may point into the middle of a page.
            let before = hash != 0 && self.shared.hash(record.key()) < hash;
            if before || found.expires_at.is_some_and(|at| at <= now) {
                continue;
            }
            entries.push(ScanEntry {
                key: record.key().to_vec(),
                kind: found.kind,
                version: found.version,
                expires_at: found.expires_at,
                bytes: shard.log.bytes_of_entry(record),
            });
        }
        match next {
            Some(next) => next >> CURSOR_SHIFT,
            None if number + 1 < self.shards.len() => ((number as u64 + 1) << self.shard_shift) >> CURSOR_SHIFT,
            None => 0,
        }
    }

    /// A key chosen at random among those that `wanted` accepts, nearly every one with the same chance: first a random
    /// page of the index, then a random entry of it. Where nearly none is wanted, every page may be looked at. Not a
    /// use. `wanted` runs under a shard lock: it compares and does nothing else.
    pub fn random_key(&self, wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        for _ in 0..RANDOM_PAGES {
            if let Some(key) = self.random_key_near(random_seed(), &wanted).0 {
                return Some(key);
            }
        }
        let mut hash = 0;
        loop {
            let (key, next) = self.random_key_near(hash, &wanted);
            hash = match (key, next) {
                (Some(key), _) => return Some(key),
                (None, Some(next)) => next,
                (None, None) => return None,
            };
        }
    }

    /// A random wanted key of the page that holds `hash`, and where the next page begins.
    fn random_key_near(&self, hash: u64, wanted: &impl Fn(&[u8]) -> bool) -> (Option<Vec<u8>>, Option<u64>) {
        let number = if self.shards.len() == 1 { 0 } else { (hash >> self.shard_shift) as usize };
        let shard = self.lock_number(number);
        let (addresses, next) = shard.index.page_at(hash);
        let now = self.shared.now_ms();
        let is_wanted = |address: &u32| {
            let record = shard.log.record(*address);
            describe(record, || now).expires_at.is_none_or(|at| at > now) && wanted(record.key())
        };
        let candidates: Vec<u32> = addresses.into_iter().filter(is_wanted).collect();
        let chosen = match candidates.len() {
            0 => None,
            count => Some(candidates[(random_seed() % count as u64) as usize]),
        };
        let following = (number + 1 < self.shards.len()).then(|| (number as u64 + 1) << self.shard_shift);
        (chosen.map(|address| shard.log.record(address).key().to_vec()), next.or(following))
    }

    /// Up to `limit` keys in order of use, for `lru`: newest first (or oldest first) behind `after`, shard by shard.
    /// Empty for other policies, and where `after` is gone.
    pub fn keys_by_recency(&self, after: Option<&[u8]>, limit: usize, newest_first: bool) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        let position = after.map(|key| (self.shared.hash(key), key));
        let first = match position {
            Some((hash, _)) if self.shards.len() > 1 => (hash >> self.shard_shift) as usize,
            _ => 0,
        };
        for number in first..self.shards.len() {
            let after = position.filter(|_| number == first);
            self.lock_number(number).keys_by_recency(after, limit, newest_first, &mut keys);
            if keys.len() >= limit {
                break;
            }
        }
        keys
    }

    /// Empties the cache in constant time per shard; counts are right at once, memory returns in small steps
    /// ([`Cache::maintain`] and writes). Pre-empts. A transaction that does it cannot be undone any more.
    ///
    /// # Panics
    /// Inside a transaction that does not hold the whole cache.
    pub fn clear(&self) {
        self.make_final();
        self.shared.large.blocks().cool_now();
        for number in 0..self.shards.len() {
            let mut effects = Effects::default();
            let mut shard = self.lock_number(number);
            let cleared = shard.clear(ChangeKind::Cleared, &mut effects);
            shard.overtake_all(&mut effects);
            drop(shard);
            self.settle(effects);
            debug_assert!(cleared.is_ok());
        }
    }

    /// Number of live entries. Expired ones count until the sweep has seen them.
    pub fn len(&self) -> u64 {
        (0..self.shards.len()).map(|number| self.lock_number(number).index.len()).sum()
    }

    /// Whether there is no live entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counters in sum.
    pub fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        for shard in self.shard_stats() {
            sum.add(&shard);
        }
        sum.max_bytes = self.shared.budget.max();
        (sum.hits, sum.misses) = self.reads.sums();
        let free = self.shared.segments.free_bytes();
        // What is charged and in no shard: free segments, cleared ones on their way back, values that readers
        // still hold, the shards themselves.
        sum.reserve_bytes += free;
        sum.bytes = self.shared.budget.used();
        let parts = sum.key_bytes + sum.value_bytes + sum.dead_bytes + sum.reserve_bytes;
        sum.overhead_bytes = sum.bytes.saturating_sub(parts);
        sum
    }

    /// Counters of each shard. Hits and misses are counted per cache only, and are 0 here.
    pub fn shard_stats(&self) -> Vec<Stats> {
        (0..self.shards.len())
            .map(|number| Stats { max_bytes: self.shared.budget.max(), ..self.lock_number(number).stats() })
            .collect()
    }

    /// Checks the invariants of every shard; for tests.
    ///
    /// # Errors
    /// The first thing that does not hold.
    #[doc(hidden)]
    pub fn verify(&self) -> Result<(), String> {
        for number in 0..self.shards.len() {
            self.lock_number(number).verify().map_err(|what| format!("shard {number}: {what}"))?;
        }
        let stats = self.stats();
        if stats.bytes > stats.max_bytes {
            return Err(format!("{} bytes of {}", stats.bytes, stats.max_bytes));
        }
        Ok(())
    }
}
