//! The server that the targets talk to: one for the whole process.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tandem_engine::{Cache, Options};
use tandem_server::{ClientLimits, Server, ServerOptions};
use tandem_wire::Limits;

/// Longer than any input may keep a server busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server with narrow limits, so that a short input meets them.
static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let cache = Cache::new(Options { max_bytes: 16 << 20, max_value_bytes: 64 << 10, ..Options::default() });
    let request = Limits { args: 64, line_bytes: 1 << 10, ..Limits::default() };
    let limits = ClientLimits {
        request,
        reply_pause_bytes: 64 << 10,
        reply_bytes: 1 << 20,
        linger: Duration::from_millis(20),
        ..ClientLimits::default()
    };
    let options = ServerOptions {
        port: 0,
        limits,
        transaction_budget: Duration::from_millis(5),
        script_memory: 4 << 20,
        ..ServerOptions::default()
    };
    Server::start(Arc::new(cache.expect("the options are right")), options).expect("the loopback address is there")
});

/// Sends `input` on a connection of its own, in two parts, and returns all that is answered up to the close. Asserts that
/// the server ends it, has met no defect, and goes on serving others.
pub fn talk(input: &[u8], cut: usize) -> Vec<u8> {
    let mut stream = connect();
    let (first, second) = input.split_at(cut.min(input.len()));
    // The server may close before it has read everything.
    let _ = stream.write_all(first).and_then(|()| stream.write_all(second));
    let _ = stream.shutdown(Shutdown::Write);
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {}
        Err(error) => panic!("no end after {} bytes of answers: {error}", said.len()),
    }
    let mut other = connect();
    // Whatever was selected, paused or counted belongs to the client before.
    other.write_all(b"CLIENT UNPAUSE\r\nPING\r\n").expect("the server takes requests");
    let mut answer = [0; 12];
    other.read_exact(&mut answer).expect("the server answers others");
    assert_eq!(&answer, b"+OK\r\n+PONG\r\n");
    assert_eq!(SERVER.stats().panics, 0, "a request met a defect");
    said
}

fn connect() -> TcpStream {
    let stream = TcpStream::connect(SERVER.local_addr()).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("the time is not zero");
    stream.set_nodelay(true).expect("it is a TCP socket");
    stream
}
