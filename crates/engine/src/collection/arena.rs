//! Memory of one table: pieces of it in chunks of whole pages.
//!
//! ```text
//!  chunk  | piece | piece (gone) | piece | ... free, untouched      piece  | chunk | owner | len | capacity | bytes ... |
//! ```
//!
//! A chunk belongs to one table, so it goes with it, and no other table's pieces keep it alive. Pieces are added behind
//! each other; where too many are gone, the table moves those that are left of a chunk and gives the chunk back.
//!
//! Copies of a table share its chunks. What is in a shared chunk never changes: nothing is added to it, and whoever wants to
//! change a piece of it makes a new one elsewhere.

use std::ptr::NonNull;
use std::sync::Arc;

use super::Allowance;
use super::element::Element;
use crate::memory::{Block, PAGE_BYTES, charge_for};

/// Bytes of a chunk in a small arena and in one of at least [`MANY_BYTES`]. Only the pages that are used become memory.
const SMALL_CHUNK: usize = 4 * PAGE_BYTES;
const LARGE_CHUNK: usize = 16 * PAGE_BYTES;
const MANY_BYTES: u64 = 256 << 10;
/// Pieces are moved together where more than a page and one part in so many of the bytes are none.
const DEAD_PART: u64 = 10;
/// A chunk is worth that where at least one part in so many of it is none.
const WORTH_PART: u64 = 8;
/// Chunks that are looked at for the emptiest one.
const LOOKS: usize = 32;
/// Places by which the list of chunks grows at least; then an eighth.
const LIST_STEP: usize = 4;

const NONE: u32 = u32::MAX;
const HEADER_BYTES: usize = size_of::<Header>();
/// Pieces begin at a multiple of it and have capacities that are one.
pub(super) const PIECE_STEP: usize = 16;

/// What a piece belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The leaf of this number.
    Leaf(usize),
    /// The part of the directory of this number.
    Directory(usize),
}

impl Owner {
    const DIRECTORY: u32 = 1 << 31;

    fn encode(self) -> u32 {
        match self {
            Owner::Leaf(number) => number as u32,
            Owner::Directory(number) => number as u32 | Self::DIRECTORY,
        }
    }
}

#[repr(C)]
struct Header {
    chunk: u32,
    owner: u32,
    len: u32,
    capacity: u32,
}

/// A place in an arena. Valid as long as it is not freed and the arena, or a copy of it, is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Piece(NonNull<u8>);

impl Piece {
    fn header(self) -> *mut Header {
        self.0.as_ptr().cast()
    }

    /// The first of its bytes.
    pub(super) fn start(self) -> *mut u8 {
        // SAFETY: the bytes lie behind the header.
        unsafe { self.0.as_ptr().add(HEADER_BYTES) }
    }

    pub(super) fn len(self) -> usize {
        // SAFETY: see the type.
        unsafe { (*self.header()).len as usize }
    }

    pub(super) fn capacity(self) -> usize {
        // SAFETY: see the type.
        unsafe { (*self.header()).capacity as usize }
    }

    fn chunk(self) -> usize {
        // SAFETY: see the type.
        unsafe { (*self.header()).chunk as usize }
    }

    pub(super) fn owner(self) -> Owner {
        // SAFETY: see the type.
        let owner = unsafe { (*self.header()).owner };
        let number = (owner & !Owner::DIRECTORY) as usize;
        if owner & Owner::DIRECTORY == 0 { Owner::Leaf(number) } else { Owner::Directory(number) }
    }

    /// Bytes with the header.
    fn size(self) -> usize {
        HEADER_BYTES + self.capacity()
    }

    /// # Safety
    /// The piece's chunk is not shared, and its first `len` bytes are written.
    pub(super) unsafe fn set_len(self, len: usize) {
        debug_assert!(len <= self.capacity());
        // SAFETY: as the caller says.
        unsafe { (*self.header()).len = len as u32 };
    }
}

/// Some pages, and what of them is used.
#[derive(Clone)]
struct Chunk {
    block: Arc<Block>,
    /// Pieces lie before this byte; of an element apart, its length.
    end: u32,
    /// Bytes of the pieces that are there.
    live: u32,
    /// Whether the chunk is one element that is too long for a leaf.
    is_apart: bool,
}

impl Chunk {
    /// Bytes in use for pieces that are none: gone, or not there yet.
    fn dead(&self) -> u64 {
        (self.block.used() - self.live as usize) as u64
    }
}

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Arena {
    chunks: Vec<Option<Chunk>>,
    /// Numbers of chunks that are none.
    vacant: Vec<u32>,
    /// Chunk that pieces are added to, or [`NONE`].
    open: u32,
    /// Where the next look for an empty chunk begins.
    next_look: usize,
    /// Bytes of the chunks of pieces, and of the pieces that are there.
    held: u64,
    live: u64,
    /// What all blocks charge.
    charged: u64,
    /// Pages of all blocks.
    pages: usize,
}

impl Arena {
    pub(super) fn new() -> Self {
        Self { open: NONE, ..Self::default() }
    }

