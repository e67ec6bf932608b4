//! Hashes and sets: elements under one key.
//!
//! ```text
//!  0       1       2
//!  | state | count | element | element | ...      the value of an ordinary record, in order of insertion
//! ```
//!
//! An element that is overwritten keeps its place. Bit 0 of `state` remembers that Redis' `OBJECT ENCODING` would answer
//! `hashtable`, which it never takes back.
//!
//! With more elements or bytes than that, the record refers to a [`Table`] of leaves outside the log, in pages of its own.
//! The table belongs to the record: it is charged, evicted and deleted with it.

mod allowance;
mod arena;
mod directory;
mod editor;
mod element;
mod leaf;
mod table;

pub(crate) use allowance::Allowance;
pub use editor::{Editor, Growth};
pub(crate) use editor::{Outcome, Start, charge_to_outgrow};
pub use element::{Element, Put};
pub(crate) use table::Table;

use crate::value::Kind;
use element::Run;

/// Most elements of one record, and most bytes of its value.
pub(crate) const SMALL_ELEMENTS: usize = 128;
pub(crate) const SMALL_BYTES: usize = 4096;
/// Bytes in front of the elements.
const HEADER: usize = 2;
const STATE: usize = 0;
const COUNT: usize = 1;
/// Bit of the state: Redis would keep it in a hash table.
const HASHTABLE: u8 = 1;

/// The elements of a hash or set, to be looked at.
pub struct Elements<'a> {
    kind: Kind,
    body: Body<'a>,
}

#[derive(Clone, Copy)]
enum Body<'a> {
    Small(&'a [u8]),
    Table(&'a Table),
}

impl<'a> Elements<'a> {
    /// Those of a small form.
    pub(crate) fn small(kind: Kind, bytes: &'a [u8]) -> Self {
        debug_assert!(kind.is_collection());
        Self { kind, body: Body::Small(bytes) }
    }

    /// Those of a table.
    pub(crate) fn table(kind: Kind, table: &'a Table) -> Self {
        Self { kind, body: Body::Table(table) }
    }

    fn run(&self, bytes: &'a [u8]) -> Run<'a> {
        Run::new(bytes.get(HEADER..).unwrap_or_default(), self.kind == Kind::Hash)
    }

    /// How many there are; never 0 in a collection that is stored.
    pub fn len(&self) -> u64 {
        match self.body {
            Body::Small(bytes) => bytes.get(COUNT).copied().unwrap_or(0).into(),
            Body::Table(table) => table.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether Redis would call it `hashtable`; else a hash is a `listpack` and a set an `intset`.
    pub fn is_hashtable(&self) -> bool {
        match self.body {
            Body::Small(bytes) => bytes.get(STATE).is_some_and(|state| state & HASHTABLE != 0),
            Body::Table(table) => table.hashtable,
        }
    }

    /// The element called `name`.
    pub fn get(&self, name: &[u8]) -> Option<Element<'a>> {
        match self.body {
            Body::Small(bytes) => self.run(bytes).find(name).map(|(_, element)| element),
            Body::Table(table) => table.get(name),
        }
    }

    /// Calls `visit` with every element; in order of insertion as long as there are few.
    pub fn for_each(&self, mut visit: impl FnMut(Element<'a>)) {
        match self.body {
            Body::Small(bytes) => self.run(bytes).for_each(|(_, element)| visit(element)),
            Body::Table(table) => table.for_each(visit),
        }
    }

    /// An element chosen at random; all are about as likely. `below(n)` gives a random number from 0 to n - 1.
    pub fn random(&self, below: &mut impl FnMut(u64) -> u64) -> Option<Element<'a>> {
        match self.body {
            Body::Small(_) if self.is_empty() => None,
            Body::Small(bytes) => self.run(bytes).nth(below(self.len()) as usize).map(|(_, element)| element),
            Body::Table(table) => table.random(below),
        }
    }

    /// Calls `visit` with at least `count` elements from `cursor` on (0 begins), or all that are left, and returns the next
    /// cursor (0: that was all). An element that is there throughout a scan is visited, perhaps more than once.
    pub fn scan(&self, cursor: u64, count: usize, visit: impl FnMut(Element<'a>)) -> u64 {
        match self.body {
            Body::Small(_) => {
                self.for_each(visit);
                0
            }
            Body::Table(table) => table.scan(cursor, count, visit),
        }
    }
}
