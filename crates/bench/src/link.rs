//! One connection.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::plan::Target;
use crate::replies::{NotResp, Replies, Reply};
use crate::workload::request;
use crate::{Error, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer that a handshake takes.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// A connection with requests under way.
pub(crate) struct Link {
    pub stream: mio::net::TcpStream,
    /// Requests that the socket did not take yet.
    pub out: Vec<u8>,
    replies: Replies,
    /// When each request under way was due, in nanoseconds since the start of the round; the oldest first.
    pub due: VecDeque<u64>,
}

impl Link {
    /// Connects, says the password if one is wanted, and makes sure that RESP is spoken.
    pub fn open(target: &Target) -> Result<Self> {
        let fail = |reason: String| Error::server(&target.name, format!("{} {reason}", target.address));
        let mut stream = connect(&target.address).map_err(|error| fail(error.to_string()))?;
        let mut say = |parts: &[&[u8]]| ask(&mut stream, parts).map_err(|error| fail(error.to_string()));
        let mut answer = say(&[b"PING"])?;
        if answer.starts_with(b"-NOAUTH") {
            let Some(password) = &target.password else { return Err(fail("wants a password".into())) };
            answer = say(&[b"AUTH", password])?;
        }
        if answer.starts_with(b"-") {
            return Err(fail(format!("refused: {}", String::from_utf8_lossy(&answer).trim_end())));
        }
        stream.set_nonblocking(true).map_err(|error| fail(error.to_string()))?;
        Ok(Self {
            stream: mio::net::TcpStream::from_std(stream),
            out: Vec::new(),
            replies: Replies::default(),
            due: VecDeque::new(),
        })
    }

    /// Sends as much as the socket takes.
    pub fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.out.len() {
            match self.stream.write(&self.out[sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.drain(..sent);
        Ok(())
    }

    /// Reads everything there is, and tells `each` of every reply with the moment at which its request was due.
    pub fn receive(&mut self, buffer: &mut [u8], mut each: impl FnMut(Reply<'_>, u64)) -> io::Result<()> {
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let mut unasked = false;
            let due = &mut self.due;
            let read = self.replies.read(&buffer[..count], |reply| match due.pop_front() {
                Some(at) => each(reply, at),
                None => unasked = true,
            });
            read.map_err(not_resp)?;
            if unasked {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a reply that was not asked for"));
            }
            if count < buffer.len() {
                return Ok(());
            }
        }
    }
}

/// The process id that the server tells, if it runs on this machine.
pub(crate) fn process_of(target: &Target) -> Option<u32> {
    let mut stream = connect(&target.address).ok()?;
    let (peer, own): (SocketAddr, SocketAddr) = (stream.peer_addr().ok()?, stream.local_addr().ok()?);
    if peer.ip() != own.ip() {
        return None;
    }
    if let Some(password) = &target.password {
        // A server without one answers an error, which does no harm.
        ask(&mut stream, &[b"AUTH", password]).ok()?;
    }
    let text = ask(&mut stream, &[b"INFO", b"server"]).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().find_map(|line| line.strip_prefix("process_id:")?.trim().parse().ok())
}

fn connect(address: &str) -> io::Result<TcpStream> {
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

/// Sends one request and waits for the bytes of its reply.
fn ask(stream: &mut TcpStream, parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    request(&mut bytes, parts);
    stream.write_all(&bytes)?;
    let (mut replies, mut answer, mut complete) = (Replies::default(), Vec::new(), false);
    let mut chunk = [0; 4096];
    while !complete {
        let count = match stream.read(&mut chunk) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed the connection")),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let reason = format!("gave no answer within {} s", REPLY_TIMEOUT.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
            }
            Err(error) => return Err(error),
        };
        replies.read(&chunk[..count], |_| complete = true).map_err(not_resp)?;
        answer.extend_from_slice(&chunk[..count]);
        if answer.len() > MAX_ANSWER_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "gives an answer without end"));
        }
    }
    Ok(answer)
}

fn not_resp(NotResp(bytes): NotResp) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("answers what is not RESP: '{}'", bytes.escape_ascii()))
}
