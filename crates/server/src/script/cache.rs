//! The sources of scripts, shared by the loops of a server.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Scripts that are kept.
const MAX_SCRIPTS: usize = 10_000;
/// Memory of the scripts that are kept.
const MAX_BYTES: usize = 16 << 20;
/// What a script takes beside its source: its digest twice, and the tables' room for it.
const OVERHEAD: usize = 192;

/// SHA-1 of a source, in lower-case hexadecimal digits.
pub(crate) type Digest = [u8; 40];

/// The digest of a text.
pub(crate) fn digest(text: &[u8]) -> Digest {
    let mut hexadecimal = [0; 40];
    for (byte, digits) in sha1_smol::Sha1::from(text).digest().bytes().iter().zip(hexadecimal.chunks_exact_mut(2)) {
        let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
        digits.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    hexadecimal
}

/// Sources by their digests. Bounded: the oldest go first, and `NOSCRIPT` makes clients send them again.
#[derive(Debug)]
pub(crate) struct ScriptCache {
    sources: HashMap<Digest, Arc<[u8]>>,
    order: VecDeque<Digest>,
    /// Memory of all that is kept.
    bytes: usize,
    max_bytes: usize,
}

impl ScriptCache {
    /// One for at most 16 MiB, or a quarter of `buffers`, what clients may have altogether: it counts there.
    pub fn new(buffers: usize) -> Self {
        let max_bytes = MAX_BYTES.min(buffers / 4);
        Self { sources: HashMap::new(), order: VecDeque::new(), bytes: 0, max_bytes }
    }

    /// Memory in bytes.
    pub fn memory(&self) -> usize {
        self.bytes
    }

    /// The source with this digest, in any case.
    pub fn get(&self, digest: &[u8]) -> Option<(Digest, Arc<[u8]>)> {
        let digest: Digest = digest.to_ascii_lowercase().try_into().ok()?;
        self.sources.get(&digest).map(|source| (digest, Arc::clone(source)))
    }

    /// Keeps a source.
    pub fn insert(&mut self, digest: Digest, source: &Arc<[u8]>) {
        if self.sources.contains_key(&digest) {
            return;
        }
        self.bytes += source.len() + OVERHEAD;
        self.sources.insert(digest, Arc::clone(source));
        self.order.push_back(digest);
        while self.order.len() > MAX_SCRIPTS || self.bytes > self.max_bytes {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.sources.remove(&oldest).map_or(0, |source| source.len() + OVERHEAD);
        }
    }

    /// Number of scripts, and bytes of their sources.
    pub fn size(&self) -> (usize, usize) {
        (self.order.len(), self.bytes)
    }

    pub fn clear(&mut self) {
        *self = Self { sources: HashMap::new(), order: VecDeque::new(), bytes: 0, ..*self };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first() {
        let mut cache = ScriptCache::new(usize::MAX);
        let large: Arc<[u8]> = vec![b' '; MAX_BYTES / 2 - OVERHEAD].into();
        let digests = [[b'a'; 40], [b'b'; 40], [b'c'; 40]];
        for digest in digests {
            cache.insert(digest, &large);
            cache.insert(digest, &large);
        }
        assert!(cache.get(&digests[0]).is_none());
        assert!(cache.get(&digests[1]).is_some() && cache.get(&[b'C'; 40]).is_some());
        for number in 0..MAX_SCRIPTS + 10 {
            cache.insert(digest(number.to_string().as_bytes()), &Arc::from(&b"return 1"[..]));
        }
        assert!(cache.sources.len() == MAX_SCRIPTS && cache.get(&digests[2]).is_none());
        assert_eq!(cache.memory(), MAX_SCRIPTS * (8 + OVERHEAD));
        cache.clear();
        assert_eq!(cache.memory(), 0);
    }
}
