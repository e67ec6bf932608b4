//! Why a run failed.

use std::fmt;

/// Outcome of what can fail here.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a run failed.
#[derive(Debug)]
pub enum Error {
    /// A part of the plan is out of range.
    BadPlan {
        /// Name of the field of [`crate::Plan`].
        option: &'static str,
        /// What was given and what is allowed.
        reason: String,
    },
    /// A server cannot be reached, closed a connection, or answers something that is not RESP.
    Server {
        /// Name of the server in the plan.
        name: String,
        /// What happened.
        reason: String,
    },
    /// [`crate::Progress::cancel`] was called.
    Cancelled,
}

impl Error {
    pub(crate) fn server(name: &str, reason: impl fmt::Display) -> Self {
        Self::Server { name: name.to_owned(), reason: reason.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadPlan { option, reason } => write!(f, "option {option}: {reason}"),
            Self::Server { name, reason } => write!(f, "server {name}: {reason}"),
            Self::Cancelled => f.write_str("the run was cancelled"),
        }
    }
}

impl std::error::Error for Error {}
