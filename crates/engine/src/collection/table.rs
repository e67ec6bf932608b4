//! A table of leaves, for collections that are too large for a record.
//!
//! Linear hashing (Litwin, 1980): leaves are split and joined one at a time, in order, so that no change of the collection
//! ever moves more than one leaf's elements.

use std::sync::Arc;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use super::Growth;
use super::element::{Element, Put, Run, put, remove};
use super::leaf::{Allowance, LEAF_BYTES, Leaf, STEP_BYTES};
use crate::memory::Budget;

/// Bytes of elements a leaf has on average at most.
const LEAF_TARGET: u64 = 704;
/// Leaves are joined when on average they have less than this part of it.
const JOIN_PART: u64 = 4;
/// What a table takes beside its leaves and their directory.
const TABLE_BYTES: u64 = 256;
const DIRECTORY_BYTES: u64 = size_of::<Arc<Leaf>>() as u64;
/// Least number of entries by which a directory grows; then an eighth.
const DIRECTORY_STEP: usize = 16;
/// Tries to choose an element so that all are about as likely.
const RANDOM_TRIES: u32 = 32;

/// Elements by hash of their names.
pub(crate) struct Table {
    /// Whether elements have values: a hash.
    pairs: bool,
    /// See [`super::Elements::is_hashtable`].
    pub(super) hashtable: bool,
    count: u64,
    /// Bytes of the elements as they are stored.
    bytes: u64,
    leaves: Vec<Arc<Leaf>>,
    /// What the leaves charge.
    leaf_charge: u64,
    /// What this charges for itself and its directory.
    own_charge: u64,
    secrets: RapidSecrets,
    budget: Arc<Budget>,
}

