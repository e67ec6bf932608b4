//! The request parser: incremental, and straight on the read buffer.

use std::fmt;
use std::ops::Index;

use crate::inline;
use crate::number::parse_i64;

/// Longest line with a count or a length in it, and longest inline command, as in Redis.
const DEFAULT_LINE_BYTES: usize = 64 << 10;

/// What a request may cost at most. Whatever a client announces, memory grows only with what it has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Arguments of one request, its name included.
    pub args: usize,
    /// Bytes of one argument.
    pub bulk_bytes: usize,
    /// Bytes of an inline command, and of a line that holds a count or a length.
    pub line_bytes: usize,
    /// Bytes of one request with everything in it; at most 4 GiB.
    pub request_bytes: usize,
    /// Whether the limits are so narrow because the client has not said the password: it is told so.
    pub unauthenticated: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            args: 1 << 20,
            bulk_bytes: 64 << 20,
            line_bytes: DEFAULT_LINE_BYTES,
            request_bytes: 256 << 20,
            unauthenticated: false,
        }
    }
}

/// Where an argument lies. 32 bits suffice: a request has at most 4 GiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    pub(crate) fn new(start: usize, len: usize) -> Self {
        Self { start: start as u32, len: len as u32 }
    }

    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..][..self.len as usize]
    }
}

/// The arguments of one request, its name first. Borrowed from the read buffer.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// Number of arguments, the name included; 0 for an empty line.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the request was an empty line or an empty array, which gets no answer.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The arguments from number `first` on.
    pub fn skip(&self, first: usize) -> Args<'a> {
        Args { bytes: self.bytes, spans: self.spans.get(first..).unwrap_or(&[]) }
    }

    /// All arguments in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let bytes = self.bytes;
        self.spans.iter().map(move |span| span.of(bytes))
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    /// Argument number `index`; 0 is the name.
    fn index(&self, index: usize) -> &[u8] {
        self.spans[index].of(self.bytes)
    }
}

/// How far [`RequestParser::parse`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// One request is complete and took this many bytes off the front of the buffer.
    Complete {
        /// Bytes of the request.
        consumed: usize,
    },
    /// More bytes are needed: at least so many in all. The parser remembers how far it came.
    Incomplete {
        /// Least length of the buffer at which another call can make progress.
        needed: usize,
    },
}

/// A request that cannot be understood. The connection is answered with it and closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolError {
    /// The line with the number of arguments does not end.
    CountLineTooLong,
    /// The number of arguments is not an integer or too large.
    BadCount,
    /// The line with the length of an argument does not end.
    LengthLineTooLong,
    /// Something other than `$` where an argument should begin.
    ExpectedBulk(u8),
    /// The length of an argument is not an integer, negative or too large.
    BadLength,
    /// An inline command does not end.
    InlineTooLong,
    /// An inline command with an open quote.
    UnbalancedQuotes,
    /// More arguments than a client may send that has not said the password.
    TooManyUnauthenticated,
    /// A longer argument than a client may send that has not said the password.
    TooLongUnauthenticated,
    /// All arguments together exceed [`Limits::request_bytes`].
    RequestTooLong,
}

impl fmt::Display for ProtocolError {
    /// In Redis' words, without the leading `ERR`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        match self {
            Self::CountLineTooLong => f.write_str("too big mbulk count string"),
            Self::BadCount => f.write_str("invalid multibulk length"),
            Self::LengthLineTooLong => f.write_str("too big bulk count string"),
            Self::ExpectedBulk(byte) => write!(f, "expected '$', got '{}'", *byte as char),
            Self::BadLength => f.write_str("invalid bulk length"),
            Self::InlineTooLong => f.write_str("too big inline request"),
            Self::UnbalancedQuotes => f.write_str("unbalanced quotes in request"),
            Self::TooManyUnauthenticated => f.write_str("unauthenticated multibulk length"),
            Self::TooLongUnauthenticated => f.write_str("unauthenticated bulk length"),
            Self::RequestTooLong => f.write_str("request too long"),
        }
    }
}