    /// What the blocks charge to the budget.
    pub(super) fn charged(&self) -> u64 {
        self.charged
    }

    /// Heap bytes of the bookkeeping.
    pub(super) fn heap_bytes(&self) -> u64 {
        (self.chunks.capacity() * size_of::<Option<Chunk>>() + self.vacant.capacity() * size_of::<u32>()) as u64
    }

    /// Pages of all blocks.
    pub(super) fn pages(&self) -> usize {
        self.pages
    }

    fn chunk(&self, number: usize) -> &Chunk {
        self.chunks[number].as_ref().expect("what is there has a chunk")
    }

    fn chunk_mut(&mut self, number: usize) -> &mut Chunk {
        self.chunks[number].as_mut().expect("what is there has a chunk")
    }

    /// The bytes of a piece.
    pub(super) fn bytes(&self, piece: Piece) -> &[u8] {
        // SAFETY: the piece is there as long as the arena is not changed, and its first `len` bytes were written.
        unsafe { std::slice::from_raw_parts(piece.start(), piece.len()) }
    }

    /// Whether the piece may be changed where it is: no copy of the table has it.
    pub(super) fn may_change(&mut self, piece: Piece) -> bool {
        Arc::get_mut(&mut self.chunk_mut(piece.chunk()).block).is_some()
    }

    /// A new piece without bytes.
    pub(super) fn add(&mut self, owner: Owner, capacity: usize, allowance: &mut Allowance) -> Piece {
        let capacity = capacity.next_multiple_of(PIECE_STEP);
        let size = HEADER_BYTES + capacity;
        if !self.open_has_room(size) {
            self.open_another(size, allowance);
        }
        let number = self.open;
        let chunk = self.chunks[number as usize].as_mut().expect("the open chunk is there");
        let block = Arc::get_mut(&mut chunk.block).expect("a chunk that is added to is not shared");
        let at = chunk.end as usize;
        chunk.end += size as u32;
        chunk.live += size as u32;
        self.live += size as u64;
        let more = (at + size).next_multiple_of(PAGE_BYTES).saturating_sub(block.used());
        if more > 0 {
            allowance.take(more as u64);
            block.grow(block.used() + more);
            self.held += more as u64;
            self.charged += more as u64;
            self.pages += more / PAGE_BYTES;
        }
        // SAFETY: the bytes from `at` on are used, unshared, aligned to 16 and hold no other piece.
        unsafe {
            let start = block.base().add(at);
            start.cast::<Header>().write(Header {
                chunk: number,
                owner: owner.encode(),
                len: 0,
                capacity: capacity as u32,
            });
            Piece(NonNull::new_unchecked(start))
        }
    }

    /// A copy of a piece, with room for `capacity` bytes.
    pub(super) fn copy(&mut self, piece: Piece, capacity: usize, allowance: &mut Allowance) -> Piece {
        let copy = self.add(piece.owner(), capacity, allowance);
        // SAFETY: the copy is new, so it is not shared and lies elsewhere; it has the room.
        unsafe {
            std::ptr::copy_nonoverlapping(piece.start(), copy.start(), piece.len());
            copy.set_len(piece.len());
        }
        copy
    }

    fn open_has_room(&mut self, size: usize) -> bool {
        let Some(Some(chunk)) = self.chunks.get_mut(self.open as usize) else { return false };
        chunk.end as usize + size <= chunk.block.capacity() && Arc::get_mut(&mut chunk.block).is_some()
    }

    fn open_another(&mut self, size: usize, allowance: &mut Allowance) {
        let last = std::mem::replace(&mut self.open, NONE);
        if last != NONE && self.chunk(last as usize).live == 0 {
            self.release(last as usize, allowance);
        }
        let usual = if self.held < MANY_BYTES { SMALL_CHUNK } else { LARGE_CHUNK };
        let block = take_block(usual.max(size), PAGE_BYTES, allowance);
        self.held += PAGE_BYTES as u64;
        self.open = self.enlist(Chunk { block, end: 0, live: 0, is_apart: false });
    }

    /// Puts a chunk on the list.
    fn enlist(&mut self, chunk: Chunk) -> u32 {
        self.charged += chunk.block.charged();
        self.pages += chunk.block.used().div_ceil(PAGE_BYTES);
        if let Some(number) = self.vacant.pop() {
            self.chunks[number as usize] = Some(chunk);
            return number;
        }
        if self.chunks.len() == self.chunks.capacity() {
            self.chunks.reserve_exact(LIST_STEP.max(self.chunks.len() / 8));
        }
        self.chunks.push(Some(chunk));
        self.chunks.len() as u32 - 1
    }

    /// Takes a chunk from the list.
    fn release(&mut self, number: usize, allowance: &mut Allowance) {
        let chunk = self.chunks[number].take().expect("what is released is there");
        self.vacant.push(number as u32);
        self.charged -= chunk.block.charged();
        self.pages -= chunk.block.used().div_ceil(PAGE_BYTES);
        if !chunk.is_apart {
            self.held -= chunk.block.used() as u64;
        }
        if self.open as usize == number {
            self.open = NONE;
        }
        allowance.free_later(chunk.block);
    }

