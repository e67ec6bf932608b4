//! A record as a reader without the shard lock sees it.
//!
//! Another thread may be overwriting the bytes meanwhile, and what lies there may not be a record at all any more. So
//! every word is loaded once, offsets and lengths are derived from that copy alone, and no reference to the bytes is
//! ever made. The loads are volatile: the compiler may neither repeat nor invent one. By the letter of the memory
//! model a plain write that meets a volatile read is still a race; there is no byte-wise atomic copy in the language
//! yet, and this is how sequence locks are written until there is (crossbeam's `AtomicCell`, among others).

use std::mem::MaybeUninit;
use std::ptr::{copy_nonoverlapping, read_volatile};

use super::{HEADER_BYTES, LENGTH_MASK, USES_MASK, USES_SHIFT, field, flag, kind_of};
use crate::value::{Found, Kind};

/// The first eight bytes of what was a record when its address was learnt, and where they came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RacingRecord {
    at: *const u8,
    kind_and_flags: u8,
    fields: u8,
    key_len: u16,
    word: u32,
}

impl RacingRecord {
    /// Loads the header.
    ///
    /// # Safety
    /// `at` is a multiple of 4, and the [`HEADER_BYTES`] bytes from there on are mapped for as long as the copy is used.
    #[inline(always)]
    pub(crate) unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller says so.
        let (first, word) = unsafe { (load_u32(at), load_u32(at.add(4))) };
        let [kind_and_flags, fields, low, high] = first.to_ne_bytes();
        Self { at, kind_and_flags, fields, key_len: u16::from_ne_bytes([low, high]), word }
    }

    #[inline(always)]
    pub(crate) fn has_flag(&self, flag: u8) -> bool {
        self.kind_and_flags & flag != 0
    }

    #[inline(always)]
    pub(crate) fn has_field(&self, bit: u8) -> bool {
        self.fields & bit != 0
    }

    #[inline(always)]
    pub(crate) fn key_len(&self) -> usize {
        usize::from(self.key_len)
    }

    #[inline(always)]
    pub(crate) fn value_len(&self) -> usize {
        (self.word & LENGTH_MASK) as usize
    }

    /// How often the record was used, up to [`super::MAX_USES`].
    #[inline(always)]
    pub(crate) fn uses(&self) -> u32 {
        (self.word & USES_MASK) >> USES_SHIFT
    }

    #[inline(always)]
    fn key_offset(&self) -> usize {
        (HEADER_BYTES + field::BYTES * self.fields.count_ones()) as usize
    }

    /// Bytes up to the end of the fields and of a key in the record.
    #[inline(always)]
    pub(crate) fn bytes_with_key(&self) -> u32 {
        (self.key_offset() + self.key_len()) as u32
    }

    /// Bytes up to the end of a value in the record.
    #[inline(always)]
    pub(crate) fn bytes_with_value(&self) -> u32 {
        (self.key_offset() + self.key_len() + self.value_len()) as u32
    }

    /// Whether the key is `key`.
    ///
    /// # Safety
    /// `key` is as long as [`RacingRecord::key_len`] says, and [`RacingRecord::bytes_with_key`] bytes are mapped, up to
    /// the next multiple of 4.
    #[inline(always)]
    pub(crate) unsafe fn key_equals(&self, key: &[u8]) -> bool {
        debug_assert_eq!(key.len(), self.key_len());
        // SAFETY: the key lies inside the bytes that the caller vouches for.
        unsafe { equals(self.at.add(self.key_offset()), key) }
    }

    /// Copies the value.
    ///
    /// # Safety
    /// [`RacingRecord::bytes_with_value`] bytes are mapped. The result means something only if the shard turns out
    /// not to have changed.
    #[inline(always)]
    pub(crate) unsafe fn copy_value<'a>(&self, buffer: &'a mut [MaybeUninit<u8>]) -> &'a [u8] {
        let target = &mut buffer[..self.value_len()];
        // SAFETY: the source lies inside the bytes that the caller vouches for and nobody else has the target. The
        // length is the target's own, so whatever the source turns into, all of the target and no more is written.
        unsafe {
            let source = self.at.add(self.key_offset() + self.key_len());
            copy_nonoverlapping(source, target.as_mut_ptr().cast::<u8>(), target.len());
            std::slice::from_raw_parts(target.as_ptr().cast::<u8>(), target.len())
        }
    }

    /// What the record says about its value, with the bytes still to come. Without an idle time, which moves with
    /// every use: a record that has one needs the lock.
    ///
    /// # Safety
    /// [`RacingRecord::bytes_with_key`] bytes are mapped.
    #[inline(always)]
    pub(crate) unsafe fn describe<'a>(&self) -> Found<'a> {
        debug_assert!(!self.has_field(field::IDLE));
        let kind = kind_of(self.kind_and_flags);
        // SAFETY: the fields lie between header and key.
        let field = |bit: u8| self.has_field(bit).then(|| unsafe { self.field(bit) });
        Found {
            kind,
            codec: if kind == Kind::Coded { field(field::EXTRA).unwrap_or(0) as u8 } else { 0 },
            ascii: self.has_flag(flag::ASCII),
            // SAFETY: the version is part of the header.
            version: unsafe { load_u64(self.at.add(8)) },
            expires_at: field(field::EXPIRY).filter(|&at| at != u64::MAX),
            idle_ttl_ms: None,
            cost: field(field::COST).unwrap_or(1),
            bytes: &[],
            shared: None,
        }
    }

    /// # Safety
    /// The field is there, and mapped.
    #[inline(always)]
    unsafe fn field(&self, bit: u8) -> u64 {
        let before = (self.fields & (bit - 1)).count_ones();
        // SAFETY: the caller says so.
        unsafe { load_u64(self.at.add((HEADER_BYTES + field::BYTES * before) as usize)) }
    }
}

/// Loads a word once.
///
/// # Safety
/// `at` is a multiple of 4 and the word is mapped.
#[inline(always)]
unsafe fn load_u32(at: *const u8) -> u32 {
    // SAFETY: the caller says so.
    unsafe { read_volatile(at.cast::<u32>()) }
}

/// Loads eight bytes in two words: records lie at multiples of 4 only.
///
/// # Safety
/// As for [`load_u32`].
#[inline(always)]
unsafe fn load_u64(at: *const u8) -> u64 {
    // SAFETY: the caller says so.
    let words = unsafe { [load_u32(at).to_ne_bytes(), load_u32(at.add(4)).to_ne_bytes()] };
    u64::from_ne_bytes(*words.as_flattened().first_chunk().expect("eight bytes"))
}

/// Compares the `expected.len()` bytes at `at`.
///
/// # Safety
/// `at` is a multiple of 4 and every word that holds one of the bytes is mapped.
#[inline(always)]
unsafe fn equals(at: *const u8, expected: &[u8]) -> bool {
    let (words, rest) = expected.as_chunks::<4>();
    let mut different = 0;
    for (number, word) in words.iter().enumerate() {
        // SAFETY: the caller says so.
        different |= unsafe { load_u32(at.add(4 * number)) } ^ u32::from_ne_bytes(*word);
    }
    if !rest.is_empty() {
        // SAFETY: as above.
        let last = unsafe { load_u32(at.add(4 * words.len())) }.to_ne_bytes();
        different |= u32::from(last[..rest.len()] != *rest);
    }
    different == 0
}

#[cfg(test)]
mod tests;
