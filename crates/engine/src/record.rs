//! The record: header, optional fields, key, value.
//!
//! ```text
//!  0        1        2        4              8                 16
//!  | kind   | fields | key    | value length | version         | one 8-byte field per bit | key | value |
//!  | +flags | bitmap | length | +state bits  |                 | of `fields`, in bit order |
//! ```
//!
//! Decided once, with room for what comes: kinds for tombstones and collections, and bits for tags, a namespace
//! and a collection id. An absent field costs nothing. Records lie at granules of 4 bytes (more above 16 GiB) and
//! are read unaligned. A first byte whose low half is [`FILLER`] marks unused bytes: the upper 24 bits of its
//! first four bytes are their number.

mod racing;

use std::ptr::{copy_nonoverlapping, read_unaligned, write_unaligned};

use crate::idle::Idle;
use parking_lot::MappedMutexGuard;

use crate::collection::Table;
use crate::memory::LargeBytes;
use crate::value::{Kind, LargeValue};
use std::sync::Arc;

pub(crate) use racing::RacingRecord;

/// Bytes before the optional fields.
pub(crate) const HEADER_BYTES: u32 = 16;
const FILLER: u8 = 0x0f;

/// Flags beside the kind in the first byte.
pub(crate) mod flag {
    /// The stored value is LZ4.
    pub(crate) const LZ4: u8 = 0x10;
    /// The value is 7-bit ASCII text.
    pub(crate) const ASCII: u8 = 0x20;
    /// The value is outside the log; the record holds the reference.
    pub(crate) const LARGE: u8 = 0x40;
    /// The key is in front of the value, outside the log (with `LARGE` only).
    pub(crate) const LONG_KEY: u8 = 0x80;
}

/// Bits of the optional fields. Each field has eight bytes.
pub(crate) mod field {
    /// Bytes of every field.
    pub(crate) const BYTES: u32 = 8;
    /// Neighbours in the order of use (`lru`): newer u32, older u32. First, so that its offset is fixed.
    pub(crate) const LINKS: u8 = 0x01;
    /// Absolute expiry in ms since the epoch.
    pub(crate) const EXPIRY: u8 = 0x02;
    /// Idle ttl and last use: [`Idle`].
    pub(crate) const IDLE: u8 = 0x04;
    /// Cost, where it is not 1.
    pub(crate) const COST: u8 = 0x08;
    // 0x10 tags, 0x20 namespace, 0x40 collection: reserved (docs/decisions/0004-record.md).
    /// Codec id in the low byte, the rest spare.
    pub(crate) const EXTRA: u8 = 0x80;
}

const LENGTH_MASK: u32 = (1 << 28) - 1;
const USES_SHIFT: u32 = 28;
const USES_MASK: u32 = 0b11 << USES_SHIFT;
const DEAD: u32 = 1 << 30;

/// `bytes` rounded up to `granule`, a power of two: no division.
#[inline(always)]
pub(crate) fn round_up(bytes: u32, granule: u32) -> u32 {
    debug_assert!(granule.is_power_of_two());
    (bytes + granule - 1) & !(granule - 1)
}

/// Most uses a record remembers.
pub(crate) const MAX_USES: u32 = 3;

/// The kind in the low half of a record's first byte.
#[inline(always)]
fn kind_of(first: u8) -> Kind {
    match first & 0x0f {
        1 => Kind::Text,
        2 => Kind::Bytes,
        3 => Kind::Integer,
        4 => Kind::Coded,
        6 => Kind::Hash,
        7 => Kind::Set,
        _ => Kind::Wire,
    }
}

/// A pointer to a record in the log. Valid while the shard lock is held and the record is not moved or freed;
/// every method relies on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record(pub(crate) *mut u8);

/// What is needed to write a record.
pub(crate) struct Draft<'a> {
    pub(crate) kind: Kind,
    pub(crate) codec: u8,
    pub(crate) flags: u8,
    pub(crate) key: &'a [u8],
    /// Inline value bytes; empty for a large value.
    pub(crate) value: &'a [u8],
    /// Length of the stored value (of the large one, too).
    pub(crate) value_len: u32,
    pub(crate) large: Option<&'a LargeValue>,
    pub(crate) expires_at: Option<u64>,
    pub(crate) idle_ttl_ms: Option<u64>,
    pub(crate) cost: u64,
    pub(crate) links: bool,
}

