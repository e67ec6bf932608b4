//! The trace formats, one parser each.

mod binary;
mod csv;
mod lines;
mod text;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::source::{self, Source};
use crate::{Error, Position, Progress, Result};

/// Largest object size a trace may name, in bytes: what a cache can hold at most.
pub const MAX_OBJECT_BYTES: u64 = tandem_engine::MAX_VALUE_BYTES;

/// A trace format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text, one number a line; lines that begin with `*` are ignored (traces of the LIRS authors).
    Lirs,
    /// Text, `first-block count ignored request-number`; a line asks for `count` blocks (traces of the ARC authors).
    Arc,
    /// Big-endian 32-bit keys (traces of cache2k).
    Cache2k,
    /// Big-endian 64-bit keys (trace of Corda's vault service).
    Corda,
    /// Text, `time key size`.
    Adaptsize,
    /// Little-endian records of 24 bytes: u32 time, u64 key, u32 size, i64 next access (libCacheSim).
    OracleGeneral,
    /// `time,key,size`, or any columns named in a header line; comma, tab, semicolon or space.
    Csv,
}

impl Format {
    /// Every format with its name.
    pub const ALL: [(&'static str, Self); 7] = [
        ("lirs", Self::Lirs),
        ("arc", Self::Arc),
        ("cache2k", Self::Cache2k),
        ("corda", Self::Corda),
        ("adaptsize", Self::Adaptsize),
        ("oracle-general", Self::OracleGeneral),
        ("csv", Self::Csv),
    ];
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("unknown trace format '{name}'; one of {}", names.join(", "))
        })
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Operation {
    /// A read; on a miss the object is stored, as its owner would.
    #[default]
    Get,
    /// A write.
    Set,
    /// A deletion.
    Delete,
}

/// One request of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// What is asked.
    pub operation: Operation,
    /// The key; numbers in decimal.
    pub key: Vec<u8>,
    /// Size of the object in bytes where the trace says it, at most [`MAX_OBJECT_BYTES`].
    pub size: Option<u64>,
}

impl Request {
    fn set_number(&mut self, key: u64) {
        use std::io::Write;
        self.key.clear();
        write!(self.key, "{key}").expect("a Vec takes every write");
    }
}

/// Why a parser stopped.
enum Stop {
    /// Reading failed, in the file or in its compression.
    Read(std::io::Error),
    /// What was read is wrong.
    Broken(Position, String),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Read(error)
    }
}

/// A parser. One call, one request.
trait Parse: Send {
    /// Reads the next request into `request`; false at the end of the trace.
    fn next(&mut self, request: &mut Request) -> std::result::Result<bool, Stop>;
}

/// The requests of a trace file, in order.
pub struct Requests {
    path: PathBuf,
    progress: Arc<Progress>,
    parser: Box<dyn Parse>,
}

impl Requests {
    /// Opens a trace. `progress` learns how far it was read.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be opened.
    pub fn open(path: &Path, format: Format, progress: &Arc<Progress>) -> Result<Self> {
        let source = source::open(path, progress)?;
        Ok(Self { path: path.to_owned(), progress: Arc::clone(progress), parser: parser(format, source) })
    }

    /// Reads the next request into `request`, reusing its memory; false at the end.
    ///
    /// # Errors
    /// [`Error::Broken`] with the position, or [`Error::File`].
    pub fn next(&mut self, request: &mut Request) -> Result<bool> {
        self.parser.next(request).map_err(|stop| match stop {
            Stop::Read(error) => source::read_error(&self.path, &self.progress, error),
            Stop::Broken(at, reason) => Error::Broken { path: self.path.clone(), at, reason },
        })
    }
}

fn parser(format: Format, source: Source) -> Box<dyn Parse> {
    match format {
        Format::Lirs => Box::new(text::Lirs::new(source)),
        Format::Arc => Box::new(text::Arc::new(source)),
        Format::Adaptsize => Box::new(text::Adaptsize::new(source)),
        Format::Cache2k => Box::new(binary::Keys::<4>::new(source)),
        Format::Corda => Box::new(binary::Keys::<8>::new(source)),
        Format::OracleGeneral => Box::new(binary::OracleGeneral::new(source)),
        Format::Csv => Box::new(csv::Csv::new(source)),
    }
}

/// Checks a size that a trace names.
fn checked_size(size: u64, at: Position) -> std::result::Result<u64, Stop> {
    if size > MAX_OBJECT_BYTES {
        return Err(Stop::Broken(at, format!("object size {size} is above the limit of {MAX_OBJECT_BYTES} bytes")));
    }
    Ok(size)
}
