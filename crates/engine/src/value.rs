//! What callers hand in and get back.

use std::ops::Deref;
use std::sync::Arc;

use crate::memory::LargeBytes;

/// What the bytes of a value mean. Stored with every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A JavaScript string, as UTF-8.
    Text = 1,
    /// Bytes written through the JavaScript API.
    Bytes = 2,
    /// A 64-bit integer: eight bytes, little endian. Wire and text readers see its decimal form.
    Integer = 3,
    /// Bytes of an object codec; [`Found::codec`] says which.
    Coded = 4,
    /// Bytes written by a Redis client: a string to `get`, bytes to `getBuffer`.
    Wire = 5,
    /// Field-value pairs; see [`crate::Cache::read_collection`].
    Hash = 6,
    /// Members, likewise.
    Set = 7,
}

impl Kind {
    /// Whether the value is elements rather than bytes. Those who want bytes refuse it.
    #[inline(always)]
    pub fn is_collection(self) -> bool {
        matches!(self, Self::Hash | Self::Set)
    }
}

/// A value to store. The engine copies `bytes`.
#[derive(Debug, Clone, Copy)]
pub struct NewValue<'a> {
    /// Meaning of `bytes`.
    pub kind: Kind,
    /// Codec id for [`Kind::Coded`], else 0.
    pub codec: u8,
    /// For [`Kind::Integer`] exactly eight little-endian bytes.
    pub bytes: &'a [u8],
}

/// A value found under a key. Borrowed: copy what is needed before the callback returns.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Meaning of `bytes`.
    pub kind: Kind,
    /// Codec id for [`Kind::Coded`], else 0.
    pub codec: u8,
    /// True where `bytes` is known to be 7-bit ASCII (text only).
    pub ascii: bool,
    /// Version of the entry; never 0.
    pub version: u64,
    /// Absolute expiry in milliseconds since the Unix epoch.
    pub expires_at: Option<u64>,
    /// Idle time-to-live in milliseconds; restarts `expires_at` with every use.
    pub idle_ttl_ms: Option<u64>,
    /// Cost as given by the writer, 1 by default.
    pub cost: u64,
    /// The value, decompressed. For [`Kind::Integer`] eight little-endian bytes.
    pub bytes: &'a [u8],
    /// The shared buffer behind `bytes`, where the value is large and stored raw: clone it to send without a copy.
    pub shared: Option<&'a LargeValue>,
}

impl Found<'_> {
    /// The integer, if [`Kind::Integer`].
    pub fn integer(&self) -> Option<i64> {
        (self.kind == Kind::Integer).then(|| i64::from_le_bytes(self.bytes.try_into().expect("eight bytes")))
    }
}

/// A large value outside the log, immutable and shared by reference. Its memory counts towards
/// `max_bytes` until the last reference is gone.
#[derive(Debug, Clone)]
pub struct LargeValue(pub(crate) Arc<LargeBytes>, pub(crate) usize);

impl Deref for LargeValue {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0.as_slice()[self.1..]
    }
}

/// Whether a read counts as a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadMode {
    /// Counts as a use: moves the entry in the order of eviction, restarts its idle ttl, counts hit or miss.
    Use,
    /// Leaves no trace.
    Peek,
}

/// Expiry of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expiry {
    /// The cache's default ttl, or none.
    #[default]
    Default,
    /// No expiry.
    Never,
    /// Absolute, in milliseconds since the Unix epoch. In the past: the write deletes.
    At(u64),
    /// Milliseconds from now.
    In(u64),
    /// The expiry the entry has now; [`Expiry::Default`] where it is absent.
    Keep,
}

/// When a write or delete takes effect. Decided under the shard lock, on committed state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// Always.
    #[default]
    Always,
    /// Only if the key is absent (`add`, `SET NX`).
    IfAbsent,
    /// Only if the key is present (`replace`, `SET XX`).
    IfPresent,
    /// Only if the entry has this version; 0 means absent.
    IfVersion(u64),
}

/// Options of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// Expiry.
    pub expiry: Expiry,
    /// Idle ttl in milliseconds; `None`: the cache's default.
    pub idle_ttl_ms: Option<u64>,
    /// Cost, at least 1; `None`: 1.
    pub cost: Option<u64>,
    /// Condition.
    pub condition: Condition,
}

/// Outcome of a write that was legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Stored under this version.
    Stored {
        /// The new version.
        version: u64,
        /// Whether an entry was there before.
        replaced: bool,
    },
    /// The condition did not hold; nothing changed, nothing was pre-empted.
    ConditionFailed {
        /// Version of the entry that is there, 0 if none.
        version: u64,
    },
}

impl Written {
    /// Whether the value was stored.
    pub fn stored(&self) -> bool {
        matches!(self, Written::Stored { .. })
    }
}

/// Answer of the closure of [`crate::Cache::transform`].
#[derive(Debug)]
pub enum Transform<T> {
    /// Leave the entry as it is.
    Keep(T),
    /// Delete the entry.
    Delete(T),
    /// Store this value.
    Store {
        /// Meaning of `bytes`.
        kind: Kind,
        /// Codec id for [`Kind::Coded`], else 0.
        codec: u8,
        /// The new value.
        bytes: Vec<u8>,
        /// Expiry of the new value.
        expiry: Expiry,
        /// Handed back to the caller once the write has committed.
        output: T,
    },
}
