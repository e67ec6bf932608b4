//! What can end a replay.

use std::fmt;
use std::path::PathBuf;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Where in a trace something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Line of a text format, from 1.
    Line(u64),
    /// Offset into the decompressed bytes of a binary format, from 0.
    Byte(u64),
    /// Offset into the file itself, for what is wrong with its compression.
    FileByte(u64),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Byte(offset) => write!(f, "byte {offset}"),
            Self::FileByte(offset) => write!(f, "about byte {offset} of the file"),
        }
    }
}

/// Why a replay ended early. Every message is one line.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The system could not open or read the trace.
    File {
        /// The trace.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The trace is not what its format says, or it is cut off.
    Broken {
        /// The trace.
        path: PathBuf,
        /// Where.
        at: Position,
        /// What was found and what was expected.
        reason: String,
    },
    /// There is no request in the trace.
    Empty {
        /// The trace.
        path: PathBuf,
    },
    /// The embedded cache refused its options or an operation.
    Cache(tandem_engine::Error),
    /// The server could not be reached or answered something unexpected.
    Server {
        /// Its address as given.
        address: String,
        /// What happened.
        reason: String,
    },
    /// [`crate::Progress::cancel`] was called.
    Cancelled,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Broken { path, at, reason } => write!(f, "{}: {at}: {reason}", path.display()),
            Self::Empty { path } => write!(f, "{}: there are no requests in it", path.display()),
            Self::Cache(error) => write!(f, "{error}"),
            Self::Server { address, reason } => write!(f, "server {address}: {reason}"),
            Self::Cancelled => f.write_str("the replay was cancelled"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(source),
            Self::Cache(error) => Some(error),
            _ => None,
        }
    }
}

impl From<tandem_engine::Error> for Error {
    fn from(error: tandem_engine::Error) -> Self {
        Self::Cache(error)
    }
}
