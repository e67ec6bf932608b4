//! Text formats: LIRS, ARC, AdaptSize.

use super::lines::{Lines, fields, number, quoted};
use super::{Operation, Parse, Request, Stop, checked_size};
use crate::source::Source;

/// One key a line.
pub(super) struct Lirs(Lines);

impl Lirs {
    pub(super) fn new(source: Source) -> Self {
        Self(Lines::new(source))
    }
}

impl Parse for Lirs {
    fn next(&mut self, request: &mut Request) -> Result<bool, Stop> {
        loop {
            let Some(line) = self.0.next()? else { return Ok(false) };
            let line = line.trim_ascii_start();
            if line.is_empty() || line[0] == b'*' {
                continue;
            }
            let key = number(line, "key").map_err(|reason| self.0.broken(reason))?;
            request.operation = Operation::Get;
            request.size = None;
            request.set_number(key);
            return Ok(true);
        }
    }
}

/// Most blocks one line may ask for; real traces stay below a thousand.
const MAX_BLOCKS_A_LINE: u64 = 1 << 20;

/// `first-block count ignored request-number`, each line a run of blocks.
pub(super) struct Arc {
    lines: Lines,
    next_block: u64,
    blocks_left: u64,
}

impl Arc {
    pub(super) fn new(source: Source) -> Self {
        Self { lines: Lines::new(source), next_block: 0, blocks_left: 0 }
    }

    fn parse(line: &[u8]) -> Result<(u64, u64), String> {
        let [first, count, _, _] = fields::<4>(line)?;
        let (first, count) = (number(first, "block number")?, number(count, "block count")?);
        if count > MAX_BLOCKS_A_LINE || first.checked_add(count).is_none() {
            return Err(format!("{count} blocks from {first} on are too many; at most {MAX_BLOCKS_A_LINE} a line"));
        }
        Ok((first, count))
    }
}

impl Parse for Arc {
    fn next(&mut self, request: &mut Request) -> Result<bool, Stop> {
        while self.blocks_left == 0 {
            let Some(line) = self.lines.next()? else { return Ok(false) };
            if line.is_empty() {
                continue;
            }
            match Self::parse(line) {
                Ok((first, count)) => (self.next_block, self.blocks_left) = (first, count),
                Err(reason) => return Err(self.lines.broken(reason)),
            }
        }
        request.operation = Operation::Get;
        request.size = None;
        request.set_number(self.next_block);
        self.next_block += 1;
        self.blocks_left -= 1;
        Ok(true)
    }
}

/// `time key size`.
pub(super) struct Adaptsize(Lines);

impl Adaptsize {
    pub(super) fn new(source: Source) -> Self {
        Self(Lines::new(source))
    }

    fn parse(line: &[u8]) -> Result<(u64, u64), String> {
        let [time, key, size] = fields::<3>(line)?;
        // Times may have a fraction; only what is no number at all is wrong.
        if std::str::from_utf8(time).ok().and_then(|time| time.parse::<f64>().ok()).is_none() {
            return Err(format!("{} is no time", quoted(time)));
        }
        Ok((number(key, "key")?, number(size, "size")?))
    }
}

impl Parse for Adaptsize {
    fn next(&mut self, request: &mut Request) -> Result<bool, Stop> {
        loop {
            let Some(line) = self.0.next()? else { return Ok(false) };
            if line.is_empty() {
                continue;
            }
            let (key, size) = Self::parse(line).map_err(|reason| self.0.broken(reason))?;
            request.operation = Operation::Get;
            request.size = Some(checked_size(size, self.0.position())?);
            request.set_number(key);
            return Ok(true);
        }
    }
}