impl Draft<'_> {
    pub(crate) fn fields(&self) -> u8 {
        let mut fields = 0;
        if self.links {
            fields |= field::LINKS;
        }
        if self.expires_at.is_some() {
            fields |= field::EXPIRY;
        }
        if self.idle_ttl_ms.is_some() {
            fields |= field::IDLE;
        }
        if self.cost != 1 {
            fields |= field::COST;
        }
        if self.codec != 0 {
            fields |= field::EXTRA;
        }
        fields
    }

    /// Bytes of the record before rounding to the granule.
    pub(crate) fn bytes(&self) -> u32 {
        let body = match self.large {
            None => self.key.len() + self.value.len(),
            Some(_) if self.flags & flag::LONG_KEY != 0 => 8,
            Some(_) => self.key.len() + 8,
        };
        HEADER_BYTES + 8 * self.fields().count_ones() + body as u32
    }

    /// Writes the record. The large value's reference moves into it.
    ///
    /// # Safety
    /// `at` points to at least `self.bytes()` writable bytes that no live record uses, and neither the key nor the
    /// value overlaps them.
    pub(crate) unsafe fn write(&self, at: *mut u8, version: u64, now_ms: u64) -> Record {
        let fields = self.fields();
        let record = Record(at);
        // SAFETY: the caller provides room for all of it.
        unsafe {
            *at = self.kind as u8 | self.flags;
            *at.add(1) = fields;
            write_unaligned(at.add(2).cast::<u16>(), self.key.len() as u16);
            write_unaligned(at.add(4).cast::<u32>(), self.value_len);
            write_unaligned(at.add(8).cast::<u64>(), version);
            if self.links {
                record.set_field(field::LINKS, u64::MAX);
            }
            if let Some(expires_at) = self.expires_at {
                record.set_field(field::EXPIRY, expires_at);
            }
            if let Some(idle) = self.idle_ttl_ms {
                record.set_field(field::IDLE, Idle::new(idle, now_ms).0);
            }
            if self.cost != 1 {
                record.set_field(field::COST, self.cost);
            }
            if self.codec != 0 {
                record.set_field(field::EXTRA, u64::from(self.codec));
            }
            let mut body = at.add(record.body_offset());
            if self.flags & flag::LONG_KEY == 0 {
                copy_nonoverlapping(self.key.as_ptr(), body, self.key.len());
                body = body.add(self.key.len());
            }
            match self.large {
                None => copy_nonoverlapping(self.value.as_ptr(), body, self.value.len()),
                Some(large) => write_unaligned(body.cast::<*const LargeBytes>(), Arc::into_raw(Arc::clone(&large.0))),
            }
        }
        record
    }
}

impl Record {
    #[inline(always)]
    fn first(self) -> u8 {
        // SAFETY: see the type.
        unsafe { *self.0 }
    }

    #[inline(always)]
    pub(crate) fn is_filler(self) -> bool {
        self.first() & 0x0f == FILLER
    }

    #[inline(always)]
    pub(crate) fn has_flag(self, flag: u8) -> bool {
        self.first() & flag != 0
    }

    /// All flags.
    pub(crate) fn flags(self) -> u8 {
        self.first() & 0xf0
    }

    #[inline(always)]
    pub(crate) fn kind(self) -> Kind {
        kind_of(self.first())
    }

    #[inline(always)]
    pub(crate) fn fields(self) -> u8 {
        // SAFETY: see the type.
        unsafe { *self.0.add(1) }
    }

    #[inline(always)]
    pub(crate) fn has_field(self, bit: u8) -> bool {
        self.fields() & bit != 0
    }

    #[inline(always)]
    pub(crate) fn key_len(self) -> usize {
        // SAFETY: see the type.
        unsafe { read_unaligned(self.0.add(2).cast::<u16>()) as usize }
    }

    #[inline(always)]
    fn word(self) -> u32 {
        // SAFETY: see the type.
        unsafe { read_unaligned(self.0.add(4).cast::<u32>()) }
    }

    #[inline(always)]
    fn set_word(self, word: u32) {
        // SAFETY: see the type.
        unsafe { write_unaligned(self.0.add(4).cast::<u32>(), word) }
    }

    /// Length of the stored value, compressed if it is, wherever it lies.
    #[inline(always)]
    pub(crate) fn value_len(self) -> usize {
        (self.word() & LENGTH_MASK) as usize
    }

    /// Notes a new length of a value outside the record.
    pub(crate) fn set_value_len(self, len: u32) {
        debug_assert!(self.has_flag(flag::LARGE) && len <= LENGTH_MASK);
        self.set_word(self.word() & !LENGTH_MASK | len);
    }

