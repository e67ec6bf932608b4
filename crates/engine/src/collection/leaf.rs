//! The elements of a leaf: as in a record, but that one which is too long for a leaf lies apart and has a stub there.
//!
//! ```text
//!  | 80 | 00 | chunk (4) | hash of the name (8) |
//! ```
//!
//! The mark is a length of 0 in two bytes, which no length is written as.

use std::ops::Range;

use super::arena::Arena;
use super::element::{Element, Run};

/// Elements longer than this lie apart.
pub(super) const APART_BYTES: usize = 4096;
const MARK: [u8; 2] = [0x80, 0x00];
pub(super) const STUB_BYTES: usize = 14;

/// Stands for an element that lies apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stub {
    pub(super) chunk: u32,
    pub(super) hash: u64,
}

/// What a leaf consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Here(Element<'a>),
    Apart(Stub),
}

impl<'a> Entry<'a> {
    /// Bytes in the leaf.
    pub(super) fn stored_len(&self) -> usize {
        match self {
            Entry::Here(element) => element.stored_len(),
            Entry::Apart(_) => STUB_BYTES,
        }
    }

    /// Writes it as it is stored, to as many bytes.
    pub(super) fn write(&self, out: &mut [u8]) {
        match self {
            Entry::Here(element) => element.write(out),
            Entry::Apart(stub) => {
                out[..2].copy_from_slice(&MARK);
                out[2..6].copy_from_slice(&stub.chunk.to_le_bytes());
                out[6..].copy_from_slice(&stub.hash.to_le_bytes());
            }
        }
    }

    /// The element itself.
    pub(super) fn element(self, arena: &'a Arena, pairs: bool) -> Element<'a> {
        match self {
            Entry::Here(element) => element,
            Entry::Apart(stub) => {
                let found = Run::new(arena.apart(stub.chunk), pairs).next();
                found.expect("an element was stored there").1
            }
        }
    }
}

/// The entries of a leaf in the order in which they lie, each with its place.
#[derive(Clone)]
pub(super) struct LeafRun<'a>(Run<'a>);

impl<'a> LeafRun<'a> {
    pub(super) fn new(bytes: &'a [u8], pairs: bool) -> Self {
        Self(Run::new(bytes, pairs))
    }
}

impl<'a> Iterator for LeafRun<'a> {
    type Item = (Range<usize>, Entry<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let start = self.0.position();
        if let Some(stub) = self.0.marked::<STUB_BYTES>(MARK) {
            let [_, _, c0, c1, c2, c3, hash @ ..] = *stub;
            let stub = Stub { chunk: u32::from_le_bytes([c0, c1, c2, c3]), hash: u64::from_le_bytes(hash) };
            return Some((start..self.0.position(), Entry::Apart(stub)));
        }
        self.0.next().map(|(place, element)| (place, Entry::Here(element)))
    }
}
