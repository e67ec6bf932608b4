//! The leaves of a table by number: a list of parts, each a piece with the addresses of up to 512 leaves. No change of it
//! costs more than a copy of one part.

use super::Allowance;
use super::arena::{Arena, Owner, Piece, piece_bytes};

/// Leaves of a part.
const PART_LEAVES: usize = 512;
/// Leaves that the first part has room for at first.
const FIRST_LEAVES: usize = 8;
const ENTRY_BYTES: usize = size_of::<Piece>();

#[derive(Clone, Default)]
pub(super) struct Directory {
    parts: Vec<Piece>,
    len: usize,
}

impl Directory {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Heap bytes of the list.
    pub(super) fn heap_bytes(&self) -> u64 {
        (self.parts.capacity() * size_of::<Piece>()) as u64
    }

    fn entry(part: Piece, leaf: usize) -> *mut Piece {
        debug_assert!(leaf % PART_LEAVES * ENTRY_BYTES < part.capacity());
        // SAFETY: inside the part; pieces are aligned to 16.
        unsafe { part.start().cast::<Piece>().add(leaf % PART_LEAVES) }
    }

    /// The leaf of this number.
    #[inline]
    pub(super) fn get(&self, leaf: usize) -> Piece {
        assert!(leaf < self.len);
        // SAFETY: entries of leaves that are there are written.
        unsafe { Self::entry(self.parts[leaf / PART_LEAVES], leaf).read() }
    }

    /// Makes `piece` the leaf of this number.
    pub(super) fn set(&mut self, leaf: usize, piece: Piece, arena: &mut Arena, allowance: &mut Allowance) {
        let part = self.own(leaf / PART_LEAVES, arena, allowance);
        // SAFETY: the part is not shared.
        unsafe { Self::entry(part, leaf).write(piece) };
    }

    /// The part of this number, to be changed.
    fn own(&mut self, number: usize, arena: &mut Arena, allowance: &mut Allowance) -> Piece {
        let part = self.parts[number];
        if !arena.may_change(part) {
            self.move_part(number, part.capacity(), arena, allowance);
        }
        self.parts[number]
    }

    /// Moves a part to where it has room for `capacity` bytes.
    pub(super) fn move_part(&mut self, number: usize, capacity: usize, arena: &mut Arena, allowance: &mut Allowance) {
        let part = self.parts[number];
        self.parts[number] = arena.copy(part, capacity, allowance);
        arena.free(part, allowance);
    }

    /// Adds a leaf.
    pub(super) fn push(&mut self, piece: Piece, arena: &mut Arena, allowance: &mut Allowance) {
        let (number, place) = (self.len / PART_LEAVES, self.len % PART_LEAVES);
        if place == 0 {
            let leaves = if number == 0 { FIRST_LEAVES } else { PART_LEAVES };
            self.parts.push(arena.add(Owner::Directory(number), leaves * ENTRY_BYTES, allowance));
        } else if place * ENTRY_BYTES == self.parts[number].capacity() {
            self.move_part(number, 2 * place * ENTRY_BYTES, arena, allowance);
        }
        let part = self.own(number, arena, allowance);
        // SAFETY: the part is not shared and has room for one more.
        unsafe {
            Self::entry(part, self.len).write(piece);
            part.set_len((place + 1) * ENTRY_BYTES);
        }
        self.len += 1;
    }

    /// Takes the last leaf off.
    pub(super) fn pop(&mut self, arena: &mut Arena, allowance: &mut Allowance) -> Option<Piece> {
        let last = self.get(self.len.checked_sub(1)?);
        self.len -= 1;
        if self.len.is_multiple_of(PART_LEAVES)
            && let Some(part) = self.parts.pop()
        {
            arena.free(part, allowance);
        }
        Some(last)
    }

    /// Whether `piece` is in use.
    pub(super) fn has(&self, piece: Piece) -> bool {
        match piece.owner() {
            Owner::Leaf(leaf) => leaf < self.len && self.get(leaf) == piece,
            Owner::Directory(part) => self.parts.get(part) == Some(&piece),
        }
    }

    /// Bytes of the parts as the arena counts them.
    pub(super) fn piece_bytes(&self) -> u64 {
        self.parts.iter().map(|&part| piece_bytes(part)).sum()
    }
}
