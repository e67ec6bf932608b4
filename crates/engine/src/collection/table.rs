//! A table of leaves, for collections that are too large for a record.
//!
//! Linear hashing (Litwin, 1980): leaves are split and joined one at a time, in order, so that no change of the collection
//! ever moves more than one leaf's elements.

use std::ops::Range;
use std::sync::Arc;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use super::arena::{Arena, Owner, PIECE_STEP, Piece, piece_bytes};
use super::directory::Directory;
use super::element::{Element, Put, Run};
use super::leaf::{APART_BYTES, Entry, LeafRun, Stub};
use super::{Allowance, Growth};
use crate::memory::{Block, Budget, PAGE_BYTES};

/// Bytes of elements a leaf has on average at most.
const LEAF_TARGET: u64 = 704;
/// Leaves are joined when on average they have less than this part of it.
const JOIN_PART: u64 = 4;
/// What a table takes on the heap beside its lists.
const TABLE_BYTES: u64 = 320;
/// Bytes that a leaf may be too large before it is made anew, beside an eighth of what is in it.
const ROOMY_BYTES: usize = 64;
/// Tries to choose an element so that all are about as likely.
const RANDOM_TRIES: u32 = 32;

/// Elements by hash of their names.
pub(crate) struct Table {
    /// Whether elements have values: a hash.
    pairs: bool,
    /// See [`super::Elements::is_hashtable`].
    pub(super) hashtable: bool,
    count: u64,
    /// Bytes of the elements as they are stored, and of what leaves hold.
    bytes: u64,
    leaf_bytes: u64,
    arena: Arena,
    leaves: Directory,
    /// What this charges for itself and its lists.
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
        let mut table = Self {
            pairs,
            hashtable,
            count: 0,
            bytes: 0,
            leaf_bytes: 0,
            arena: Arena::new(),
            leaves: Directory::default(),
            own_charge: 0,
            secrets: *secrets,
            budget: Arc::clone(allowance.blocks().budget()),
        };
        table.push_leaf(0, allowance);
        for (_, element) in run {
            table.put(element, allowance);
        }
        table
    }

    /// The same elements at this moment, for a reader without a lock. Costs a few bytes for each chunk of up to 64 KiB and
    /// for each element apart.
    pub(crate) fn share(&self) -> Self {
        let (arena, leaves) = (self.arena.clone(), self.leaves.clone());
        let own_charge = TABLE_BYTES + arena.heap_bytes() + leaves.heap_bytes();
        self.budget.charge(own_charge);
        Self {
            pairs: self.pairs,
            hashtable: self.hashtable,
            count: self.count,
            bytes: self.bytes,
            leaf_bytes: self.leaf_bytes,
            arena,
            leaves,
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
        self.arena.charged() + self.own_charge
    }

    /// Upper bound of what `growth` charges, if nobody reads.
    pub(crate) fn charge_for(&self, growth: &Growth) -> u64 {
        charge_for(growth)
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

    fn leaf_bytes(&self, leaf: usize) -> &[u8] {
        self.arena.bytes(self.leaves.get(leaf))
    }

    fn entries(&self, leaf: usize) -> LeafRun<'_> {
        LeafRun::new(self.leaf_bytes(leaf), self.pairs)
    }

    /// The elements of a leaf.
    fn elements(&self, leaf: usize) -> impl Iterator<Item = Element<'_>> + Clone {
        self.entries(leaf).map(|(_, entry)| entry.element(&self.arena, self.pairs))
    }

    /// The entry of an element, and where in its leaf it lies.
    fn find(&self, leaf: usize, name: &[u8], hash: u64) -> Option<(Range<usize>, Entry<'_>)> {
        self.entries(leaf).find(|(_, entry)| match entry {
            Entry::Here(element) => element.name == name,
            Entry::Apart(stub) => stub.hash == hash && entry.element(&self.arena, self.pairs).name == name,
        })
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<Element<'_>> {
        let hash = self.hash(name);
        let leaf = Self::place(hash, self.leaves.len());
        self.find(leaf, name, hash).map(|(_, entry)| entry.element(&self.arena, self.pairs))
    }

    pub(super) fn for_each<'a>(&'a self, visit: impl FnMut(Element<'a>)) {
        (0..self.leaves.len()).flat_map(|leaf| self.elements(leaf)).for_each(visit);
    }

    pub(super) fn put(&mut self, element: Element<'_>, allowance: &mut Allowance) -> Put {
        let hash = self.hash(element.name);
        let leaf = Self::place(hash, self.leaves.len());
        let (range, done) = match self.find(leaf, element.name, hash) {
            None => {
                let end = self.leaf_bytes(leaf).len();
                (end..end, Put::Added)
            }
            Some((_, old)) if old.element(&self.arena, self.pairs) == element => return Put::Unchanged,
            Some((range, old)) => {
                let stub = if let Entry::Apart(stub) = old { Some(stub) } else { None };
                self.bytes -= old.element(&self.arena, self.pairs).stored_len() as u64;
                if let Some(stub) = stub {
                    self.arena.free_apart(stub.chunk, allowance);
                }
                (range, Put::Replaced)
            }
        };
        let entry = if element.stored_len() > APART_BYTES {
            Entry::Apart(Stub { chunk: self.arena.add_apart(element, allowance), hash })
        } else {
            Entry::Here(element)
        };
        self.splice(leaf, range, Some(entry), allowance);
        self.bytes += element.stored_len() as u64;
        self.count += u64::from(done == Put::Added);
        while self.leaf_bytes > self.leaves.len() as u64 * LEAF_TARGET && (self.leaves.len() as u64) < self.count {
            self.split(allowance);
        }
        self.tidy(allowance);
        done
    }

    pub(super) fn remove(&mut self, name: &[u8], allowance: &mut Allowance) -> bool {
        let hash = self.hash(name);
        let leaf = Self::place(hash, self.leaves.len());
        let Some((range, entry)) = self.find(leaf, name, hash) else { return false };
        let stub = if let Entry::Apart(stub) = entry { Some(stub) } else { None };
        self.bytes -= entry.element(&self.arena, self.pairs).stored_len() as u64;
        if let Some(stub) = stub {
            self.arena.free_apart(stub.chunk, allowance);
        }
        self.splice(leaf, range, None, allowance);
        self.count -= 1;
        if self.leaves.len() > 1 && self.leaf_bytes * JOIN_PART < self.leaves.len() as u64 * LEAF_TARGET {
            self.join(allowance);
        }
        self.tidy(allowance);
        true
    }

    /// Puts `entry`, or nothing, where `range` of a leaf was.
    fn splice(&mut self, leaf: usize, range: Range<usize>, entry: Option<Entry<'_>>, allowance: &mut Allowance) {
        let added = entry.map_or(0, |entry| entry.stored_len());
        let old = self.leaves.get(leaf);
        let (before, behind) = (range.start, old.len() - range.end);
        let len = before + added + behind;
        self.leaf_bytes = self.leaf_bytes + added as u64 - range.len() as u64;
        let fits = len <= old.capacity() && old.capacity() <= len + len / 8 + ROOMY_BYTES;
        let to = if fits && self.arena.may_change(old) {
            old
        } else {
            self.arena.add(Owner::Leaf(leaf), roomy(len), allowance)
        };
        // SAFETY: `to` is not shared and has room for `len` bytes; `old` has as many as are copied. They are the same or lie
        // apart; within one, what is in front stays and what lies behind is moved first.
        unsafe {
            std::ptr::copy(old.start().add(range.end), to.start().add(before + added), behind);
            if to != old {
                std::ptr::copy_nonoverlapping(old.start(), to.start(), before);
            }
            if let Some(entry) = entry {
                entry.write(std::slice::from_raw_parts_mut(to.start().add(before), added));
            }
            to.set_len(len);
        }
        if to != old {
            self.leaves.set(leaf, to, &mut self.arena, allowance);
            self.arena.free(old, allowance);
        }
    }

    /// Adds an empty leaf with room for `capacity` bytes.
    fn push_leaf(&mut self, capacity: usize, allowance: &mut Allowance) -> Piece {
        let piece = self.arena.add(Owner::Leaf(self.leaves.len()), capacity, allowance);
        self.leaves.push(piece, &mut self.arena, allowance);
        piece
    }

    /// Moves those elements of the next leaf in turn that belong there into a new one.
    fn split(&mut self, allowance: &mut Allowance) {
        let leaves = self.leaves.len();
        let source = leaves - (1 << leaves.ilog2());
        let stays = |table: &Self, entry: &Entry<'_>| {
            let hash = match entry {
                Entry::Here(element) => table.hash(element.name),
                Entry::Apart(stub) => stub.hash,
            };
            Self::place(hash, leaves + 1) == source
        };
        let kept: usize =
            self.entries(source).filter(|(_, entry)| stays(self, entry)).map(|(place, _)| place.len()).sum();
        let old = self.leaves.get(source);
        let go = self.push_leaf(roomy(old.len() - kept), allowance);
        let stay = self.arena.add(Owner::Leaf(source), roomy(kept), allowance);
        let (mut go_len, mut stay_len) = (0, 0);
        for (place, entry) in LeafRun::new(self.arena.bytes(old), self.pairs) {
            let (to, at) = if stays(self, &entry) { (stay, &mut stay_len) } else { (go, &mut go_len) };
            // SAFETY: the new leaves are not shared and have room for what was counted; the old one lies elsewhere.
            unsafe { std::ptr::copy_nonoverlapping(old.start().add(place.start), to.start().add(*at), place.len()) };
            *at += place.len();
        }
        // SAFETY: as above; so many bytes were written.
        unsafe {
            go.set_len(go_len);
            stay.set_len(stay_len);
        }
        self.leaves.set(source, stay, &mut self.arena, allowance);
        self.arena.free(old, allowance);
    }

    /// Takes the last split back.
    fn join(&mut self, allowance: &mut Allowance) {
        let Some(last) = self.leaves.pop(&mut self.arena, allowance) else { return };
        let target = self.leaves.len() - (1 << self.leaves.len().ilog2());
        let old = self.leaves.get(target);
        let len = old.len() + last.len();
        let joined = self.arena.add(Owner::Leaf(target), roomy(len), allowance);
        // SAFETY: the new leaf is not shared, has the room and lies elsewhere.
        unsafe {
            std::ptr::copy_nonoverlapping(old.start(), joined.start(), old.len());
            std::ptr::copy_nonoverlapping(last.start(), joined.start().add(old.len()), last.len());
            joined.set_len(len);
        }
        self.leaves.set(target, joined, &mut self.arena, allowance);
        self.arena.free(old, allowance);
        self.arena.free(last, allowance);
    }

    /// Moves the pieces of one chunk together with others where that wins memory, and keeps the charge of the lists.
    fn tidy(&mut self, allowance: &mut Allowance) {
        if let Some(chunk) = self.arena.choose_emptiest(allowance) {
            for piece in chunk {
                if !self.leaves.has(piece) {
                    continue;
                }
                match piece.owner() {
                    Owner::Directory(part) => {
                        self.leaves.move_part(part, piece.capacity(), &mut self.arena, allowance);
                    }
                    Owner::Leaf(leaf) => {
                        let copy = self.arena.copy(piece, roomy(piece.len()), allowance);
                        self.leaves.set(leaf, copy, &mut self.arena, allowance);
                        self.arena.free(piece, allowance);
                    }
                }
            }
        }
        let charge = TABLE_BYTES + self.arena.heap_bytes() + self.leaves.heap_bytes();
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
            let leaf = below(self.leaves.len() as u64) as usize;
            if let Some((_, entry)) = self.entries(leaf).nth(below(places) as usize) {
                return Some(entry.element(&self.arena, self.pairs));
            }
        }
        let first = below(self.leaves.len() as u64) as usize;
        let leaf = (first..self.leaves.len()).chain(0..first).find(|&leaf| !self.leaf_bytes(leaf).is_empty())?;
        let elements = self.entries(leaf).count() as u64;
        let (_, entry) = self.entries(leaf).nth(below(elements) as usize)?;
        Some(entry.element(&self.arena, self.pairs))
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
                    for element in self.elements(leaf) {
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

    /// Pages of its blocks.
    pub(crate) fn pages(&self) -> usize {
        self.arena.pages()
    }

    /// Takes one of its blocks out, to be dropped; the table is of no use afterwards.
    pub(crate) fn take_block(&mut self) -> Option<Arc<Block>> {
        self.arena.take_block()
    }

    pub(crate) fn has_blocks(&self) -> bool {
        self.arena.has_blocks()
    }

    /// Checks what must hold between two changes.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let (mut count, mut bytes, mut leaf_bytes) = (0, 0, 0);
        let mut live = self.leaves.piece_bytes();
        for leaf in 0..self.leaves.len() {
            live += piece_bytes(self.leaves.get(leaf));
            leaf_bytes += self.leaf_bytes(leaf).len() as u64;
            for element in self.elements(leaf) {
                let place = Self::place(self.hash(element.name), self.leaves.len());
                if place != leaf {
                    return Err(format!("an element of leaf {place} is in leaf {leaf}"));
                }
                count += 1;
                bytes += element.stored_len() as u64;
            }
        }
        if (count, bytes, leaf_bytes) != (self.count, self.bytes, self.leaf_bytes) {
            return Err(format!(
                "a table counts {} elements, {} bytes, {} in leaves; there are {count}, {bytes}, {leaf_bytes}",
                self.count, self.bytes, self.leaf_bytes
            ));
        }
        self.arena.verify(live)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.budget.release(self.own_charge);
    }
}

/// Room of a leaf with `len` bytes: some more, so that not every change makes it anew.
fn roomy(len: usize) -> usize {
    (len + (len / 16).min(64)).next_multiple_of(PIECE_STEP)
}

/// Upper bound of what `growth` charges when it is added to a table that nobody reads.
pub(super) fn charge_for(growth: &Growth) -> u64 {
    let (elements, bytes) = (growth.elements as u64, growth.bytes as u64);
    // Every element may add a leaf, because there are never more leaves than elements, and outgrow one.
    let pieces = 2 * elements + bytes / LEAF_TARGET + 3;
    let live = bytes + bytes / 4 + pieces * (ROOMY_BYTES as u64 + 2 * PIECE_STEP as u64);
    // Beside what is gone, which is at most a tenth of all and a page, the ends of chunks are lost.
    growth.apart + 64 * elements + live + live / 4 + TABLE_BYTES + 3 * PAGE_BYTES as u64
}
