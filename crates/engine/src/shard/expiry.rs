//! Writes of an expiry alone.

use super::{Effects, Removal, Shard, Step};
use crate::error::Result;
use crate::events::ChangeKind;
use crate::eviction::Eviction;
use crate::gates::Overtaking;
use crate::memory::NONE;
use crate::record::field;

impl Shard {
    /// Gives a record without an expiry field one, by rewriting it: the same value, a new version, no use.
    pub(crate) fn add_expiry(
        &mut self,
        hash: u64,
        key: &[u8],
        expires_at: u64,
        allow: impl FnOnce(Option<u64>, u64) -> bool,
        effects: &mut Effects,
    ) -> Result<Step<bool>> {
        let Some(done) = self.set_expiry_in_place(hash, key, Some(expires_at), allow, effects) else {
            return self.rewrite_with_expiry(hash, key, expires_at, effects);
        };
        Ok(Step::Done(done))
    }

    fn rewrite_with_expiry(
        &mut self,
        hash: u64,
        key: &[u8],
        expires_at: u64,
        effects: &mut Effects,
    ) -> Result<Step<bool>> {
        let Some((address, _)) = self.find(hash, key) else { return Ok(Step::Done(false)) };
        let bytes = self.log.bytes_of(self.log.record(address)) + field::BYTES;
        self.protect = address;
        let step = self.ensure_space(self.log.queue_of(address), bytes, effects);
        let current = std::mem::replace(&mut self.protect, NONE);
        match step? {
            Step::Full(bound) => return Ok(Step::Full(bound)),
            Step::Settle => return Ok(Step::Settle),
            Step::Done(()) => {}
        }
        let record = self.log.record(current);
        self.note_before(key, Some(record));
        let position = self.position(hash, current);
        let version = self.next_version();
        let queue = self.log.queue_of(current);
        let address = self.log.append_with_field(queue, record, field::EXPIRY, expires_at);
        let copy = self.log.record(address);
        copy.set_version(version);
        self.index.replace(position, address);
        self.policy.moved(&mut self.log, current, address);
        self.log.kill(current);
        self.note_deadline(address, self.shared.now_ms());
        self.publish(ChangeKind::ExpiryChanged, copy, version, effects);
        Ok(Step::Done(true))
    }

    /// Overwrites the expiry of a record that has one, if `allow` says yes to the one it has and its version; says whether it did.
    /// `None` where the record has to be rewritten to hold one.
    pub(crate) fn set_expiry_in_place(
        &mut self,
        hash: u64,
        key: &[u8],
        expires_at: Option<u64>,
        allow: impl FnOnce(Option<u64>, u64) -> bool,
        effects: &mut Effects,
    ) -> Option<bool> {
        self.begin_write();
        let Some(address) = self.lookup(hash, key, effects) else { return Some(false) };
        let record = self.log.record(address);
        let now = record.can_expire().then(|| record.deadline(self.shared.now_ms())).flatten();
        if !allow(now, record.version()) {
            return Some(false);
        }
        if expires_at.is_some_and(|at| at <= self.shared.now_ms()) {
            let position = self.position(hash, address);
            self.remove(address, position, hash, Removal::Deleted, effects);
            self.overtake(key, Overtaking::Removed, effects);
            return Some(true);
        }
        let has_field = record.has_field(field::EXPIRY);
        if !has_field && expires_at.is_some() {
            return None;
        }
        self.note_before(key, Some(record));
        if has_field {
            // An expiry that never comes stands for none: the field stays, the meaning goes.
            record.set_field(field::EXPIRY, expires_at.unwrap_or(u64::MAX));
            self.note_deadline(address, expires_at.unwrap_or(0));
        }
        let version = self.next_version();
        record.set_version(version);
        self.publish(ChangeKind::ExpiryChanged, record, version, effects);
        Some(true)
    }
}
