//! Read-modify-write.

use std::ops::RangeInclusive;

use super::{Cache, scratch};
use crate::error::{Error, Result};
use crate::shard::Effects;
use crate::value::{Condition, Expiry, Found, Kind, NewValue, ReadMode, Transform, WriteOptions, Written};

impl Cache {
    /// Adds `delta` to the integer under `key` (absent counts as 0) and keeps its expiry.
    /// Text, bytes and wire values that are canonical decimal integers count as integers.
    ///
    /// # Errors
    /// [`Error::NotInteger`], [`Error::Overflow`], and those of [`Cache::set`].
    pub fn incr(&self, key: &[u8], delta: i64) -> Result<i64> {
        self.check_open()?;
        let hash = self.shared.hash(key);
        let mut effects = Effects::default();
        let fast = self.lock(hash).incr_in_place(hash, key, delta, &mut effects);
        self.settle(effects);
        if let Some(value) = fast? {
            return Ok(value);
        }
        self.incr_within(key, delta, i64::MIN..=i64::MAX)
    }

    /// Like [`Cache::incr`], where the sum must lie in `allowed`; slower, because it copies the value.
    ///
    /// # Errors
    /// [`Error::NotInteger`], [`Error::Overflow`], and those of [`Cache::set`].
    pub fn incr_within(&self, key: &[u8], delta: i64, allowed: RangeInclusive<i64>) -> Result<i64> {
        self.transform(key, |found| {
            let old = found.map_or(Ok(0), parse_integer)?;
            let new = old.checked_add(delta).filter(|new| allowed.contains(new)).ok_or(Error::Overflow)?;
            Ok(Transform::Store {
                kind: Kind::Integer,
                codec: 0,
                bytes: new.to_le_bytes().to_vec(),
                expiry: Expiry::Keep,
                output: new,
            })
        })
    }

    /// Reads, lets `f` decide outside any lock, and commits if the entry is still the same; else again.
    /// `f` may run several times. Counts as a use if it stores. Idle ttl and cost of the entry are kept.
    ///
    /// # Errors
    /// Those of [`Cache::set`], and what `f` returns.
    pub fn transform<T>(&self, key: &[u8], mut f: impl FnMut(Option<&Found<'_>>) -> Result<Transform<T>>) -> Result<T> {
        self.check_open()?;
        loop {
            let (found, answer) = scratch::with(|copy| {
                let mut large = None;
                let found = self.read(key, ReadMode::Peek, |found| {
                    large = found.shared.filter(|_| !found.kind.is_collection()).cloned();
                    if large.is_none() {
                        copy.extend_from_slice(found.bytes);
                    }
                    Found { bytes: &[], shared: None, ..*found }
                });
                let bytes = large.as_deref().unwrap_or(copy);
                let answer = f(found.map(|found| Found { bytes, ..found }).as_ref());
                (found, answer)
            });
            let condition = Condition::IfVersion(found.map_or(0, |found| found.version));
            match answer? {
                Transform::Keep(output) => return Ok(output),
                Transform::Delete(output) => {
                    if found.is_none() || self.delete(key, condition)? {
                        return Ok(output);
                    }
                }
                Transform::Store { kind, codec, bytes, expiry, output } => {
                    let options = WriteOptions {
                        expiry,
                        idle_ttl_ms: found.and_then(|found| found.idle_ttl_ms),
                        cost: found.map(|found| found.cost),
                        condition,
                    };
                    let written = self.set(key, NewValue { kind, codec, bytes: &bytes }, &options)?;
                    if let Written::Stored { .. } = written {
                        return Ok(output);
                    }
                }
            }
        }
    }

    /// Changes the expiry of an entry ([`Expiry::Default`]: the cache's default ttl; [`Expiry::Keep`]: no change);
    /// says whether the key is there. An expiry in the past deletes. Bumps the version; not a use, does not pre-empt.
    /// The first expiry of an entry rewrites its record, to make room for it.
    ///
    /// # Errors
    /// Those of [`Cache::set`].
    pub fn set_expiry(&self, key: &[u8], expiry: Expiry) -> Result<bool> {
        self.set_expiry_if(key, expiry, |_, _| true)
    }

    /// Like [`Cache::set_expiry`], but only if `allow` says yes to the expiry and the version that the entry has; says
    /// whether the key is there and it did. Looking and changing are one step: no other write comes in between.
    ///
    /// `allow` runs under the shard lock, and may run again: it compares and does nothing else.
    ///
    /// # Errors
    /// Those of [`Cache::set`].
    pub fn set_expiry_if(&self, key: &[u8], expiry: Expiry, allow: impl Fn(Option<u64>, u64) -> bool) -> Result<bool> {
        self.check_open()?;
        let expires_at = match expiry {
            Expiry::Keep => {
                return Ok(self.read(key, ReadMode::Peek, |found| allow(found.expires_at, found.version)) == Some(true));
            }
            Expiry::Never => None,
            Expiry::At(at) => Some(at),
            Expiry::In(ms) => Some(self.shared.now_ms().saturating_add(ms)),
            Expiry::Default => self.shared.options.default_ttl_ms.map(|ttl| self.shared.now_ms().saturating_add(ttl)),
        };
        let hash = self.shared.hash(key);
        let mut effects = Effects::default();
        let done = self.lock(hash).set_expiry_in_place(hash, key, expires_at, &allow, &mut effects);
        self.settle(effects);
        match (done, expires_at) {
            (Some(there), _) => Ok(there),
            (None, at) => self.attempt((hash, key), None, |shard, effects| {
                shard.add_expiry(hash, key, at.unwrap_or(u64::MAX), &allow, effects)
            }),
        }
    }
}

/// The integer a value stands for.
///
/// # Errors
/// [`Error::NotInteger`], or [`Error::WrongKind`] for collections.
pub(crate) fn parse_integer(found: &Found<'_>) -> Result<i64> {
    match found.kind {
        Kind::Integer => found.integer().ok_or(Error::NotInteger),
        Kind::Hash | Kind::Set => Err(Error::WrongKind),
        Kind::Coded => Err(Error::NotInteger),
        Kind::Text | Kind::Bytes | Kind::Wire => {
            let text = std::str::from_utf8(found.bytes).map_err(|_| Error::NotInteger)?;
            let value: i64 = text.parse().map_err(|_| Error::NotInteger)?;
            // "007", "+7" and "-0" are text, not integers.
            let mut canonical = [0; 20];
            let written = write_integer(value, &mut canonical);
            if written == found.bytes { Ok(value) } else { Err(Error::NotInteger) }
        }
    }
}

fn write_integer(value: i64, buffer: &mut [u8; 20]) -> &[u8] {
    use std::io::Write;
    let mut cursor = &mut buffer[..];
    write!(cursor, "{value}").expect("an i64 has at most 20 characters");
    let left = cursor.len();
    &buffer[..20 - left]
}
