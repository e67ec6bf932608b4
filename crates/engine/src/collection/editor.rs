//! Changing elements.

use std::sync::Arc;

use parking_lot::MappedMutexGuard;
use rapidhash::v3::RapidSecrets;

use super::element::{Run, put, remove};
use super::leaf::{APART_BYTES, STUB_BYTES};
use super::table::charge_for;
use super::{Allowance, COUNT, Element, Elements, HASHTABLE, HEADER, Put, SMALL_ELEMENTS, STATE, Table};
use crate::memory::{self, Block};
use crate::value::Kind;

/// Redis turns a hash into a hash table above this length of a field or value, and above so many fields.
const LISTPACK_BYTES: usize = 64;
const LISTPACK_FIELDS: u64 = 512;
/// The same for the members of a set of integers.
const INTSET_MEMBERS: u64 = 512;

/// The most that a change may add, said beforehand so that room can be made for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Growth {
    pub(crate) elements: usize,
    /// Bytes in leaves.
    pub(crate) bytes: usize,
    /// What elements charge that are too long for a leaf.
    pub(crate) apart: u64,
    /// Length of the longest name or value, and of the longest element.
    pub(crate) longest: usize,
    pub(crate) longest_element: usize,
}

impl Growth {
    /// Takes one more element into account.
    pub fn add(&mut self, element: &Element<'_>) {
        self.elements += 1;
        let len = element.stored_len();
        if len > APART_BYTES {
            self.bytes += STUB_BYTES;
            self.apart += memory::charge_for(len);
        } else {
            self.bytes += len;
        }
        self.longest_element = self.longest_element.max(len);
        self.longest = self.longest.max(element.name.len()).max(element.value.map_or(0, <[u8]>::len));
    }
}

impl<'a> FromIterator<Element<'a>> for Growth {
    fn from_iter<T: IntoIterator<Item = Element<'a>>>(elements: T) -> Self {
        let mut growth = Self::default();
        elements.into_iter().for_each(|element| growth.add(&element));
        growth
    }
}

/// What a change begins with.
pub(crate) struct Start<'a> {
    pub(crate) kind: Kind,
    /// A table that is there; else the change begins with `bytes`.
    pub(crate) table: Option<MappedMutexGuard<'a, Table>>,
    /// A small form; empty where nothing is there.
    pub(crate) bytes: Vec<u8>,
    /// Most bytes of a small form.
    pub(crate) small_bytes: usize,
    pub(crate) allowance: Allowance,
    pub(crate) secrets: &'a RapidSecrets,
}

/// What a change ended with.
pub(crate) enum Outcome {
    Unchanged,
    /// No element is left.
    Empty,
    /// To be stored as the value of a record.
    Small,
    /// A small form grew into this.
    New(Box<Table>),
    /// The table that was there is different now: what it charges, and bytes of its elements.
    Table {
        charge: u64,
        bytes: usize,
    },
}

/// The elements of a hash or set while they are changed.
pub struct Editor<'a> {
    start: Start<'a>,
    grown: Option<Table>,
    changed: bool,
    cleared: bool,
}

impl<'a> Editor<'a> {
    pub(crate) fn new(mut start: Start<'a>) -> Self {
        if start.bytes.is_empty() {
            start.bytes.resize(HEADER, 0);
        }
        Self { start, grown: None, changed: false, cleared: false }
    }

    /// What is to be done now; `buffer` receives the small form, or memory to be used again. The blocks are to be dropped
    /// outside the shard lock.
    pub(crate) fn finish(self, buffer: &mut Vec<u8>) -> (Outcome, Vec<Arc<Block>>) {
        let is_empty = self.cleared || self.elements().is_empty();
        let Self { mut start, grown, changed, .. } = self;
        *buffer = start.bytes;
        let outcome = match (start.table, grown) {
            _ if !changed => Outcome::Unchanged,
            _ if is_empty => Outcome::Empty,
            (Some(table), _) => Outcome::Table { charge: table.charged(), bytes: table.element_bytes() },
            (None, Some(table)) => Outcome::New(Box::new(table)),
            (None, None) => Outcome::Small,
        };
        (outcome, start.allowance.take_freed())
    }

