//! Object shapes learnt by the codec of one cache, shared by all threads that read it.

use std::sync::{Mutex, PoisonError};

/// Largest blob kept. Beyond it the codec writes the keys of new shapes into each value instead.
pub const MAX_STRUCTURES_BYTES: usize = 256 << 10;

#[derive(Default)]
struct Blob {
    revision: u32,
    bytes: Vec<u8>,
}

/// An opaque blob with compare-and-set: values refer to shapes by number, so two threads must never give one number
/// to two shapes.
#[derive(Default)]
pub struct Structures(Mutex<Blob>);

impl Structures {
    /// The blob and its revision; revision 0 is the empty blob.
    pub fn load(&self) -> (u32, Vec<u8>) {
        let blob = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (blob.revision, blob.bytes.clone())
    }

    /// Replaces the blob if its revision is still `expected`; says whether it did.
    pub fn save(&self, expected: u32, bytes: &[u8]) -> bool {
        let mut blob = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if blob.revision != expected || bytes.len() > MAX_STRUCTURES_BYTES {
            return false;
        }
        blob.revision += 1;
        blob.bytes.clear();
        blob.bytes.extend_from_slice(bytes);
        true
    }
}
