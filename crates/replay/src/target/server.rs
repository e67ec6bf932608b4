//! A server that speaks RESP: Tandem, or any Redis.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::{Figures, Stored, Target};
use crate::{Error, MAX_OBJECT_BYTES, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest line of a reply: a status, an error, a length.
const MAX_LINE_BYTES: usize = 4096;
/// Longest answer to `INFO` that is kept.
const MAX_INFO_BYTES: u64 = 1 << 20;

/// A connection on which one command at a time is under way: whether to write depends on the read before.
pub(crate) struct Server {
    address: String,
    stream: BufReader<TcpStream>,
    command: Vec<u8>,
    line: Vec<u8>,
}

/// The replies this client asks for.
enum Reply {
    Status,
    Integer(i64),
    Bulk(u64),
    Null,
    Error(String),
}

impl Server {
    pub(crate) fn connect(address: &str) -> Result<Self> {
        let stream = Self::open(address).map_err(|error| server_error(address, error.to_string()))?;
        Ok(Self {
            address: address.to_owned(),
            stream: BufReader::with_capacity(64 << 10, stream),
            command: Vec::new(),
            line: Vec::new(),
        })
    }

    fn open(address: &str) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
        for candidate in address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&candidate, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
                    stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn call(&mut self, arguments: &[&[u8]]) -> Result<Reply> {
        self.command.clear();
        let written = self.write_command(arguments).and_then(|()| self.read_reply());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                self.error(format!("no reply within {} s", REPLY_TIMEOUT.as_secs()))
            }
            io::ErrorKind::UnexpectedEof => self.error("the connection was closed".into()),
            _ => self.error(error.to_string()),
        })
    }

    fn write_command(&mut self, arguments: &[&[u8]]) -> io::Result<()> {
        write!(self.command, "*{}\r\n", arguments.len())?;
        for argument in arguments {
            write!(self.command, "${}\r\n", argument.len())?;
            self.command.extend_from_slice(argument);
            self.command.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&self.command)
    }

    fn read_reply(&mut self) -> io::Result<Reply> {
        self.line.clear();
        (&mut self.stream).take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut self.line)?;
        let Some(line) = self.line.strip_suffix(b"\r\n") else {
            let is_cut = self.line.len() < MAX_LINE_BYTES;
            return Err(if is_cut { io::ErrorKind::UnexpectedEof.into() } else { not_resp(&self.line) });
        };
        let text = || String::from_utf8_lossy(&line[1..]).into_owned();
        let number = || text().parse::<i64>().map_err(|_| not_resp(line));
        match line.first() {
            Some(b'+') => Ok(Reply::Status),
            Some(b'-') => Ok(Reply::Error(text())),
            Some(b':') => Ok(Reply::Integer(number()?)),
            Some(b'_') => Ok(Reply::Null),
            Some(b'$') => match number()? {
                -1 => Ok(Reply::Null),
                length => match u64::try_from(length) {
                    Ok(length) if length <= MAX_OBJECT_BYTES => Ok(Reply::Bulk(length)),
                    _ => Err(not_resp(line)),
                },
            },
            _ => Err(not_resp(line)),
        }
    }

    /// Reads the body of a bulk reply and its line end, into `kept` as far as it has room.
    fn read_bulk(&mut self, length: u64, kept: &mut Vec<u8>, room: u64) -> Result<()> {
        let mut read = |server: &mut Self| {
            (&mut server.stream).take(length.min(room)).read_to_end(kept)?;
            let rest = length - length.min(room) + 2;
            let skipped = io::copy(&mut (&mut server.stream).take(rest), &mut io::sink())?;
            if skipped == rest { Ok(()) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) }
        };
        read(self).map_err(|error| self.error(error.to_string()))
    }

    fn info(&mut self) -> Result<Option<String>> {
        match self.call(&[b"INFO"])? {
            Reply::Bulk(length) => {
                let mut text = Vec::new();
                self.read_bulk(length, &mut text, MAX_INFO_BYTES)?;
                Ok(Some(String::from_utf8_lossy(&text).into_owned()))
            }
            _ => Ok(None),
        }
    }

    fn error(&self, reason: String) -> Error {
        server_error(&self.address, reason)
    }

    fn unexpected(&self, command: &str, reply: Reply) -> Error {
        match reply {
            Reply::Error(text) => self.error(format!("{command}: {text}")),
            _ => self.error(format!("{command}: an answer of the wrong type")),
        }
    }
}

impl Target for Server {
    fn get(&mut self, key: &[u8]) -> Result<bool> {
        match self.call(&[b"GET", key])? {
            Reply::Null => Ok(false),
            Reply::Bulk(length) => {
                self.read_bulk(length, &mut Vec::new(), 0)?;
                Ok(true)
            }
            other => Err(self.unexpected("GET", other)),
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<Stored> {
        match self.call(&[b"SET", key, value])? {
            Reply::Status => Ok(Stored::Yes),
            Reply::Error(text) if is_refusal(&text) => Ok(Stored::Refused),
            other => Err(self.unexpected("SET", other)),
        }
    }

    fn delete(&mut self, key: &[u8]) -> Result<()> {
        match self.call(&[b"DEL", key])? {
            Reply::Integer(_) => Ok(()),
            other => Err(self.unexpected("DEL", other)),
        }
    }

    fn figures(&mut self) -> Result<Figures> {
        let entries = match self.call(&[b"DBSIZE"])? {
            Reply::Integer(entries) => u64::try_from(entries).ok(),
            _ => None,
        };
        let info = self.info()?.unwrap_or_default();
        let field = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse::<u64>().ok())
        };
        Ok(Figures {
            entries,
            evictions: field("evicted_keys"),
            cache_bytes: field("used_memory"),
            rss_bytes: field("used_memory_rss"),
        })
    }
}

/// Whether an error to a write says that there is no room for the object, which is an answer, not a failure.
fn is_refusal(error: &str) -> bool {
    error.starts_with("OOM") || error.contains("TooLarge") || error.contains("too large")
}

fn server_error(address: &str, reason: String) -> Error {
    Error::Server { address: address.to_owned(), reason }
}

fn not_resp(line: &[u8]) -> io::Error {
    let shown = line[..line.len().min(40)].escape_ascii();
    io::Error::new(io::ErrorKind::InvalidData, format!("an answer that is not RESP: '{shown}'"))
}