    /// The elements as they are now.
    pub fn elements(&self) -> Elements<'_> {
        match self.start.table.as_deref().or(self.grown.as_ref()) {
            Some(table) => Elements::table(self.start.kind, table),
            None => Elements::small(self.start.kind, &self.start.bytes),
        }
    }

    /// Stores an element: with a value in a hash, without one in a set.
    pub fn put(&mut self, element: Element<'_>) -> Put {
        debug_assert!(!self.cleared && element.value.is_some() == (self.start.kind == Kind::Hash));
        // One that no record takes is never copied into one.
        if self.start.table.is_none() && self.grown.is_none() && element.stored_len() > self.start.small_bytes {
            self.outgrow();
        }
        let start = &mut self.start;
        let done = match start.table.as_deref_mut().or(self.grown.as_mut()) {
            Some(table) => {
                let done = table.put(element, &mut start.allowance);
                table.hashtable = table.hashtable || needs_hashtable(&element, table.len());
                done
            }
            None => {
                let done = put(&mut start.bytes, HEADER, element);
                start.bytes[COUNT] += u8::from(done == Put::Added);
                if needs_hashtable(&element, start.bytes[COUNT].into()) {
                    start.bytes[STATE] |= HASHTABLE;
                }
                if usize::from(start.bytes[COUNT]) > SMALL_ELEMENTS || start.bytes.len() > start.small_bytes {
                    self.outgrow();
                }
                done
            }
        };
        // A field that is set to what it is has been set all the same, as a string would be.
        self.changed |= done != Put::Unchanged || self.start.kind == Kind::Hash;
        done
    }

    /// Makes the collection what Redis calls a hash table, as one is that was copied from such a one.
    pub(crate) fn remember_hashtable(&mut self) {
        match self.start.table.as_deref_mut().or(self.grown.as_mut()) {
            Some(table) => table.hashtable = true,
            None => self.start.bytes[STATE] |= HASHTABLE,
        }
    }

    /// Makes a table of the small form.
    fn outgrow(&mut self) {
        let start = &mut self.start;
        let pairs = start.kind == Kind::Hash;
        let hashtable = start.bytes[STATE] & HASHTABLE != 0;
        let run = Run::new(&start.bytes[HEADER..], pairs);
        self.grown = Some(Table::of(run, pairs, hashtable, start.secrets, &mut start.allowance));
    }

    /// Removes all elements, in constant time. The last thing that a change does.
    pub fn clear(&mut self) {
        (self.cleared, self.changed) = (true, true);
    }

    /// Removes an element; says whether it was there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let start = &mut self.start;
        let removed = match start.table.as_deref_mut().or(self.grown.as_mut()) {
            Some(table) => table.remove(name, &mut start.allowance),
            None => {
                let removed = remove(&mut start.bytes, HEADER, start.kind == Kind::Hash, name);
                start.bytes[COUNT] -= u8::from(removed);
                removed
            }
        };
        self.changed |= removed;
        removed
    }
}

/// What has to be set aside for the case that `growth` makes a table of a small form; 0 where it cannot.
pub(crate) fn charge_to_outgrow(small: &[u8], growth: &Growth, small_bytes: usize) -> u64 {
    let present = usize::from(small.get(COUNT).copied().unwrap_or(0));
    let bytes = small.len().max(HEADER) + growth.bytes;
    if present + growth.elements <= SMALL_ELEMENTS && bytes <= small_bytes && growth.longest_element <= small_bytes {
        return 0;
    }
    charge_for(&Growth { elements: present + growth.elements, bytes, ..*growth })
}

/// Whether `element`, among `count`, makes Redis use a hash table for good.
fn needs_hashtable(element: &Element<'_>, count: u64) -> bool {
    match element.value {
        Some(value) => element.name.len() > LISTPACK_BYTES || value.len() > LISTPACK_BYTES || count > LISTPACK_FIELDS,
        None => count > INTSET_MEMBERS || !is_integer(element.name),
    }
}

/// Whether `text` is the decimal form of a 64-bit integer.
fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    canonical && std::str::from_utf8(text).is_ok_and(|text| text.parse::<i64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_told_from_other_names() {
        for text in ["0", "7", "-1", "9223372036854775807", "-9223372036854775808"] {
            assert!(is_integer(text.as_bytes()), "{text}");
        }
        for text in ["", "-", "-0", "01", "+1", " 1", "1.0", "9223372036854775808", "x"] {
            assert!(!is_integer(text.as_bytes()), "{text}");
        }
    }
}
