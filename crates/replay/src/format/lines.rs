//! Lines of bounded length, with their numbers.

use std::io::{BufRead, Read};

use super::Stop;
use crate::Position;
use crate::source::Source;

/// Longest line that is accepted, in bytes; the longest key is half of it.
const MAX_LINE_BYTES: usize = 128 << 10;

pub(super) struct Lines {
    source: Source,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    pub(super) fn new(source: Source) -> Self {
        Self { source, line: Vec::new(), number: 0 }
    }

    /// The next line without its end, or `None` at the end of the trace.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Stop> {
        self.line.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        if (&mut self.source).take(limit).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.len() > MAX_LINE_BYTES {
            return Err(self.broken(format!("longer than {MAX_LINE_BYTES} bytes; is this a text trace?")));
        }
        Ok(Some(self.line.trim_ascii_end()))
    }

    pub(super) fn position(&self) -> Position {
        Position::Line(self.number)
    }

    pub(super) fn broken(&self, reason: String) -> Stop {
        Stop::Broken(self.position(), reason)
    }
}

/// A piece of the trace as it may stand in a message: short, on one line, without control characters.
pub(super) fn quoted(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let shown = bytes[..bytes.len().min(SHOWN)].escape_ascii();
    let more = if bytes.len() > SHOWN { "..." } else { "" };
    format!("'{shown}{more}'")
}

/// A decimal number, or the reason why it is none.
pub(super) fn number(bytes: &[u8], what: &str) -> Result<u64, String> {
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("{} is no {what}: expected a number from 0 to 2^64 - 1", quoted(bytes)))
}

/// The fields of a line that are separated by blanks.
pub(super) fn fields<const N: usize>(line: &[u8]) -> Result<[&[u8]; N], String> {
    let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let mut found = [&line[..0]; N];
    for (index, slot) in found.iter_mut().enumerate() {
        *slot = fields.next().ok_or_else(|| format!("{index} fields where {N} are needed: {}", quoted(line)))?;
    }
    match fields.next() {
        None => Ok(found),
        Some(_) => Err(format!("more than {N} fields: {}", quoted(line))),
    }
}
