//! The double-bar text protocol.
//!
//! ```text
//!  get||KEY           0||VALUE          1||...  the request cannot be parsed
//!  set||KEY||VALUE    0||               2||...  there is no such key
//!  del||KEY           0||               3||...  there is no such command
//!  auth||PASSWORD     0||               4||...  anything else
//!  exit, end          (closes)
//! ```
//!
//! A key holds no `||`; a value is everything behind the second one. Commands may be in any case.

use memchr::{memchr, memmem};

/// What separates a command, a key and a value.
pub const SEPARATOR: &[u8] = b"||";
/// Letters at the beginning of a connection that may still become a command of this protocol.
const LONGEST_WORD: usize = 32;

/// What one request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFraming {
    /// A line; a carriage return at its end does not belong to it.
    Line,
    /// What one read delivers, line breaks included.
    Message,
}

/// What the first bytes of a connection say about its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Nothing yet: more bytes are needed.
    Undecided,
    /// RESP, inline commands included.
    Resp,
    /// This protocol.
    Text,
    /// A web page that was tricked into talking to a cache: nothing of it may be run.
    Web,
}

/// Recognises the protocol by the first bytes of a connection: letters and `||`, or nothing but `exit` or `end`, is
/// this protocol.
pub fn recognise(bytes: &[u8], framing: TextFraming) -> Opening {
    let letters = bytes.iter().take(LONGEST_WORD + 1).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, rest) = bytes.split_at(letters);
    match rest {
        _ if is_web(bytes) => Opening::Web,
        [] | [b'\r'] if is_exit(word) && framing == TextFraming::Message => Opening::Text,
        [] if letters <= LONGEST_WORD => Opening::Undecided,
        [b'|'] if letters > 0 => Opening::Undecided,
        [b'|', b'|', ..] if letters > 0 => Opening::Text,
        [b'\r'] if is_exit(word) => Opening::Undecided,
        [b'\n', ..] | [b'\r', b'\n', ..] if is_exit(word) => Opening::Text,
        _ => Opening::Resp,
    }
}

fn is_web(line: &[u8]) -> bool {
    [b"POST ", b"Host:"]
        .iter()
        .any(|start| line.get(..start.len()).is_some_and(|line| line.eq_ignore_ascii_case(*start)))
}

fn is_exit(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"exit") || word.eq_ignore_ascii_case(b"end")
}

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextRequest<'a> {
    /// The value of a key is asked for.
    Get {
        /// The key.
        key: &'a [u8],
    },
    /// A value is to be stored.
    Set {
        /// The key.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
    /// A key is to be deleted.
    Delete {
        /// The key.
        key: &'a [u8],
    },
    /// The client says the password.
    Auth {
        /// What it takes for the password.
        password: &'a [u8],
    },
    /// The client wants the connection to be closed.
    Exit,
    /// A line of a web request: the connection is to be closed without an answer.
    Web,
}

/// A request that is none; the connection goes on behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextError {
    /// It is not of the form that its command has.
    Malformed(&'static str),
    /// There is no such command.
    Unknown,
    /// It is longer than allowed.
    TooLong {
        /// What is allowed, in bytes.
        limit: usize,
    },
}

/// One step of [`TextParser::next`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextStep<'a> {
    /// Bytes that are done with.
    pub consumed: usize,
    /// What they came to. `None`: nothing; where nothing was consumed either, more bytes are needed.
    pub request: Option<Result<TextRequest<'a>, TextError>>,
}

impl TextStep<'_> {
    const INCOMPLETE: Self = TextStep { consumed: 0, request: None };
}

/// Cuts what a client sends into requests. Remembers how far it has looked, so that a long line which comes in pieces is
/// looked through once.
#[derive(Debug, Default)]
pub struct TextParser {
    /// Bytes of the present line that hold no line break.
    scanned: usize,
    /// The rest of the present line is dropped: it was too long.
    skips: bool,
}

impl TextParser {
    /// Takes one request off the front of `buffer`, which begins where the last call stopped consuming. A request has at
    /// most `limit` bytes, its line break not counted. Never allocates.
    pub fn next<'a>(&mut self, buffer: &'a [u8], framing: TextFraming, limit: usize) -> TextStep<'a> {
        if framing == TextFraming::Message {
            if buffer.is_empty() {
                return TextStep::INCOMPLETE;
            }
            let long = buffer.len() > limit;
            let request = if long { Err(TextError::TooLong { limit }) } else { parse(buffer) };
            return TextStep { consumed: buffer.len(), request: Some(request) };
        }
        let Some(newline) = memchr(b'\n', &buffer[self.scanned..]).map(|at| at + self.scanned) else {
            if self.skips {
                return TextStep { consumed: buffer.len(), request: None };
            }
            // One more may be the carriage return in front of the line break.
            if buffer.len() > limit + 1 {
                *self = Self { scanned: 0, skips: true };
                return TextStep { consumed: buffer.len(), request: Some(Err(TextError::TooLong { limit })) };
            }
            self.scanned = buffer.len();
            return TextStep::INCOMPLETE;
        };
        self.scanned = 0;
        let line = buffer[..newline].strip_suffix(b"\r").unwrap_or(&buffer[..newline]);
        let request = if std::mem::take(&mut self.skips) {
            None
        } else if line.len() > limit {
            Some(Err(TextError::TooLong { limit }))
        } else {
            Some(parse(line))
        };
        TextStep { consumed: newline + 1, request }
    }
}

/// Understands one request.
fn parse(request: &[u8]) -> Result<TextRequest<'_>, TextError> {
    if is_web(request) {
        return Ok(TextRequest::Web);
    }
    let Some((word, rest)) = split(request) else {
        // Nothing follows these; in a message, what a person has typed ends with a line break all the same.
        let word = request.strip_suffix(b"\n").unwrap_or(request);
        let word = word.strip_suffix(b"\r").unwrap_or(word);
        return if is_exit(word) { Ok(TextRequest::Exit) } else { Err(TextError::Malformed("there is no || in it")) };
    };
    if word.is_empty() || !word.iter().all(u8::is_ascii_alphabetic) {
        return Err(TextError::Malformed("it does not begin with a command and ||"));
    }
    let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
    if is(b"get") {
        key(rest).map(|key| TextRequest::Get { key })
    } else if is(b"set") {
        let (key, value) = split(rest).ok_or(TextError::Malformed("there is no || between key and value"))?;
        Ok(TextRequest::Set { key, value })
    } else if is(b"del") {
        key(rest).map(|key| TextRequest::Delete { key })
    } else if is(b"auth") {
        Ok(TextRequest::Auth { password: rest })
    } else if is_exit(word) {
        Err(TextError::Malformed("nothing may follow this command"))
    } else {
        Err(TextError::Unknown)
    }
}

/// What is before and what is behind the first separator.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memmem::find(bytes, SEPARATOR)?;
    Some((&bytes[..at], &bytes[at + SEPARATOR.len()..]))
}

fn key(rest: &[u8]) -> Result<&[u8], TextError> {
    if split(rest).is_some() { Err(TextError::Malformed("a key holds no ||")) } else { Ok(rest) }
}

#[cfg(test)]
mod tests;
