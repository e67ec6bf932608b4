//! Writes.

use std::sync::atomic::Ordering;

use super::{Effects, Removal, Shard, Sizes};
use crate::error::{Error, Result};
use crate::events::ChangeKind;
use crate::eviction::Eviction;
use crate::gates::Overtaking;
use crate::index::Position;
use crate::log::Bound;
use crate::memory::{NONE, PAGE_BYTES, prefetch};
use crate::record::{Draft, Record, field, flag};
use crate::value::{Condition, Expiry, Kind, LargeValue, WriteOptions, Written};

/// A write, prepared outside the lock: checked, compressed, its large value stored.
pub(crate) struct Write<'a> {
    pub(crate) hash: u64,
    pub(crate) key: &'a [u8],
    pub(crate) kind: Kind,
    pub(crate) codec: u8,
    /// Flags of the record.
    pub(crate) flags: u8,
    /// Inline bytes, as stored; empty for a large value.
    pub(crate) value: &'a [u8],
    /// Length of the stored value.
    pub(crate) value_len: u32,
    pub(crate) large: Option<LargeValue>,
    pub(crate) options: &'a WriteOptions,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<T> {
    Done(T),
    /// Memory returns once the lock is released: then try again.
    Settle,
    /// Another shard has to give way first: it holds more than its share of what this bound limits.
    Full(Bound),
}

/// Most steps a write takes to bring the cache back under its byte bound; what is left is for the next one.
const EXCESS_STEPS: u32 = 1024;

impl Condition {
    pub(crate) fn holds(self, current: Option<u64>) -> bool {
        match self {
            Condition::Always => true,
            Condition::IfAbsent => current.is_none(),
            Condition::IfPresent => current.is_some(),
            Condition::IfVersion(version) => current.unwrap_or(0) == version,
        }
    }
}

impl Shard {
    /// Stores a value. Evicts other keys as needed; nothing has changed when this is an error or `Full`, but for
    /// evictions.
    pub(crate) fn write(&mut self, write: &Write<'_>, effects: &mut Effects) -> Result<Step<Written>> {
        self.policy.prefetch(write.hash);
        let current = self.lookup(write.hash, write.key, effects);
        let version = current.map(|address| self.log.record(address).version());
        if !write.options.condition.holds(version) {
            return Ok(Step::Done(Written::ConditionFailed { version: version.unwrap_or(0) }));
        }
        let (draft, now) = self.draft(write, current);
        if draft.expires_at.is_some_and(|at| at <= now) {
            return Ok(Step::Done(self.store_expired(write, current, effects)));
        }
        // Not before: readers look things up while this write does.
        self.begin_write();
        let current = match current {
            Some(address) if self.needs_no_room(address, &draft) => address,
            _ => {
                self.prefetch_own_lines();
                self.protect = current.unwrap_or(NONE);
                let step = self.make_room(&draft, write.hash, effects);
                let current = std::mem::replace(&mut self.protect, NONE);
                let step = match step {
                    Ok(Step::Done(())) => None,
                    Ok(Step::Full(bound)) => Some(Ok(Step::Full(bound))),
                    Ok(Step::Settle) => Some(Ok(Step::Settle)),
                    Err(error) => Some(Err(error)),
                };
                if let Some(stopped) = step {
                    self.release_reserved();
                    return stopped;
                }
                current
            }
        };
        let replaced = current != NONE;
        self.note_before(write.key, replaced.then(|| self.log.record(current)));
        let version = self.next_version();
        let address = if replaced {
            self.overwrite(current, &draft, write.hash, version, now, effects)
        } else {
            self.insert(&draft, write.hash, version, now, effects)
        };
        if address != current {
            self.protect = address;
            self.keep_pace(self.log.rounded(draft.bytes()), effects);
            self.protect = NONE;
        }
        self.count_set();
        if draft.flags & flag::LZ4 != 0 {
            self.counters.compressed += 1;
        }
        self.overtake(write.key, Overtaking::Stored, effects);
        Ok(Step::Done(Written::Stored { version, replaced }))
    }

