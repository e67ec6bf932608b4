//! A server without Node, for profilers: `cargo run --profile profiling --example serve -- PORT THREADS MEBIBYTES`.
//! It runs until its standard input is closed.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use tandem_engine::{Cache, Options};
use tandem_server::{Server, ServerOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (port, threads, mebibytes) = (number(7379)?, number(1)?, number(256)?);
    let cache = Arc::new(Cache::new(Options { max_bytes: mebibytes << 20, ..Options::default() })?);
    let options = ServerOptions { port: port.try_into()?, threads: threads as usize, ..ServerOptions::default() };
    let server = Server::start(cache, options)?;
    println!("listening on {}", server.local_addr());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    server.stop(Duration::from_secs(10));
    println!("{:?}", server.stats());
    Ok(())
}
