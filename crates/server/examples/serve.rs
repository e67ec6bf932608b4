//! A server without Node, for profilers: `cargo run --profile profiling --example serve -- PORT THREADS MEBIBYTES`.
//! It runs until its standard input is closed.

use std::io::Read;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tandem_engine::{Cache, Options};
use tandem_server::{Server, ServerOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (port, threads, mebibytes) = (number(7379)?, number(1)?, number(256)?);
    let cache = Arc::new(Cache::new(Options { max_bytes: mebibytes << 20, ..Options::default() })?);
    // As in a worker under Node, a thread of its own cares for the cache.
    let caretaken = Arc::clone(&cache);
    thread::spawn(move || {
        loop {
            let pause = if caretaken.maintain() { 1 } else { 50 };
            thread::sleep(Duration::from_millis(pause));
        }
    });
    let threads = threads as usize;
    let options = ServerOptions { port: port.try_into()?, threads, maintain: false, ..ServerOptions::default() };
    let server = Server::start(cache, options)?;
    println!("listening on {}", server.local_addr());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    server.stop(Duration::from_secs(10));
    println!("{:?}", server.stats());
    Ok(())
}