impl std::error::Error for ProtocolError {}

impl ProtocolError {
    /// Appends the error as a reply. The byte that was found instead of `$` is shown as it is, be it text or not.
    pub fn reply(&self, out: &mut Vec<u8>) {
        crate::reply::error(out, format_args!("ERR {self}"));
        if let Self::ExpectedBulk(byte @ 0x80..) = self {
            let shown = char::from(*byte).len_utf8();
            let end = out.len() - "'\r\n".len();
            out.splice(end - shown..end, [*byte]);
        }
    }
}

/// Parses one request after the other from the front of a buffer.
///
/// The caller hands in the same bytes again, with more at the end, until a request is complete; then it reads
/// [`RequestParser::args`], drops the consumed bytes and goes on. Work already done is not repeated, so a request
/// costs time in proportion to its length however it is cut into packets.
#[derive(Debug, Default)]
pub struct RequestParser {
    spans: Vec<Span>,
    /// The words of an inline command with escapes resolved; they cannot be slices of the read buffer.
    words: Vec<u8>,
    inline: bool,
    /// Bytes of the current request that are understood.
    position: usize,
    /// Arguments of the current request still to come; 0 between requests.
    missing: usize,
    /// Length of the argument whose header has been read.
    bulk: Option<usize>,
}

/// A line with a number in it: the number (`None` if it is none) and where the next line begins.
type NumberLine = (Option<i64>, usize);

impl RequestParser {
    /// Parses on from where the last call stopped. `buffer` begins with the first byte of the current request.
    ///
    /// # Errors
    /// [`ProtocolError`]; after one the stream cannot be followed any further.
    #[inline]
    pub fn parse(&mut self, buffer: &[u8], limits: &Limits) -> Result<Progress, ProtocolError> {
        if self.missing == 0 {
            self.spans.clear();
            self.inline = false;
            match buffer.first() {
                None => return Ok(Progress::Incomplete { needed: 1 }),
                Some(b'*') => {}
                Some(_) => return self.parse_inline(buffer, limits),
            }
            let Some((count, next)) = number_line(buffer, 1, limits.line_bytes, ProtocolError::CountLineTooLong)?
            else {
                return Ok(Progress::Incomplete { needed: buffer.len() + 1 });
            };
            let count = count.ok_or(ProtocolError::BadCount)?;
            if count > limits.args as i64 {
                let known = !limits.unauthenticated || count > Limits::default().args as i64;
                return Err(if known { ProtocolError::BadCount } else { ProtocolError::TooManyUnauthenticated });
            }
            if count <= 0 {
                return Ok(Progress::Complete { consumed: next });
            }
            self.missing = count as usize;
            self.position = next;
        }
        self.parse_bulks(buffer, limits)
    }

    /// The arguments of the request that [`RequestParser::parse`] has just completed in `buffer`.
    #[inline]
    pub fn args<'a>(&'a self, buffer: &'a [u8]) -> Args<'a> {
        Args { bytes: if self.inline { &self.words } else { buffer }, spans: &self.spans }
    }

    /// Forgets the request that is not complete; the next call begins with a new one.
    pub fn reset(&mut self) {
        self.missing = 0;
        self.bulk = None;
        self.trim();
    }

    /// Gives memory back that only an unusually large request needed; does nothing while one is not complete.
    pub fn trim(&mut self) {
        const KEEP: usize = 1024;
        if self.missing > 0 {
            return;
        }
        if self.spans.capacity() > KEEP {
            self.spans = Vec::new();
        }
        if self.words.capacity() > KEEP {
            self.words = Vec::new();
        }
    }

