//! Unconditional and conditional writes.

use std::sync::Arc;

use super::{Cache, read, scratch};
use crate::codec;
use crate::error::{Error, Result};
use crate::log::Bound;
use crate::memory::{Block, Draft, LargeSpace};
use crate::options::Compression;
use crate::record::{HEADER_BYTES, field, flag};
use crate::shard::{Effects, Shard, Step, Stored, Write, describe, stored};
use crate::value::{Condition, Expiry, Found, Kind, LargeValue, NewValue, WriteOptions, Written};

/// How often a write asks other shards to give way before it takes from its own, and how often in vain before it
/// gives up.
const RELIEF_ATTEMPTS: u32 = 8;
/// Most steps of one shard giving way, each about the cost of an eviction: a part of a segment. The writer then takes
/// from the reserve, if there is one.
const RELIEF_STEPS: u32 = 256;

/// A value as it is stored.
#[derive(Clone, Copy)]
pub(super) struct Encoded<'a> {
    pub flags: u8,
    pub bytes: &'a [u8],
    /// Where `bytes` may lie.
    pub draft: Option<&'a Draft>,
}

impl Cache {
    /// Stores a value. Pre-empts an upsert in flight on the key. Compression and the copy of a large value happen
    /// before the lock is taken.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], [`Error::TooLarge`], [`Error::BadCost`], [`Error::BadOption`], [`Error::NotInteger`] for an
    /// integer that does not have eight bytes, [`Error::Overloaded`], [`Error::Closed`]. Nothing has changed then.
    pub fn set(&self, key: &[u8], value: NewValue<'_>, options: &WriteOptions) -> Result<Written> {
        self.set_from(key, value, None, options)
    }

    /// Like [`Cache::set`], for a value that was received into `draft`: a large one that is nearly all there is in the
    /// draft, and does not compress, is not copied.
    ///
    /// # Errors
    /// Those of [`Cache::set`].
    pub fn set_received(
        &self,
        key: &[u8],
        value: NewValue<'_>,
        draft: &Draft,
        options: &WriteOptions,
    ) -> Result<Written> {
        self.set_from(key, value, Some(draft), options)
    }

    /// Memory to receive a request of `capacity` bytes into, for [`Cache::set_received`]. `None` where the address space is
    /// used up.
    pub fn draft(&self, capacity: usize) -> Option<Draft> {
        if capacity as u64 > crate::MAX_VALUE_BYTES {
            return None;
        }
        Draft::new(self.shared.large.blocks(), capacity).ok()
    }

    fn set_from(
        &self,
        key: &[u8],
        value: NewValue<'_>,
        draft: Option<&Draft>,
        options: &WriteOptions,
    ) -> Result<Written> {
        self.check_write(key, &value, options)?;
        scratch::with(|compressed| {
            let encoded = Encoded { draft, ..self.encode(&value, compressed) };
            if self.is_large(key, encoded.bytes)
                && let Some(version) = self.fails(key, options.condition)
            {
                return Ok(Written::ConditionFailed { version });
            }
            self.prepared(key, &value, encoded, options, |shard, write, effects| shard.write(write, effects))
        })
    }

    /// The version that is there, if `condition` does not hold. Asked before room is made for a large value: a write
    /// that stores nothing should evict nothing.
    fn fails(&self, key: &[u8], condition: Condition) -> Option<u64> {
        if condition == Condition::Always {
            return None;
        }
        let hash = self.shared.hash(key);
        let mut effects = Effects::default();
        let mut shard = self.lock(hash);
        let version = shard.lookup(hash, key, &mut effects).map(|address| shard.log.record(address).version());
        drop(shard);
        self.settle(effects);
        (!condition.holds(version)).then(|| version.unwrap_or(0))
    }

    /// Everything that can be said about a write without looking at the cache's content.
    pub(super) fn check_write(&self, key: &[u8], value: &NewValue<'_>, options: &WriteOptions) -> Result<()> {
        self.check_open()?;
        if key.len() > crate::MAX_KEY_BYTES {
            return Err(Error::KeyTooLong { bytes: key.len() });
        }
        let limit = self.shared.options.max_value_bytes;
        if value.bytes.len() as u64 > limit {
            return Err(Error::TooLarge { what: "value bytes", size: value.bytes.len() as u64, limit });
        }
        if value.kind == Kind::Integer && value.bytes.len() != size_of::<i64>() {
            return Err(Error::NotInteger);
        }
        let cost = options.cost.unwrap_or(1);
        if cost == 0 {
            return Err(Error::BadCost);
        }
        if let Some(max) = self.shared.options.max_cost
            && cost > max
        {
            return Err(Error::TooLarge { what: "cost", size: cost, limit: max });
        }
        if let Some(idle) = options.idle_ttl_ms
            && (idle == 0 || idle > crate::MAX_IDLE_TTL_MS)
        {
            return Err(Error::BadOption {
                option: "idleTtl",
                reason: format!("{idle} ms is outside 1 to {}", crate::MAX_IDLE_TTL_MS),
            });
        }
        Ok(())
    }

