//! The closed set of engine errors. Each has a stable code, the same on the wire and in TypeScript.

use std::fmt;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What an engine call can refuse. Nothing has been changed when one of these is returned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The key is longer than [`crate::MAX_KEY_BYTES`].
    KeyTooLong {
        /// Length of the offered key in bytes.
        bytes: usize,
    },
    /// Key and value, or the cost, exceed what the whole cache can hold.
    TooLarge {
        /// What was too large: `"value bytes"`, `"entry bytes"` or `"cost"`.
        what: &'static str,
        /// The offered size.
        size: u64,
        /// The largest allowed size.
        limit: u64,
    },
    /// A cost below 1.
    BadCost,
    /// The value is not a 64-bit integer, so it cannot be incremented.
    NotInteger,
    /// The increment would leave the 64-bit range.
    Overflow,
    /// The stored kind does not allow this operation (a hash where a string is needed).
    WrongKind,
    /// No room can be made right now: memory is pinned by replies being sent, or a waiter limit is reached.
    Overloaded {
        /// Which bound was met.
        what: &'static str,
    },
    /// An option is out of range.
    BadOption {
        /// Name of the option as in [`crate::Options`].
        option: &'static str,
        /// What was given and what is allowed.
        reason: String,
    },
    /// The operating system refused address space or memory.
    OutOfMemory {
        /// The system's words.
        reason: String,
    },
    /// The cache was closed.
    Closed,
    /// An upsert was overtaken by an unconditional write to its key.
    Preempted,
    /// A deadline passed.
    Timeout,
    /// `insert` found the key.
    KeyExists,
    /// `update` did not find the key.
    KeyMissing,
    /// The transform or loader holding the gate reported a failure.
    TransformFailed,
    /// A write came with a token that no longer holds the gate.
    Fenced,
    /// The waiter was cancelled.
    Cancelled,
}

impl Error {
    /// Stable machine-readable code, e.g. `"TooLarge"`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::KeyTooLong { .. } => "KeyTooLong",
            Error::TooLarge { .. } => "TooLarge",
            Error::BadCost => "BadCost",
            Error::NotInteger => "NotInteger",
            Error::Overflow => "Overflow",
            Error::WrongKind => "WrongKind",
            Error::Overloaded { .. } => "Overloaded",
            Error::BadOption { .. } => "BadOption",
            Error::OutOfMemory { .. } => "OutOfMemory",
            Error::Closed => "Closed",
            Error::Preempted => "Preempted",
            Error::Timeout => "Timeout",
            Error::KeyExists => "KeyExists",
            Error::KeyMissing => "KeyMissing",
            Error::TransformFailed => "TransformFailed",
            Error::Fenced => "Fenced",
            Error::Cancelled => "Cancelled",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::KeyTooLong { bytes } => {
                write!(f, "the key is {bytes} bytes long; at most {} are allowed", crate::MAX_KEY_BYTES)
            }
            Error::TooLarge { what, size, limit } => {
                write!(f, "{what} of {size} exceed the limit of {limit}; nothing was changed")
            }
            Error::BadCost => f.write_str("cost must be an integer of at least 1"),
            Error::NotInteger => f.write_str("value is not an integer or out of range"),
            Error::Overflow => f.write_str("increment or decrement would overflow"),
            Error::WrongKind => f.write_str("operation against a key holding the wrong kind of value"),
            Error::Overloaded { what } => write!(f, "overloaded: {what}; try again later"),
            Error::BadOption { option, reason } => write!(f, "option {option}: {reason}"),
            Error::OutOfMemory { reason } => write!(f, "the system refused memory: {reason}"),
            Error::Closed => f.write_str("the cache is closed"),
            Error::Preempted => f.write_str("overtaken by another write to this key"),
            Error::Timeout => f.write_str("the deadline passed"),
            Error::KeyExists => f.write_str("the key exists"),
            Error::KeyMissing => f.write_str("the key does not exist"),
            Error::TransformFailed => f.write_str("the transform or loader failed"),
            Error::Fenced => f.write_str("the token no longer holds this key"),
            Error::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Error {}