    #[inline(always)]
    pub(crate) fn is_dead(self) -> bool {
        self.word() & DEAD != 0
    }

    pub(crate) fn set_dead(self) {
        self.set_word(self.word() | DEAD);
    }

    /// How often the record was used, up to [`MAX_USES`].
    #[inline(always)]
    pub(crate) fn uses(self) -> u32 {
        (self.word() & USES_MASK) >> USES_SHIFT
    }

    #[inline(always)]
    pub(crate) fn set_uses(self, uses: u32) {
        self.set_word(self.word() & !USES_MASK | uses << USES_SHIFT);
    }

    #[inline(always)]
    pub(crate) fn version(self) -> u64 {
        // SAFETY: see the type.
        unsafe { read_unaligned(self.0.add(8).cast::<u64>()) }
    }

    pub(crate) fn set_version(self, version: u64) {
        // SAFETY: see the type.
        unsafe { write_unaligned(self.0.add(8).cast::<u64>(), version) }
    }

    #[inline(always)]
    fn field_pointer(self, bit: u8) -> *mut u64 {
        let before = (self.fields() & (bit - 1)).count_ones();
        // SAFETY: the field is there.
        unsafe { self.0.add((HEADER_BYTES + 8 * before) as usize).cast() }
    }

    /// Value of an optional field that is there.
    #[inline(always)]
    pub(crate) fn field(self, bit: u8) -> u64 {
        // SAFETY: see `field_pointer`.
        unsafe { read_unaligned(self.field_pointer(bit)) }
    }

    /// Overwrites an optional field that is there.
    #[inline(always)]
    pub(crate) fn set_field(self, bit: u8, value: u64) {
        // SAFETY: see `field_pointer`.
        unsafe { write_unaligned(self.field_pointer(bit), value) }
    }

    #[inline(always)]
    fn body_offset(self) -> usize {
        (HEADER_BYTES + 8 * self.fields().count_ones()) as usize
    }

    /// The key, wherever it lies.
    #[inline(always)]
    pub(crate) fn key<'a>(self) -> &'a [u8] {
        if self.has_flag(flag::LONG_KEY) {
            let large: &'a LargeBytes = self.large();
            return &large.as_slice()[..self.key_len()];
        }
        // SAFETY: see the type.
        unsafe { std::slice::from_raw_parts(self.0.add(self.body_offset()), self.key_len()) }
    }

    /// The stored value inside the record; not for large values.
    #[inline(always)]
    pub(crate) fn inline_value<'a>(self) -> &'a [u8] {
        debug_assert!(!self.has_flag(flag::LARGE));
        // SAFETY: see the type.
        unsafe { std::slice::from_raw_parts(self.0.add(self.body_offset() + self.key_len()), self.value_len()) }
    }

    /// Overwrites the value of an integer record.
    pub(crate) fn set_integer(self, value: i64) {
        debug_assert!(self.kind() == Kind::Integer && self.value_len() == 8);
        // SAFETY: see the type; integers are inline and have eight bytes.
        unsafe { write_unaligned(self.0.add(self.body_offset() + self.key_len()).cast(), value.to_le_bytes()) }
    }

    fn large_pointer(self) -> *const LargeBytes {
        let key = if self.has_flag(flag::LONG_KEY) { 0 } else { self.key_len() };
        // SAFETY: see the type; `LARGE` records hold a pointer behind the inline key.
        unsafe { read_unaligned(self.0.add(self.body_offset() + key).cast()) }
    }

    fn large<'a>(self) -> &'a LargeBytes {
        // SAFETY: the record owns a reference, so the value is alive.
        unsafe { &*self.large_pointer() }
    }

    /// What the record's large value charges to the budget; 0 where it has none.
    pub(crate) fn large_charge(self) -> u64 {
        if self.has_flag(flag::LARGE) { self.large().charged() } else { 0 }
    }

    /// The table of a large collection, locked.
    pub(crate) fn table<'a>(self) -> Option<MappedMutexGuard<'a, Table>> {
        if !self.has_flag(flag::LARGE) {
            return None;
        }
        let large: &'a LargeBytes = self.large();
        large.table()
    }

    /// See [`LargeBytes::recharge`].
    pub(crate) fn recharge(self, table_charge: u64) {
        self.large().recharge(table_charge);
    }