    /// The value as it is stored.
    pub(super) fn encode<'a>(&self, value: &NewValue<'a>, compressed: &'a mut Vec<u8>) -> Encoded<'a> {
        let ascii = value.kind == Kind::Text && value.bytes.is_ascii();
        let flags = if ascii { flag::ASCII } else { 0 };
        if let Compression::Lz4 { min_bytes } = self.shared.options.compression
            && value.bytes.len() >= min_bytes
            && codec::compress(value.bytes, compressed)
        {
            return Encoded { flags: flags | flag::LZ4, bytes: compressed, draft: None };
        }
        Encoded { flags, bytes: value.bytes, draft: None }
    }

    /// Largest record in bytes that goes into the log; anything above keeps its value outside.
    pub(super) fn inline_limit(&self) -> usize {
        (self.shared.segments.segment_bytes() / 4) as usize
    }

    /// Whether the value goes outside the log.
    fn is_large(&self, key: &[u8], bytes: &[u8]) -> bool {
        let fields = 6 * field::BYTES;
        (HEADER_BYTES + fields) as usize + key.len() + bytes.len() > self.inline_limit()
    }

    /// Prepares a write outside the lock and runs `step` with it until it is done.
    pub(super) fn prepared<T>(
        &self,
        key: &[u8],
        value: &NewValue<'_>,
        encoded: Encoded<'_>,
        options: &WriteOptions,
        mut step: impl FnMut(&mut Shard, &Write<'_>, &mut Effects) -> Result<Step<T>>,
    ) -> Result<T> {
        let hash = self.shared.hash(key);
        let Encoded { mut flags, bytes, .. } = encoded;
        let value_len = bytes.len() as u32;
        let large = if self.is_large(key, bytes) {
            flags |= flag::LARGE;
            let key_part: &[u8] = if key.len() > self.inline_limit() / 2 { key } else { &[] };
            if !key_part.is_empty() {
                flags |= flag::LONG_KEY;
            }
            Some(self.store_large((hash, key), key_part, &encoded, options)?)
        } else {
            None
        };
        let write = Write {
            hash,
            key,
            kind: value.kind,
            codec: value.codec,
            flags,
            value: if large.is_some() { &[] } else { bytes },
            value_len,
            large,
            options,
        };
        let done = self.attempt((hash, key), Some(*value), |shard, effects| step(shard, &write, effects));
        if let (Some(large), Ok(_)) = (&write.large, &done) {
            self.evict_ahead((hash, key), large.0.charged());
        }
        done
    }

    /// Where there is no room, sees to it that some of what goes is kept for the next values: after a value was written
    /// that charges `charge` and replaced none, another one goes at once and leaves its memory to the next.
    #[cold]
    fn evict_ahead(&self, (hash, key): (u64, &[u8]), charge: u64) {
        let blocks = self.shared.large.blocks();
        if self.shared.budget.available() < charge && blocks.warm_bytes() < blocks.warm_goal(charge) {
            self.relieve(Bound::Bytes, Some((hash, key)), RELIEF_STEPS);
        }
    }

    /// Runs `step` under the lock of the hash's shard until it is done, letting other shards give way in between.
    /// `value` is what it stores: those who wait for one get it.
    pub(super) fn attempt<T>(
        &self,
        (hash, key): (u64, &[u8]),
        value: Option<NewValue<'_>>,
        mut step: impl FnMut(&mut Shard, &mut Effects) -> Result<Step<T>>,
    ) -> Result<T> {
        let (mut attempts, mut failures) = (0, 0);
        loop {
            let mut effects = Effects::default();
            let mut shard = self.lock(hash);
            let is_retry = attempts > 0;
            if is_retry {
                (shard.insist, shard.was_relieved) = (attempts >= RELIEF_ATTEMPTS || failures > 0, true);
            }
            let outcome = step(&mut shard, &mut effects);
            if is_retry {
                (shard.insist, shard.was_relieved) = (false, false);
            }
            drop(shard);
            self.settle_with(effects, value);
            let bound = match outcome? {
                Step::Done(value) => return Ok(value),
                Step::Settle => continue,
                Step::Full(bound) => bound,
            };
            attempts += 1;
            // As long as something goes, there is hope: every entry of the cache may have to make way for one.
            if !self.relieve(bound, Some((hash, key)), RELIEF_STEPS) {
                failures += 1;
                if failures > RELIEF_ATTEMPTS {
                    return Err(Error::Overloaded { what: "no room can be made: memory is in use by readers" });
                }
            }
        }
    }

    /// Puts a value (with a long key in front) where large ones live, evicting until it may: other entries first, then the
    /// value it replaces, unless the write depends on that.
    fn store_large(
        &self,
        (hash, key): (u64, &[u8]),
        key_part: &[u8],
        encoded: &Encoded<'_>,
        options: &WriteOptions,
    ) -> Result<LargeValue> {
        let len = key_part.len() + encoded.bytes.len();
        let (charge, limit) = (LargeSpace::charge_for(len), self.large_limit());
        if charge > limit {
            return Err(Error::TooLarge { what: "entry bytes", size: charge, limit });
        }
        let old_may_go = options.condition == Condition::Always && options.expiry != Expiry::Keep;
        let pay = |block: &Block| {
            let (blocks, owed) = (self.shared.large.blocks(), block.owed());
            let goal = blocks.warm_goal(charge);
            while owed > 0
                && !(self.shared.segments.shed(owed, true)
                    && self.shared.budget.try_charge(owed, self.spare_for_large()))
            {
                let gave = blocks.cool(goal)
                    || self.relieve(Bound::Bytes, Some((hash, key)), RELIEF_STEPS)
                    || (old_may_go && self.relieve(Bound::Bytes, None, RELIEF_STEPS))
                    || blocks.cool(0);
                if !gave {
                    return Err(Error::Overloaded { what: "no room for a large value: memory is in use by readers" });
                }
            }
            block.note_paid();
            Ok(())
        };
        let large = &self.shared.large;
        let received = encoded.draft.filter(|_| key_part.is_empty());
        let value = match received.and_then(|draft| draft.place_of(encoded.bytes)) {
            Some((block, place)) => {
                pay(block)?;
                large.adopt(Arc::clone(block), place)
            }
            None => {
                let mut block = large.blocks().take_for_value(len)?;
                block.use_up_to(len);
                pay(&block)?;
                large.store(block, &[key_part, encoded.bytes])
            }
        };
        Ok(LargeValue(Arc::new(value), key_part.len()))
    }

    /// Most bytes that one entry may charge outside the log.
    pub(super) fn large_limit(&self) -> u64 {
        let segment_bytes = u64::from(self.shared.segments.segment_bytes());
        let fixed =
            self.fixed_bytes + self.shared.segments.reserve_bytes() + 3 * segment_bytes * self.shards.len() as u64;
        self.shared.budget.max().saturating_sub(fixed)
    }

    fn spare_for_large(&self) -> u64 {
        self.shared.segments.reserve_bytes().saturating_sub(self.shared.segments.free_bytes())
    }

    /// Deletes `key` if `condition` holds; says whether an entry went. Pre-empts.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn delete(&self, key: &[u8], condition: Condition) -> Result<bool> {
        self.check_open()?;
        let hash = self.shared.hash(key);
        let mut effects = Effects::default();
        let deleted = self.lock(hash).delete(hash, key, condition, &mut effects, |_| {});
        self.settle(effects);
        Ok(deleted)
    }

    /// Deletes `key` and hands its value to `read`, outside the lock. Pre-empts.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn take<T>(&self, key: &[u8], read: impl FnOnce(&Found<'_>) -> T) -> Result<Option<T>> {
        self.check_open()?;
        let hash = self.shared.hash(key);
        let mut effects = Effects::default();
        let mut taken = None;
        scratch::with(|copy| {
            self.lock(hash).delete(hash, key, Condition::Always, &mut effects, |record| {
                let large = match stored(record) {
                    Stored::Large(large, compressed) => Some((large, compressed)),
                    Stored::Inline(bytes) | Stored::Compressed(bytes) => {
                        copy.extend_from_slice(bytes);
                        None
                    }
                };
                let found = describe::<'static>(record, || self.shared.now_ms());
                taken = Some((found, record.has_flag(flag::LZ4), large));
            });
            self.settle(effects);
            Ok(taken.map(|(found, compressed, large)| match large {
                Some((large, compressed)) => read::read_large(&large, compressed, &found, read),
                None if compressed => read::decompressed(copy, |bytes| read(&Found { bytes, ..found })),
                None => read(&Found { bytes: copy, ..found }),
            }))
        })
    }
}
