//! The change stream: every committed change, in order per shard, into a bounded ring.

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ChangeKind {
    /// Stored where nothing was.
    Added = 1,
    /// Stored over an older value.
    Replaced = 2,
    /// Deleted by a caller.
    Deleted = 3,
    /// Removed because its expiry passed.
    Expired = 4,
    /// Removed to make room.
    Evicted = 5,
    /// Only the expiry changed.
    ExpiryChanged = 6,
    /// Everything in the shard was cleared; the key is empty.
    Cleared = 7,
    /// The ring overflowed: changes were lost here; the key is empty.
    Gap = 8,
    /// A panic emptied the shard; the key is empty.
    Reset = 9,
}

/// One committed change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The key.
    pub key: Vec<u8>,
    /// Version after the change (for removals: of the removal itself).
    pub version: u64,
    /// The value that went (removed or replaced), if the stream was opened with values.
    pub old: Option<OldValue>,
}

/// A value that left the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldValue {
    /// Meaning of the bytes.
    pub kind: crate::Kind,
    /// Codec id.
    pub codec: u8,
    /// The decompressed value.
    pub bytes: Vec<u8>,
}

/// A reader of the change stream. Dropping it ends the stream; without one, changes cost nothing.
pub struct ChangeStream {
    _private: (),
}

impl ChangeStream {
    /// Takes up to `max` changes that are there; never waits.
    pub fn drain(&self, _max: usize) -> Vec<Change> {
        todo!()
    }

    /// Calls `wake` (from any thread, at most once between two drains, never under a lock) when changes are there.
    pub fn on_ready(&self, _wake: Box<dyn Fn() + Send + Sync>) {
        todo!()
    }
}
