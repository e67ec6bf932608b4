//! What a connection has received and not yet run.

use std::io;

use mio::net::TcpStream;
use tandem_engine::{Cache, Draft, MAX_VALUE_BYTES};

use super::READ_ROOM;

/// Length of a request from which on it is received into a draft, so that a large value in it need not be copied.
const DRAFT_BYTES: usize = 32 << 10;
/// A draft has room for so many times of what has come at most. It is address space that is reserved by this: memory
/// comes with the bytes.
const DRAFT_FACTOR: usize = 256;
/// Room behind what is announced: for short arguments that may follow the large one.
const DRAFT_REST: usize = 512;
/// Most that a draft has room for.
const LARGEST_DRAFT: usize = MAX_VALUE_BYTES as usize - DRAFT_REST;

/// The beginning of a request that is not complete, or requests that must wait.
pub(super) enum Input {
    Bytes(Vec<u8>),
    /// A large one.
    Draft(Draft),
}

impl Default for Input {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Input {
    /// A copy of `bytes`, with room for `needed` where that is much.
    pub fn new(bytes: &[u8], needed: usize, cache: &Cache) -> Self {
        draft(bytes, needed, cache).map_or_else(|| Self::Bytes(bytes.to_vec()), Self::Draft)
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Draft(draft) => draft.bytes(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// The draft that the bytes are in.
    pub fn draft(&self) -> Option<&Draft> {
        match self {
            Self::Bytes(_) => None,
            Self::Draft(draft) => Some(draft),
        }
    }

    /// Bytes of memory that this takes.
    pub fn memory(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.capacity(),
            Self::Draft(draft) => draft.memory(),
        }
    }

    /// Reads on behind the bytes; `needed` are needed in all. Returns for how many there was room, and how many came.
    pub fn read(&mut self, stream: &TcpStream, needed: usize, cache: &Cache) -> (usize, io::Result<usize>) {
        let len = self.bytes().len();
        let missing = needed.saturating_sub(len);
        match self {
            // Large requests are taken to their end, where the next one begins elsewhere.
            Self::Draft(draft) => {
                let room = draft.room(missing.max(DRAFT_REST));
                if room.len() >= missing.clamp(1, DRAFT_REST) {
                    let (most, read) = (room.len(), rustix::io::read(stream, room));
                    if let Ok(count) = read {
                        draft.advance(count);
                    }
                    return (most, read.map_err(io::Error::from));
                }
                // It did not say that it would be so long.
                let wanted = needed.max((2 * len).min(LARGEST_DRAFT));
                *self = Self::new(self.bytes(), wanted, cache);
            }
            Self::Bytes(bytes) => {
                if let Some(draft) = draft(bytes, needed, cache) {
                    *self = Self::Draft(draft);
                }
            }
        }
        match self {
            Self::Draft(_) => self.read(stream, needed, cache),
            Self::Bytes(bytes) => {
                if bytes.capacity() - len < READ_ROOM.min(missing.max(1)) {
                    // Memory grows with what has come, at most doubling; never by what was announced.
                    bytes.reserve_exact(missing.clamp(READ_ROOM, len.max(READ_ROOM)));
                }
                let room = bytes.capacity() - len;
                let read = rustix::io::read(stream, rustix::buffer::spare_capacity(bytes));
                (room, read.map_err(io::Error::from))
            }
        }
    }

    /// Drops the first `count` bytes; `needed` are needed of what comes next.
    pub fn consume(&mut self, count: usize, needed: usize, cache: &Cache) {
        match self {
            Self::Bytes(bytes) if count < bytes.len() && needed <= DRAFT_BYTES => {
                bytes.drain(..count);
                bytes.shrink_to(bytes.len().max(READ_ROOM));
            }
            _ => *self = Self::new(&self.bytes()[count..], needed, cache),
        }
    }
}

/// A draft that begins with `bytes` and has room for a request of `needed`, if that is much and much of it is missing: an
/// argument is large, and not only the request.
fn draft(bytes: &[u8], needed: usize, cache: &Cache) -> Option<Draft> {
    let missing = needed.saturating_sub(bytes.len());
    if needed <= DRAFT_BYTES || missing < READ_ROOM || needed / DRAFT_FACTOR > bytes.len() {
        return None;
    }
    let mut draft = cache.draft(needed + DRAFT_REST)?;
    draft.room(bytes.len()).copy_from_slice(bytes);
    draft.advance(bytes.len());
    Some(draft)
}
