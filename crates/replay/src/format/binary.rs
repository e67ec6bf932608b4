//! Binary formats: records of a fixed length.

use std::io::Read;

use super::{Operation, Parse, Request, Stop, checked_size};
use crate::Position;
use crate::source::Source;

/// Records of `N` bytes, with their offsets.
struct Records<const N: usize> {
    source: Source,
    record: [u8; N],
    /// Offset of the record after `record`.
    offset: u64,
}

impl<const N: usize> Records<N> {
    fn new(source: Source) -> Self {
        Self { source, record: [0; N], offset: 0 }
    }

    /// Reads the next record; false at the end of the trace, which must be the end of a record.
    fn next(&mut self) -> Result<bool, Stop> {
        let mut filled = 0;
        while filled < N {
            match self.source.read(&mut self.record[filled..])? {
                0 if filled == 0 => return Ok(false),
                0 => {
                    let reason = format!("the trace is cut off: {filled} bytes of a record of {N}");
                    return Err(Stop::Broken(Position::Byte(self.offset), reason));
                }
                read => filled += read,
            }
        }
        self.offset += N as u64;
        Ok(true)
    }

    /// Where the current record begins.
    fn position(&self) -> Position {
        Position::Byte(self.offset - N as u64)
    }
}

/// Big-endian keys of `N` bytes and nothing else.
pub(super) struct Keys<const N: usize>(Records<N>);

impl<const N: usize> Keys<N> {
    pub(super) fn new(source: Source) -> Self {
        Self(Records::new(source))
    }
}

impl<const N: usize> Parse for Keys<N> {
    fn next(&mut self, request: &mut Request) -> Result<bool, Stop> {
        if !self.0.next()? {
            return Ok(false);
        }
        request.operation = Operation::Get;
        request.size = None;
        request.set_number(self.0.record.iter().fold(0, |key, &byte| key << 8 | u64::from(byte)));
        Ok(true)
    }
}

/// u32 time, u64 key, u32 size, i64 position of the next access (-1 for none), little endian.
pub(super) struct OracleGeneral(Records<24>);

impl OracleGeneral {
    pub(super) fn new(source: Source) -> Self {
        Self(Records::new(source))
    }
}

impl Parse for OracleGeneral {
    fn next(&mut self, request: &mut Request) -> Result<bool, Stop> {
        if !self.0.next()? {
            return Ok(false);
        }
        let record = &self.0.record;
        let key = u64::from_le_bytes(record[4..12].try_into().expect("eight bytes"));
        let size = u32::from_le_bytes(record[12..16].try_into().expect("four bytes"));
        request.operation = Operation::Get;
        request.size = Some(checked_size(u64::from(size), self.0.position())?);
        request.set_number(key);
        Ok(true)
    }
}