    /// Another reference to the large value.
    pub(crate) fn clone_large(self) -> LargeValue {
        let pointer = self.large_pointer();
        // SAFETY: made by `Arc::into_raw` in `Draft::write`; the record's own reference stays.
        unsafe {
            Arc::increment_strong_count(pointer);
            LargeValue(Arc::from_raw(pointer), self.large_value_offset())
        }
    }

    /// Takes the record's reference to its large value out. The record must be dropped with it.
    pub(crate) fn take_large(self) -> LargeValue {
        // SAFETY: as in `clone_large`, and the caller drops the record.
        LargeValue(unsafe { Arc::from_raw(self.large_pointer()) }, self.large_value_offset())
    }

    fn large_value_offset(self) -> usize {
        if self.has_flag(flag::LONG_KEY) { self.key_len() } else { 0 }
    }

    /// Codec id.
    pub(crate) fn codec(self) -> u8 {
        if self.has_field(field::EXTRA) { self.field(field::EXTRA) as u8 } else { 0 }
    }

    #[inline(always)]
    pub(crate) fn cost(self) -> u64 {
        if self.has_field(field::COST) { self.field(field::COST) } else { 1 }
    }

    fn idle(self) -> Idle {
        Idle(self.field(field::IDLE))
    }

    /// Idle ttl in ms.
    pub(crate) fn idle_ttl_ms(self) -> Option<u64> {
        self.has_field(field::IDLE).then(|| self.idle().ttl_ms())
    }

    /// Milliseconds since the last use, where there is an idle ttl.
    pub(crate) fn idle_ms(self, now_ms: impl FnOnce() -> u64) -> Option<u64> {
        self.has_field(field::IDLE).then(|| {
            let now_ms = now_ms();
            (now_ms + self.idle().ttl_ms()).saturating_sub(self.idle().deadline(now_ms))
        })
    }

    /// Whether the record can expire at all.
    #[inline(always)]
    pub(crate) fn can_expire(self) -> bool {
        self.fields() & (field::EXPIRY | field::IDLE) != 0
    }

    /// When the record expires, in ms since the epoch: the sooner of its expiry and the end of its idle time.
    pub(crate) fn deadline(self, now_ms: u64) -> Option<u64> {
        let absolute = self.has_field(field::EXPIRY).then(|| self.field(field::EXPIRY)).filter(|&at| at != u64::MAX);
        let idle = self.has_field(field::IDLE).then(|| self.idle().deadline(now_ms));
        match (absolute, idle) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Restarts the idle time.
    pub(crate) fn restart_idle(self, now_ms: u64) {
        self.set_field(field::IDLE, self.idle().used_at(now_ms).0);
    }

    /// Bytes of the record or filler in the log, rounded up to `granule`.
    #[inline(always)]
    pub(crate) fn bytes(self, granule: u32) -> u32 {
        let raw = if self.is_filler() {
            // SAFETY: see the type; a filler has at least four bytes.
            unsafe { read_unaligned(self.0.cast::<u32>()) >> 8 }
        } else if !self.has_flag(flag::LARGE) {
            self.body_offset() as u32 + (self.key_len() + self.value_len()) as u32
        } else if self.has_flag(flag::LONG_KEY) {
            self.body_offset() as u32 + 8
        } else {
            self.body_offset() as u32 + self.key_len() as u32 + 8
        };
        round_up(raw, granule)
    }

    /// Copies the record to `at` with one optional field more. The reference to a large value moves with it.
    ///
    /// # Safety
    /// `at` points to enough writable bytes for the longer record that no live record uses.
    pub(crate) unsafe fn copy_with_field(self, at: *mut u8, bit: u8, value: u64) -> Record {
        debug_assert!(!self.has_field(bit));
        let before = (HEADER_BYTES + field::BYTES * (self.fields() & (bit - 1)).count_ones()) as usize;
        let copy = Record(at);
        // SAFETY: the caller provides the room; the source is a whole record.
        unsafe {
            copy_nonoverlapping(self.0, at, before);
            *at.add(1) |= bit;
            copy_nonoverlapping(self.0.add(before), at.add(before + 8), self.bytes(1) as usize - before);
        }
        copy.set_field(bit, value);
        copy
    }

    /// Marks `bytes` (a multiple of the granule) at `at` as unused.
    ///
    /// # Safety
    /// The bytes are writable, lie in one segment and belong to no live record.
    pub(crate) unsafe fn write_filler(at: *mut u8, bytes: u32) {
        debug_assert!(bytes >= 4);
        // SAFETY: the caller says so.
        unsafe { write_unaligned(at.cast::<u32>(), u32::from(FILLER) | bytes << 8) }
    }
}
