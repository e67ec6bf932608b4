//! Replies that wait to be sent.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use tandem_engine::{Found, Kind, LargeValue};
use tandem_wire::reply;

/// The answer to a command that wants another kind of value than is stored.
pub(crate) const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
/// Room that is there before a value is copied under a shard lock: the largest value the engine copies, and its frame.
const VALUE_ROOM: usize = (64 << 10) + 64;
/// A buffer that grew beyond this is given back once it has been sent.
const KEEP_BYTES: usize = 256 << 10;
/// Sent bytes in front of a backlog are dropped when there are at least so many.
const COMPACT_BYTES: usize = 64 << 10;
/// Pieces of one gathered write.
const PIECES: usize = 32;

/// A buffer of replies. Large values are not copied into it but held by reference, and sent from where they are.
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    /// Large values, each with the position in `bytes` in front of which it belongs; in order.
    large: VecDeque<(usize, LargeValue)>,
    large_bytes: usize,
    /// How much of `bytes` has been sent.
    sent: usize,
    /// How much of the first large value has been sent; it is its turn when `sent` is at its position.
    sent_of_large: usize,
}

/// Where an output was, to get back there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    bytes: usize,
    large: usize,
}

impl Output {
    /// Bytes that wait to be sent.
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.sent + self.large_bytes - self.sent_of_large
    }

    /// Bytes that are still to be sent without large values, which lie in the cache.
    pub fn copied(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Memory held here; large values belong to the cache and count there.
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.large.capacity() * size_of::<(usize, LargeValue)>()
    }

    /// The end of the buffer, for the writers of `tandem_wire::reply`.
    #[inline]
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Makes room for one value, so that [`Output::value`] under a shard lock needs no allocation.
    #[inline]
    pub fn reserve_value(&mut self) {
        self.bytes.reserve(VALUE_ROOM);
    }

    /// Writes a value as a string, or says that it is none.
    #[inline]
    pub fn value(&mut self, found: &Found<'_>) {
        match (found.kind, found.shared) {
            (Kind::Integer, _) => reply::bulk_integer(&mut self.bytes, found.integer().unwrap_or_default()),
            (Kind::Hash | Kind::Set, _) => reply::error(&mut self.bytes, WRONG_TYPE),
            (_, None) => reply::bulk(&mut self.bytes, found.bytes),
            (_, Some(large)) => {
                reply::bulk_header(&mut self.bytes, large.len());
                self.large.push_back((self.bytes.len(), large.clone()));
                self.large_bytes += large.len();
                reply::end_line(&mut self.bytes);
            }
        }
    }

    /// Writes the bytes of a value and nothing else; false if it is no string.
    pub fn plain_value(&mut self, found: &Found<'_>) -> bool {
        match (found.kind, found.shared) {
            (Kind::Hash | Kind::Set, _) => return false,
            (Kind::Integer, _) => {
                let integer = found.integer().unwrap_or_default();
                write!(self.bytes, "{integer}").expect("writing to a Vec does not fail");
            }
            (_, None) => self.bytes.extend_from_slice(found.bytes),
            (_, Some(large)) => {
                self.large.push_back((self.bytes.len(), large.clone()));
                self.large_bytes += large.len();
            }
        }
        true
    }

    /// Whether there is a line break in what was written since `mark`.
    pub fn has_line_break(&self, mark: Mark) -> bool {
        let has = |bytes: &[u8]| memchr::memchr(b'\n', bytes).is_some();
        has(&self.bytes[mark.bytes..]) || self.large.iter().skip(mark.large).any(|(_, large)| has(large))
    }

    /// Adds everything that `other` holds; nothing of it may have been sent.
    pub fn append(&mut self, mut other: Output) {
        let offset = self.bytes.len();
        self.bytes.append(&mut other.bytes);
        self.large.extend(other.large.drain(..).map(|(position, large)| (position + offset, large)));
        self.large_bytes += other.large_bytes;
    }

    /// The present end.
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), large: self.large.len() }
    }

    /// Length of everything but large values, sent or not: where the next reply begins.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the reply that begins at `start` is an error.
    #[inline]
    pub fn is_error_at(&self, start: usize) -> bool {
        self.bytes.get(start) == Some(&b'-')
    }

    /// Whether what begins at `start` consists of several parts.
    pub fn is_frame_at(&self, start: usize) -> bool {
        matches!(self.bytes.get(start), Some(b'*' | b'>'))
    }

    /// The reply that begins at `start`, without its sign, if it is an error.
    pub fn error_at(&self, start: usize) -> Option<&[u8]> {
        self.bytes.get(start..)?.strip_prefix(b"-")
    }

    /// Takes back everything written since `mark`; nothing of it may have been sent.
    pub fn rewind(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        while self.large.len() > mark.large {
            self.large_bytes -= self.large.pop_back().map_or(0, |(_, large)| large.len());
        }
    }

    /// Sends as much as the peer takes. `Ok(true)`: all is sent and the buffer empty again.
    pub fn send(&mut self, stream: &mut impl Write) -> io::Result<bool> {
        while self.pending() > 0 {
            let wrote = if self.large.is_empty() {
                stream.write(&self.bytes[self.sent..])
            } else {
                let mut pieces = [IoSlice::new(&[]); PIECES];
                let count = self.pieces(&mut pieces);
                stream.write_vectored(&pieces[..count])
            };
            match wrote {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.compact();
                    return Ok(false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        if self.bytes.capacity() > KEEP_BYTES {
            self.bytes = Vec::new();
        }
        Ok(true)
    }

    /// Lists what is to be sent next, in order.
    fn pieces<'a>(&'a self, pieces: &mut [IoSlice<'a>; PIECES]) -> usize {
        let (mut count, mut at, mut skip) = (0, self.sent, self.sent_of_large);
        for (position, large) in self.large.iter().take(PIECES / 2 - 1) {
            if *position > at {
                pieces[count] = IoSlice::new(&self.bytes[at..*position]);
                count += 1;
                at = *position;
            }
            pieces[count] = IoSlice::new(&large[skip..]);
            count += 1;
            skip = 0;
        }
        let end = self.large.get(PIECES / 2 - 1).map_or(self.bytes.len(), |(position, _)| *position);
        if end > at {
            pieces[count] = IoSlice::new(&self.bytes[at..end]);
            count += 1;
        }
        count
    }

    /// Notes that `count` more bytes have been sent.
    fn advance(&mut self, mut count: usize) {
        while let Some((position, large)) = self.large.front() {
            let plain = (position - self.sent).min(count);
            self.sent += plain;
            count -= plain;
            if self.sent < *position {
                return;
            }
            let rest = large.len() - self.sent_of_large;
            if count < rest {
                self.sent_of_large += count;
                return;
            }
            count -= rest;
            self.large_bytes -= large.len();
            self.sent_of_large = 0;
            self.large.pop_front();
        }
        self.sent += count;
    }

    /// Drops the part that has been sent, so that a slow reader's backlog does not grow at its front.
    fn compact(&mut self) {
        if self.sent >= COMPACT_BYTES && self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            for (position, _) in &mut self.large {
                *position -= self.sent;
            }
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests;
