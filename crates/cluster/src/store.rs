//! What the machines need of the cache.

use tandem_wire::replication::{LaneNumber, Record, Slot, SlotSum, Version};

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is there.
    Live(Version),
    /// It was removed, and that is remembered.
    Removed(Version),
}

impl Known {
    /// Of the record or its removal.
    pub fn version(self) -> Version {
        match self {
            Self::Live(version) | Self::Removed(version) => version,
        }
    }
}

/// There is no room for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// A copy of the data of all lanes.
///
/// Removals are remembered, with their versions, up to a bound. A removal that is forgotten raises its slot's floor to its
/// version; so does an eviction, which is not remembered at all, to the version of the record that went. A record that
/// is absent here and has a version at or below the floor may have been removed here.
pub trait Store {
    /// What is known of a key.
    fn known(&self, slot: Slot, key: &[u8]) -> Option<Known>;

    /// Puts a record in the place of what was there, or removes it.
    ///
    /// # Errors
    /// [`Full`], and nothing has changed.
    fn apply(&mut self, record: &Record) -> Result<(), Full>;

    /// Removes all records of a lane; the floors of its slots rise to `version`.
    fn flush(&mut self, lane: LaneNumber, version: Version);

    /// Forgets a slot as if it had never had anything, removals and floor included.
    fn forget(&mut self, slot: Slot);

    /// Records of a slot and remembered removals from `cursor` on, of about `bytes`, and where to go on. Whatever is there
    /// throughout comes exactly once.
    fn read(&self, slot: Slot, cursor: u64, bytes: usize) -> (Vec<Record>, Option<u64>);

    /// What a slot amounts to.
    fn sum(&self, slot: Slot) -> SlotSum;

    /// Raises the floor of a slot.
    fn raise_floor(&mut self, slot: Slot, floor: Version);
}