    fn parse_bulks(&mut self, buffer: &[u8], limits: &Limits) -> Result<Progress, ProtocolError> {
        while self.missing > 0 {
            let len = match self.bulk {
                Some(len) => len,
                None => {
                    let line =
                        number_line(buffer, self.position + 1, limits.line_bytes, ProtocolError::LengthLineTooLong)?;
                    let Some((len, next)) = line else {
                        return Ok(Progress::Incomplete { needed: buffer.len() + 1 });
                    };
                    if buffer[self.position] != b'$' {
                        return Err(ProtocolError::ExpectedBulk(buffer[self.position]));
                    }
                    let len = len.filter(|&len| len >= 0).ok_or(ProtocolError::BadLength)?;
                    if len > limits.bulk_bytes as i64 {
                        let known = !limits.unauthenticated || len > Limits::default().bulk_bytes as i64;
                        return Err(if known {
                            ProtocolError::BadLength
                        } else {
                            ProtocolError::TooLongUnauthenticated
                        });
                    }
                    let len = len as usize;
                    if next + len + 2 > limits.request_bytes {
                        return Err(ProtocolError::RequestTooLong);
                    }
                    self.position = next;
                    len
                }
            };
            // The two bytes behind an argument are skipped unseen, as Redis does.
            let end = self.position + len + 2;
            if buffer.len() < end {
                self.bulk = Some(len);
                return Ok(Progress::Incomplete { needed: end });
            }
            self.bulk = None;
            self.spans.push(Span::new(self.position, len));
            self.position = end;
            self.missing -= 1;
        }
        Ok(Progress::Complete { consumed: self.position })
    }

    fn parse_inline(&mut self, buffer: &[u8], limits: &Limits) -> Result<Progress, ProtocolError> {
        let window = &buffer[..buffer.len().min(limits.line_bytes + 1)];
        let Some(newline) = window.iter().position(|&byte| byte == b'\n') else {
            if buffer.len() > limits.line_bytes {
                return Err(ProtocolError::InlineTooLong);
            }
            return Ok(Progress::Incomplete { needed: buffer.len() + 1 });
        };
        let line = buffer[..newline].strip_suffix(b"\r").unwrap_or(&buffer[..newline]);
        self.inline = true;
        self.words.clear();
        inline::split(line, &mut self.words, &mut self.spans).ok_or(ProtocolError::UnbalancedQuotes)?;
        Ok(Progress::Complete { consumed: newline + 1 })
    }
}

/// Reads the number that begins at `start` and ends with CR LF. `None`: the line is not all there.
#[inline]
fn number_line(
    buffer: &[u8],
    start: usize,
    limit: usize,
    too_long: ProtocolError,
) -> Result<Option<NumberLine>, ProtocolError> {
    // Nearly every number here has a few digits and no surprise in it.
    let mut number: i64 = 0;
    let mut at = start;
    while let Some(&byte) = buffer.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 || at - start == 18 {
            break;
        }
        number = number * 10 + i64::from(digit);
        at += 1;
    }
    let canonical = at > start && (buffer[start] != b'0' || at == start + 1);
    if canonical && at + 1 < buffer.len() && buffer[at] == b'\r' {
        return Ok(Some((Some(number), at + 2)));
    }
    odd_number_line(buffer, start, limit, too_long)
}

/// The rest of [`number_line`]: signs, garbage, and lines that are not complete.
#[cold]
fn odd_number_line(
    buffer: &[u8],
    start: usize,
    limit: usize,
    too_long: ProtocolError,
) -> Result<Option<NumberLine>, ProtocolError> {
    let rest = buffer.get(start..).unwrap_or(&[]);
    let window = &rest[..rest.len().min(limit + 1)];
    match window.iter().position(|&byte| byte == b'\r') {
        None if rest.len() > limit => Err(too_long),
        None => Ok(None),
        Some(end) if end + 1 >= rest.len() => Ok(None),
        Some(end) => Ok(Some((parse_i64(&rest[..end]), start + end + 2))),
    }
}

#[cfg(test)]
mod tests;