    /// Gives a piece up.
    pub(super) fn free(&mut self, piece: Piece, allowance: &mut Allowance) {
        let (number, size) = (piece.chunk(), piece.size());
        let is_open = self.open as usize == number;
        self.live -= size as u64;
        let chunk = self.chunk_mut(number);
        chunk.live -= size as u32;
        if chunk.live > 0 {
            return;
        }
        if is_open && Arc::get_mut(&mut chunk.block).is_some() {
            chunk.end = 0;
        } else {
            self.release(number, allowance);
        }
    }

    /// Stores an element that is too long for a leaf, in a chunk of its own.
    pub(super) fn add_apart(&mut self, element: Element<'_>, allowance: &mut Allowance) -> u32 {
        let len = element.stored_len();
        let block = take_block(len, len, allowance);
        // SAFETY: the block was just taken and has `len` bytes.
        element.write(unsafe { std::slice::from_raw_parts_mut(block.base(), len) });
        self.enlist(Chunk { block, end: len as u32, live: len as u32, is_apart: true })
    }

    /// The bytes of such an element.
    pub(super) fn apart(&self, number: u32) -> &[u8] {
        let chunk = self.chunk(number as usize);
        debug_assert!(chunk.is_apart);
        // SAFETY: so many were written when it was made, and they never change.
        unsafe { std::slice::from_raw_parts(chunk.block.base(), chunk.end as usize) }
    }

    /// Gives such an element up.
    pub(super) fn free_apart(&mut self, number: u32, allowance: &mut Allowance) {
        self.release(number as usize, allowance);
    }

    /// A chunk of which the pieces had better be moved elsewhere. One without any is given up at once.
    pub(super) fn choose_emptiest(&mut self, allowance: &mut Allowance) -> Option<Emptied> {
        if self.held - self.live <= self.held / DEAD_PART + PAGE_BYTES as u64 {
            return None;
        }
        let mut best = (0, 0);
        for _ in 0..LOOKS.min(self.chunks.len()) {
            self.next_look = (self.next_look + 1) % self.chunks.len();
            if let Some(chunk) = self.chunks[self.next_look].as_ref().filter(|chunk| !chunk.is_apart)
                && chunk.dead() > best.0
                && chunk.dead() * WORTH_PART > chunk.block.used() as u64
            {
                best = (chunk.dead(), self.next_look);
            }
        }
        if best.0 == 0 {
            return None;
        }
        if self.open as usize == best.1 {
            self.open = NONE;
        }
        let chunk = self.chunk(best.1);
        if chunk.live == 0 {
            self.release(best.1, allowance);
            return None;
        }
        Some(Emptied { block: Arc::clone(&chunk.block), end: chunk.end as usize, at: 0 })
    }

    /// Takes one block out, to be dropped: the arena is of no use any more.
    pub(super) fn take_block(&mut self) -> Option<Arc<Block>> {
        while let Some(chunk) = self.chunks.pop() {
            if let Some(chunk) = chunk {
                return Some(chunk.block);
            }
        }
        None
    }

    pub(super) fn has_blocks(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// Checks the counts against `live`, the bytes of the pieces that the table has.
    pub(super) fn verify(&self, live: u64) -> Result<(), String> {
        let pieces = || self.chunks.iter().flatten().filter(|chunk| !chunk.is_apart);
        let held: u64 = pieces().map(|chunk| chunk.block.used() as u64).sum();
        let counted: u64 = pieces().map(|chunk| u64::from(chunk.live)).sum();
        let charged: u64 = self.chunks.iter().flatten().map(|chunk| chunk.block.charged()).sum();
        if (held, counted, charged, live) != (self.held, self.live, self.charged, self.live) {
            return Err(format!(
                "an arena counts {} held, {} live, {} charged; there are {held}, {counted}, {charged}, and {live} in pieces",
                self.held, self.live, self.charged
            ));
        }
        Ok(())
    }
}

/// The size of a piece with so much room, as the arena counts it.
pub(super) fn piece_bytes(piece: Piece) -> u64 {
    piece.size() as u64
}

/// A block with room for `capacity` bytes of which `used` are used.
fn take_block(capacity: usize, used: usize, allowance: &mut Allowance) -> Arc<Block> {
    allowance.take(charge_for(used));
    Arc::new(allowance.blocks().take(capacity, used).expect("there is address space for what the budget allows"))
}

/// The pieces of a chunk that is being emptied, those that are gone among them.
pub(super) struct Emptied {
    /// Keeps the pieces readable after the last of them is freed.
    block: Arc<Block>,
    end: usize,
    at: usize,
}

impl Iterator for Emptied {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if self.at >= self.end {
            return None;
        }
        // SAFETY: pieces follow each other up to `end`; what was written of them stays.
        let piece = unsafe { Piece(NonNull::new_unchecked(self.block.base().add(self.at))) };
        self.at += piece.size();
        Some(piece)
    }
}

// SAFETY: pieces point into blocks that the arena holds; they change only through `&mut`, and not while shared.
unsafe impl Send for Piece {}
// SAFETY: as above.
unsafe impl Sync for Piece {}
