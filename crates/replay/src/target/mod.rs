//! What a trace is replayed against.

mod embedded;
mod server;

pub(crate) use embedded::Embedded;
pub(crate) use server::Server;

use crate::Result;

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    Yes,
    /// The object does not fit into the whole cache, or the server has no room for it.
    Refused,
}

/// Figures of the cache after a replay, where they can be had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) entries: Option<u64>,
    pub(crate) evictions: Option<u64>,
    /// Everything the cache occupies, by its own account.
    pub(crate) cache_bytes: Option<u64>,
    /// Resident memory of the process that holds the cache.
    pub(crate) rss_bytes: Option<u64>,
}

/// A cache under replay.
pub(crate) trait Target {
    /// Reads a key; says whether it was there.
    fn get(&mut self, key: &[u8]) -> Result<bool>;
    /// Stores a value.
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<Stored>;
    /// Deletes a key.
    fn delete(&mut self, key: &[u8]) -> Result<()>;
    /// The cache's figures now.
    fn figures(&mut self) -> Result<Figures>;
}