    /// The record to write, and the time (0 where nobody needs it).
    fn draft<'a>(&self, write: &'a Write<'a>, current: Option<u32>) -> (Draft<'a>, u64) {
        let options = &self.shared.options;
        let given = write.options;
        let kept = || {
            let record = self.log.record(current?);
            let expiry = record.has_field(field::EXPIRY).then(|| record.field(field::EXPIRY));
            Some(expiry.filter(|&at| at != u64::MAX))
        };
        let expiry = match given.expiry {
            Expiry::Keep => kept().map_or(Expiry::Default, |at| at.map_or(Expiry::Never, Expiry::At)),
            other => other,
        };
        let idle = given.idle_ttl_ms.or(options.default_idle_ttl_ms);
        let needs_now = idle.is_some()
            || match expiry {
                Expiry::At(_) | Expiry::In(_) => true,
                Expiry::Default => options.default_ttl_ms.is_some(),
                Expiry::Never | Expiry::Keep => false,
            };
        let now = if needs_now { self.shared.now_ms() } else { 0 };
        let expires_at = match expiry {
            Expiry::Never | Expiry::Keep => None,
            Expiry::At(at) => Some(at),
            Expiry::In(ms) => Some(now.saturating_add(ms)),
            Expiry::Default => options.default_ttl_ms.map(|ttl| now.saturating_add(ttl)),
        };
        let draft = Draft {
            kind: write.kind,
            codec: write.codec,
            flags: write.flags,
            key: write.key,
            value: write.value,
            value_len: write.value_len,
            large: write.large.as_ref(),
            expires_at,
            idle_ttl_ms: idle,
            cost: given.cost.unwrap_or(1),
            links: self.policy.wants_links(),
        };
        (draft, now)
    }

    /// A write whose expiry has passed already leaves nothing behind.
    fn store_expired(&mut self, write: &Write<'_>, current: Option<u32>, effects: &mut Effects) -> Written {
        if let Some(address) = current
            && let Some(position) = self.index.position_of(write.hash, address)
        {
            self.remove(address, position, write.hash, Removal::Deleted, effects);
        }
        self.overtake(write.key, Overtaking::Removed, effects);
        Written::Stored { version: self.next_version(), replaced: current.is_some() }
    }

    /// Evicts other records than `self.protect` until the draft may be stored in its place. `self.protect` may
    /// have moved afterwards.
    pub(super) fn make_room(&mut self, draft: &Draft<'_>, hash: u64, effects: &mut Effects) -> Result<Step<()>> {
        let old_cost = self.protected().map_or(0, Record::cost);
        for (bound, max, more) in [
            (Bound::Entries, self.shared.options.max_entries, u64::from(self.protect == NONE)),
            (Bound::Cost, self.shared.options.max_cost, draft.cost.saturating_sub(old_cost)),
        ] {
            let Some(max) = max else { continue };
            while !self.reserve(bound, more, max) {
                if self.should_defer(bound) {
                    return Ok(Step::Full(bound));
                }
                // What goes for this write is this write's: the totals, which all threads share, need not move twice.
                self.keeps_evicted = true;
                let evicted = self.evict_one(bound, effects);
                self.keeps_evicted = false;
                if !evicted {
                    return Ok(Step::Full(bound));
                }
            }
        }
        if self.protect == NONE {
            loop {
                let (log, shared) = (&self.log, &self.shared);
                let hash_of = |address| shared.hash(log.record(address).key());
                if self.index.make_room(hash, hash_of, |address| prefetch(log.record(address).0)) {
                    break;
                }
                if effects.returning >= PAGE_BYTES as u64 {
                    return Ok(Step::Settle);
                }
                if self.shed(PAGE_BYTES as u64, false, effects) {
                    continue;
                }
                if effects.returning >= PAGE_BYTES as u64 {
                    return Ok(Step::Settle);
                }
                if !self.reclaim(Bound::Bytes, effects) {
                    return Ok(Step::Full(Bound::Bytes));
                }
            }
            // Tables double when they must; something else then has to go.
            loop {
                self.charge_tables();
                if self.shed(0, false, effects) {
                    break;
                }
                if effects.returning > 0 {
                    return Ok(Step::Settle);
                }
                if !self.reclaim(Bound::Bytes, effects) {
                    return Ok(Step::Full(Bound::Bytes));
                }
            }
        }
        // Tables of the policy have grown, or the bound was lowered.
        for _ in 0..EXCESS_STEPS {
            if self.shared.segments.used_fits() || self.shed(0, false, effects) {
                break;
            }
            if effects.returning > 0 {
                return Ok(Step::Settle);
            }
            if !self.reclaim(Bound::Bytes, effects) {
                return Ok(Step::Full(Bound::Bytes));
            }
        }
        if self.protected().is_some_and(|record| self.fits_in_place(draft, record)) {
            return Ok(Step::Done(()));
        }
        // Where the record goes is decided by the policy only once it goes; any queue may be asked for.
        let bytes = self.log.rounded(draft.bytes());
        let queue = match self.protect {
            NONE => self.policy.queue_for(hash, &self.log),
            address => self.log.queue_of(address),
        };
        self.target_queue = queue;
        self.ensure_space(queue, bytes, effects)
    }

    /// Sets `more` of what `bound` limits aside, so that writes in other shards cannot take it meanwhile; false where
    /// that would exceed `max`.
    fn reserve(&mut self, bound: Bound, more: u64, max: u64) -> bool {
        let (total, reserved) = match bound {
            Bound::Entries => (&self.shared.totals.entries, &mut self.reserved.0),
            Bound::Cost => (&self.shared.totals.cost, &mut self.reserved.1),
            Bound::Bytes => return true,
        };
        let missing = more.saturating_sub(*reserved);
        let add = |total: u64| total.checked_add(missing).filter(|&after| after <= max);
        let done = missing == 0 || total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok();
        if done && missing > 0 {
            *reserved += missing;
        }
        done
    }

    /// Gives back what [`Shard::reserve`] has set aside for a write that does not come to pass.
    pub(super) fn release_reserved(&mut self) {
        let reserved = self.take_reserved();
        self.recount(reserved, (0, 0));
    }

    /// What is set aside becomes the caller's to count.
    #[inline(always)]
    fn take_reserved(&mut self) -> (u64, u64) {
        let reserved = self.reserved;
        if reserved != (0, 0) {
            self.reserved = (0, 0);
        }
        reserved
    }

    fn protected(&self) -> Option<Record> {
        (self.protect != NONE).then(|| self.log.record(self.protect))
    }

    fn fits_in_place(&self, draft: &Draft<'_>, record: Record) -> bool {
        self.log.bytes_of(record) >= self.log.rounded(draft.bytes())
    }

    /// Whether the draft takes no more of anything than the record at `address`, whose place it takes, and nothing is
    /// owed: what most overwrites are.
    #[inline(always)]
    fn needs_no_room(&self, address: u32, draft: &Draft<'_>) -> bool {
        let record = self.log.record(address);
        self.fits_in_place(draft, record) && draft.cost <= record.cost() && self.shared.segments.used_fits()
    }

    pub(super) fn insert(
        &mut self,
        draft: &Draft<'_>,
        hash: u64,
        version: u64,
        now: u64,
        effects: &mut Effects,
    ) -> u32 {
        // What was set aside is the record's own from here on.
        let reserved = self.take_reserved();
        self.recount(reserved, (1, draft.cost));
        let address = self.log.append(self.target_queue, draft, version, now);
        self.index.insert(hash, address);
        self.policy.inserted(&mut self.log, address);
        let record = self.log.record(address);
        self.counters.resize(Sizes::NOTHING, Sizes::of(record));
        self.note_deadline(address, now);
        self.publish(ChangeKind::Added, record, version, effects);
        address
    }

    /// Replaces the record at `current`, in place where the new one is not larger. Returns where it is now.
    fn overwrite(
        &mut self,
        current: u32,
        draft: &Draft<'_>,
        hash: u64,
        version: u64,
        now: u64,
        effects: &mut Effects,
    ) -> u32 {
        let old = self.log.record(current);
        self.publish(ChangeKind::Replaced, old, version, effects);
        let sizes = Sizes::of(old);
        let (entries, cost) = self.take_reserved();
        self.recount((1 + entries, old.cost() + cost), (1, draft.cost));
        if old.has_flag(flag::LARGE) {
            effects.drop_large(old.clone_large());
        }
        let address = if self.log.bytes_of(old) >= self.log.rounded(draft.bytes()) {
            self.overwrite_in_place(current, draft, version, now);
            current
        } else {
            let position = self.index.position_of(hash, current).expect("a live record is in the index");
            let address = self.log.append(self.target_queue, draft, version, now);
            self.index.replace(position, address);
            self.policy.rewritten(&mut self.log, current, address);
            if old.has_flag(flag::LARGE) {
                drop(old.take_large());
            }
            self.log.kill(current);
            address
        };
        self.counters.resize(sizes, Sizes::of(self.log.record(address)));
        self.note_deadline(address, now);
        address
    }

    fn overwrite_in_place(&mut self, address: u32, draft: &Draft<'_>, version: u64, now: u64) {
        let old = self.log.record(address);
        let old_bytes = self.log.bytes_of(old);
        let uses = old.uses();
        let links = draft.links.then(|| old.field(field::LINKS));
        let weight = self.log.weigh(old);
        if old.has_flag(flag::LARGE) {
            drop(old.take_large());
        }
        // SAFETY: the record's own bytes, at least as many as the draft needs; the draft lies elsewhere.
        let record = unsafe { draft.write(old.0, version, now) };
        if let Some(links) = links {
            record.set_field(field::LINKS, links);
        }
        record.set_uses(uses);
        let new_bytes = self.log.bytes_of(record);
        if new_bytes < old_bytes {
            // SAFETY: the tail of the old record, which is at least a granule long.
            unsafe { Record::write_filler(old.0.add(new_bytes as usize), old_bytes - new_bytes) };
        }
        self.log.reweigh(address, weight, self.log.weigh(record));
        self.policy.used(&mut self.log, address);
    }

    pub(super) fn note_deadline(&mut self, address: u32, now: u64) {
        if let Some(deadline) = self.log.record(address).deadline(now) {
            self.log.note_deadline(address, deadline);
            self.next_deadline = self.next_deadline.min(deadline);
        }
    }

    /// Deletes the record under `key` if `condition` holds; hands it to `read` before it goes.
    pub(crate) fn delete(
        &mut self,
        hash: u64,
        key: &[u8],
        condition: Condition,
        effects: &mut Effects,
        read: impl FnOnce(Record),
    ) -> bool {
        let current = self.lookup(hash, key, effects).map(|address| (address, self.log.record(address)));
        if !condition.holds(current.map(|(_, record)| record.version())) {
            return false;
        }
        if let Some((address, record)) = current {
            read(record);
            let position = self.position(hash, address);
            self.remove(address, position, hash, Removal::Deleted, effects);
        }
        // Also where nothing was there: what is being loaded or computed for the key is from before the delete.
        self.overtake(key, Overtaking::Removed, effects);
        current.is_some()
    }

    pub(super) fn position(&self, hash: u64, address: u32) -> Position {
        self.index.position_of(hash, address).expect("a live record is in the index")
    }

    /// Adds to an integer inside its record. `None` where that is not what is stored: the slow way decides.
    pub(crate) fn incr_in_place(
        &mut self,
        hash: u64,
        key: &[u8],
        delta: i64,
        effects: &mut Effects,
    ) -> Result<Option<i64>> {
        let Some(address) = self.lookup(hash, key, effects) else { return Ok(None) };
        let record = self.log.record(address);
        if record.kind() != Kind::Integer || record.has_flag(flag::LARGE) {
            return Ok(None);
        }
        let old = i64::from_le_bytes(record.inline_value().try_into().expect("integers have eight bytes"));
        let new = old.checked_add(delta).ok_or(Error::Overflow)?;
        self.begin_write();
        self.note_before(key, Some(record));
        let version = self.next_version();
        self.publish(ChangeKind::Replaced, record, version, effects);
        record.set_integer(new);
        record.set_version(version);
        if record.has_field(field::IDLE) {
            record.restart_idle(self.shared.now_ms());
        }
        self.policy.used(&mut self.log, address);
        self.count_set();
        self.overtake(key, Overtaking::Stored, effects);
        Ok(Some(new))
    }
}