impl Table {
    /// A table with the elements of a small form.
    pub(super) fn of<'a>(
        run: Run<'a>,
        pairs: bool,
        hashtable: bool,
        secrets: &RapidSecrets,
        allowance: &mut Allowance,
    ) -> Self {
        let first = Arc::new(Leaf::new(Vec::new(), allowance));
        let mut table = Self {
            pairs,
            hashtable,
            count: 0,
            bytes: 0,
            leaf_charge: first.charged(),
            leaves: Vec::new(),
            own_charge: 0,
            secrets: *secrets,
            budget: Arc::clone(allowance.budget()),
        };
        table.push_leaf(first, allowance);
        for (_, element) in run {
            table.put(element, allowance);
        }
        table
    }

    /// The same elements at this moment, for a reader without a lock. Costs eight bytes a leaf.
    pub(crate) fn share(&self) -> Self {
        let leaves = self.leaves.clone();
        let own_charge = TABLE_BYTES + DIRECTORY_BYTES * leaves.capacity() as u64;
        self.budget.charge(own_charge);
        Self {
            pairs: self.pairs,
            hashtable: self.hashtable,
            count: self.count,
            bytes: self.bytes,
            leaves,
            leaf_charge: self.leaf_charge,
            own_charge,
            secrets: self.secrets,
            budget: Arc::clone(&self.budget),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    /// Bytes of the elements as they are stored.
    pub(crate) fn element_bytes(&self) -> usize {
        self.bytes as usize
    }

    /// What this charges to the budget.
    pub(crate) fn charged(&self) -> u64 {
        self.leaf_charge + self.own_charge
    }

    /// Upper bound of what `growth` charges, if nobody reads.
    pub(crate) fn charge_for(&self, growth: &Growth) -> u64 {
        charge_for(growth.elements, growth.bytes, self.leaves.len())
    }

    fn hash(&self, name: &[u8]) -> u64 {
        rapidhash_v3_seeded(name, &self.secrets)
    }

    /// The leaf for a hash among `leaves`: by as many low bits as there are leaves for.
    fn place(hash: u64, leaves: usize) -> usize {
        let wide = (2 << leaves.ilog2()) - 1;
        let place = hash as usize & wide;
        if place < leaves { place } else { hash as usize & (wide >> 1) }
    }

    fn run(&self, leaf: usize) -> Run<'_> {
        Run::new(self.leaves[leaf].bytes(), self.pairs)
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<Element<'_>> {
        let leaf = Self::place(self.hash(name), self.leaves.len());
        self.run(leaf).find(name).map(|(_, element)| element)
    }

    pub(super) fn for_each<'a>(&'a self, mut visit: impl FnMut(Element<'a>)) {
        for leaf in 0..self.leaves.len() {
            self.run(leaf).for_each(|(_, element)| visit(element));
        }
    }

    pub(super) fn put(&mut self, element: Element<'_>, allowance: &mut Allowance) -> Put {
        let place = Self::place(self.hash(element.name), self.leaves.len());
        let before = self.leaves[place].bytes().len() as u64;
        // Looked at first: a leaf that somebody reads is copied only for a change.
        let old = self.run(place).find(element.name).map(|(_, old)| (old == element, old.stored_len()));
        let growth = match old {
            Some((true, _)) => return Put::Unchanged,
            Some((false, len)) => element.stored_len().saturating_sub(len),
            None => element.stored_len(),
        };
        let done = self.edit(place, growth, allowance, |bytes| put(bytes, 0, element));
        self.bytes = self.bytes - before + self.leaves[place].bytes().len() as u64;
        self.count += u64::from(done == Put::Added);
        while self.bytes > self.leaves.len() as u64 * LEAF_TARGET && (self.leaves.len() as u64) < self.count {
            self.split(allowance);
        }
        done
    }

    pub(super) fn remove(&mut self, name: &[u8], allowance: &mut Allowance) -> bool {
        let place = Self::place(self.hash(name), self.leaves.len());
        let Some((range, _)) = self.run(place).find(name) else { return false };
        let pairs = self.pairs;
        self.edit(place, 0, allowance, |bytes| remove(bytes, 0, pairs, name));
        self.bytes -= range.len() as u64;
        self.count -= 1;
        if self.leaves.len() > 1 && self.bytes * JOIN_PART < self.leaves.len() as u64 * LEAF_TARGET {
            self.join(allowance);
        }
        true
    }

    /// Changes a leaf, or a copy of it where somebody reads it.
    fn edit<T>(
        &mut self,
        place: usize,
        growth: usize,
        allowance: &mut Allowance,
        change: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> T {
        let slot = &mut self.leaves[place];
        self.leaf_charge -= slot.charged();
        if Arc::get_mut(slot).is_none() {
            *slot = Arc::new(Leaf::new(slot.bytes().to_vec(), allowance));
        }
        let leaf = Arc::get_mut(slot).expect("nobody else has a copy that was just made");
        let answer = leaf.edit(growth, allowance, change);
        self.leaf_charge += leaf.charged();
        answer
    }

    /// Takes the elements of a leaf out, leaving it empty.
    fn take(&mut self, leaf: Arc<Leaf>, allowance: &mut Allowance) -> Vec<u8> {
        self.leaf_charge -= leaf.charged();
        match Arc::try_unwrap(leaf) {
            Ok(leaf) => leaf.dissolve(allowance),
            Err(shared) => shared.bytes().to_vec(),
        }
    }

    /// Moves those elements of the next leaf in turn that belong there into a new one.
    fn split(&mut self, allowance: &mut Allowance) {
        let leaves = self.leaves.len();
        let source = leaves - (1 << leaves.ilog2());
        let all = std::mem::replace(&mut self.leaves[source], Arc::new(Leaf::new(Vec::new(), allowance)));
        self.leaf_charge += LEAF_BYTES;
        let all = self.take(all, allowance);
        let (mut stay, mut go) = (Vec::new(), Vec::new());
        for (range, element) in Run::new(&all, self.pairs) {
            let target = if Self::place(self.hash(element.name), leaves + 1) == source { &mut stay } else { &mut go };
            target.extend_from_slice(&all[range]);
        }
        drop(all);
        self.edit(source, 0, allowance, |bytes| *bytes = stay);
        let new = Arc::new(Leaf::new(go, allowance));
        self.leaf_charge += new.charged();
        self.push_leaf(new, allowance);
    }

    /// Takes the last split back.
    fn join(&mut self, allowance: &mut Allowance) {
        let Some(last) = self.leaves.pop() else { return };
        let target = self.leaves.len() - (1 << self.leaves.len().ilog2());
        let moved = self.take(last, allowance);
        self.edit(target, moved.len(), allowance, |bytes| bytes.extend_from_slice(&moved));
        if self.leaves.capacity() > 2 * (self.leaves.len() + DIRECTORY_STEP) {
            self.leaves.shrink_to(self.leaves.len() + DIRECTORY_STEP);
            self.charge_directory(allowance);
        }
    }

    fn push_leaf(&mut self, leaf: Arc<Leaf>, allowance: &mut Allowance) {
        if self.leaves.len() == self.leaves.capacity() {
            self.leaves.reserve_exact(directory_growth(self.leaves.len()));
            self.charge_directory(allowance);
        }
        self.leaves.push(leaf);
    }

    fn charge_directory(&mut self, allowance: &mut Allowance) {
        let charge = TABLE_BYTES + DIRECTORY_BYTES * self.leaves.capacity() as u64;
        allowance.adjust(self.own_charge, charge);
        self.own_charge = charge;
    }

    /// An element; all are about as likely.
    pub(super) fn random(&self, below: &mut impl FnMut(u64) -> u64) -> Option<Element<'_>> {
        if self.count == 0 {
            return None;
        }
        // Leaves have different numbers of elements. One is drawn among as many places as hardly any leaf has; a place
        // without an element is drawn again.
        let places = 4 * self.count.div_ceil(self.leaves.len() as u64) + 8;
        for _ in 0..RANDOM_TRIES {
            let run = self.run(below(self.leaves.len() as u64) as usize);
            if let Some((_, element)) = run.clone().nth(below(places) as usize) {
                return Some(element);
            }
        }
        let first = below(self.leaves.len() as u64) as usize;
        let leaf = (first..self.leaves.len()).chain(0..first).find(|&leaf| !self.leaves[leaf].bytes().is_empty())?;
        let elements = self.run(leaf).count() as u64;
        self.run(leaf).nth(below(elements) as usize).map(|(_, element)| element)
    }

    /// See [`super::Elements::scan`]. The cursor counts with its bits reversed, as Redis' does: leaves that are split later
    /// have all their parts behind it or all before it.
    pub(super) fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(Element<'a>)) -> u64 {
        let half = 1 << self.leaves.len().ilog2();
        let mask = half as u64 - 1;
        let (mut cursor, mut seen) = (cursor, 0);
        loop {
            let first = (cursor & mask) as usize;
            for leaf in [first, first + half] {
                if leaf < self.leaves.len() {
                    for (_, element) in self.run(leaf) {
                        visit(element);
                        seen += 1;
                    }
                }
            }
            cursor = (cursor | !mask).reverse_bits().wrapping_add(1).reverse_bits();
            if cursor == 0 || seen >= count {
                return cursor;
            }
        }
    }

    /// Frees up to `leaves` leaves; true when none is left.
    pub(crate) fn free_some(&mut self, leaves: usize) -> bool {
        let keep = self.leaves.len().saturating_sub(leaves);
        self.leaves.truncate(keep);
        self.leaves.is_empty()
    }

    /// Number of leaves.
    pub(crate) fn leaves(&self) -> usize {
        self.leaves.len()
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.budget.release(self.own_charge);
    }
}

fn directory_growth(leaves: usize) -> usize {
    DIRECTORY_STEP.max(leaves / 8)
}

/// Upper bound of what `elements` with `bytes` charge when they are added to a table of `leaves` that nobody reads.
pub(super) fn charge_for(elements: usize, bytes: usize, leaves: usize) -> u64 {
    let (elements, bytes) = (elements as u64, bytes as u64);
    // Every element may add a leaf, because there are never more leaves than elements.
    let splits = bytes / LEAF_TARGET + elements + 1;
    let directory = directory_growth(leaves) as u64 + splits + splits / 8 + DIRECTORY_STEP as u64;
    let rounding = 2 * STEP_BYTES as u64;
    bytes
        + (elements + 2) * rounding
        + splits * (LEAF_BYTES + rounding)
        + directory * DIRECTORY_BYTES
        + TABLE_BYTES
        + LEAF_BYTES
}
