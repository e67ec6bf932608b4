//! Elements as bytes, one after the other: the same in a record, in a leaf and apart.
//!
//! ```text
//!  member of a set:  | length | bytes |
//!  field of a hash:  | length | field | length | value |
//! ```
//!
//! Lengths are varints of seven bits a byte, the lowest first.

use std::ops::Range;

/// An element: a member of a set, or a field of a hash with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// The member or field.
    pub name: &'a [u8],
    /// The field's value; `None` in a set.
    pub value: Option<&'a [u8]>,
}

impl Element<'_> {
    /// Bytes of the element as it is stored.
    pub(super) fn stored_len(&self) -> usize {
        let part = |bytes: &[u8]| varint_len(bytes.len()) + bytes.len();
        part(self.name) + self.value.map_or(0, part)
    }

    /// Writes the element as it is stored: `out` has [`Element::stored_len`] bytes.
    pub(super) fn write(&self, out: &mut [u8]) {
        let rest = write_part(out, self.name);
        if let Some(value) = self.value {
            write_part(rest, value);
        }
    }

    pub(super) fn push(&self, out: &mut Vec<u8>) {
        let end = out.len();
        out.resize(end + self.stored_len(), 0);
        self.write(&mut out[end..]);
    }
}

fn varint_len(number: usize) -> usize {
    (usize::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}

/// Writes a length and the bytes; returns what is left of `out`.
fn write_part<'a>(out: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    let (mut at, mut rest) = (0, bytes.len());
    while rest >= 0x80 {
        out[at] = rest as u8 | 0x80;
        rest >>= 7;
        at += 1;
    }
    out[at] = rest as u8;
    let (part, behind) = out[at + 1..].split_at_mut(bytes.len());
    part.copy_from_slice(bytes);
    behind
}

/// Elements in the order in which they lie, each with its place.
#[derive(Clone)]
pub(super) struct Run<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether fields have values: a hash.
    pairs: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(bytes: &'a [u8], pairs: bool) -> Self {
        Self { bytes, at: 0, pairs }
    }

    /// The next `N` bytes, if they begin with `mark`; steps over them.
    #[inline]
    pub(super) fn marked<const N: usize>(&mut self, mark: [u8; 2]) -> Option<&'a [u8; N]> {
        let bytes = self.bytes[self.at..].first_chunk::<N>().filter(|bytes| bytes.starts_with(&mark))?;
        self.at += N;
        Some(bytes)
    }

    /// Where the next element begins.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next length and the bytes it announces. Only this module writes them, so they are whole.
    #[inline]
    fn part(&mut self) -> &'a [u8] {
        let (mut len, mut shift) = (0, 0);
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            len |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
        let part = &self.bytes[self.at..self.at + len];
        self.at += len;
        part
    }

    /// The element called `name` and where it lies.
    pub(super) fn find(mut self, name: &[u8]) -> Option<(Range<usize>, Element<'a>)> {
        self.find_map(|(place, element)| (element.name == name).then_some((place, element)))
    }
}

impl<'a> Iterator for Run<'a> {
    type Item = (Range<usize>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let start = self.at;
        let name = self.part();
        let value = self.pairs.then(|| self.part());
        Some((start..self.at, Element { name, value }))
    }
}

/// What storing an element came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was not there before.
    Added,
    /// It was there with another value.
    Replaced,
    /// It was there just so.
    Unchanged,
}

/// Stores `element` among those of `bytes` behind `header`; one that is there keeps its place.
pub(super) fn put(bytes: &mut Vec<u8>, header: usize, element: Element<'_>) -> Put {
    let run = Run::new(&bytes[header..], element.value.is_some());
    match run.find(element.name) {
        None => {
            element.push(bytes);
            Put::Added
        }
        Some((_, old)) if old == element => Put::Unchanged,
        Some((place, _)) => {
            let mut new = Vec::with_capacity(element.stored_len());
            element.push(&mut new);
            bytes.splice(header + place.start..header + place.end, new);
            Put::Replaced
        }
    }
}

/// Removes the element called `name`; says whether it was there.
pub(super) fn remove(bytes: &mut Vec<u8>, header: usize, pairs: bool, name: &[u8]) -> bool {
    let Some((place, _)) = Run::new(&bytes[header..], pairs).find(name) else { return false };
    bytes.drain(header + place.start..header + place.end);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_width_come_back() {
        for len in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
            let name = vec![7; len];
            let element = Element { name: &name, value: Some(b"v") };
            let mut bytes = Vec::new();
            element.push(&mut bytes);
            assert_eq!(bytes.len(), element.stored_len(), "{len}");
            assert_eq!(Run::new(&bytes, true).next(), Some((0..bytes.len(), element)));
        }
    }

    #[test]
    fn an_element_keeps_its_place() {
        let mut bytes = vec![0xEE];
        let field = |name, value| Element { name, value: Some(value) };
        assert_eq!(put(&mut bytes, 1, field(b"a", b"1")), Put::Added);
        assert_eq!(put(&mut bytes, 1, field(b"b", b"2")), Put::Added);
        assert_eq!(put(&mut bytes, 1, field(b"a", b"longer")), Put::Replaced);
        assert_eq!(put(&mut bytes, 1, field(b"a", b"longer")), Put::Unchanged);
        let names: Vec<_> = Run::new(&bytes[1..], true).map(|(_, element)| element.name).collect();
        assert_eq!(names, [b"a", b"b"]);
        assert!(remove(&mut bytes, 1, true, b"a"));
        assert!(!remove(&mut bytes, 1, true, b"a"));
        assert_eq!(bytes.len(), 1 + field(b"b", b"2").stored_len());
    }
}
