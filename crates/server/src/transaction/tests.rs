use std::sync::Arc;

use tandem_engine::{Cache, Options, ReadMode};
use tandem_wire::{Limits, Progress, Protocol, RequestParser};

use super::*;
use crate::command::find;
use crate::connection::Client;
use crate::database::KeySpace;
use crate::dispatch::{PANICKED, run_guarded};
use crate::mailbox::Address;
use crate::output::Output;
use crate::{Server, ServerOptions};

/// Runs an inline request.
fn run_line(context: &mut Context<'_>, line: &str) {
    let line = format!("{line}\r\n");
    let mut parser = RequestParser::default();
    let Ok(Progress::Complete { .. }) = parser.parse(line.as_bytes(), &Limits::default()) else { panic!("{line}") };
    let args = parser.args(line.as_bytes());
    run_guarded(context, find(&args[0]), args);
}

#[test]
fn a_panic_inside_undoes_everything_that_the_requests_did() {
    let cache = Arc::new(Cache::new(Options { max_bytes: 16 << 20, ..Options::default() }).unwrap());
    let server = Server::start(Arc::clone(&cache), ServerOptions { port: 0, ..ServerOptions::default() }).unwrap();
    let shared = server.shared();
    let address = Address { event_loop: 0, slot: 0, client_id: 1 };
    let (mut client, mut output) = (Client::new(address, false), Output::default());
    let mut keys = KeySpace::new(Arc::clone(&shared.databases));
    let mut context =
        Context { client: &mut client, output: &mut output, keys: &mut keys, draft: None, server: shared };
    for line in ["SET kept 1", "WATCH watched", "MULTI", "SET kept 2", "SELECT 3", "HELLO 3", "SET other x", "PING"] {
        run_line(&mut context, line);
    }
    // The last one meets a defect.
    let command = Command { run: |_, _| panic!("a defect of a command"), ..find(b"ping").unwrap().command };
    let entry = Entry { command, number: 0, simple: true, subcommands: Box::default() };
    let queue = context.client.session().queue.as_mut().unwrap();
    *queue.entries.last_mut().unwrap() = Box::leak(Box::new(entry));
    run_line(&mut context, "EXEC");

    let mut said = Vec::new();
    assert!(context.output.send(&mut said).unwrap());
    let said = String::from_utf8(said).unwrap();
    assert!(said.ends_with(&format!("+QUEUED\r\n-{PANICKED}\r\n")), "{said}");
    assert_eq!(shared.panics.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!((context.client.db, context.client.protocol), (0, Protocol::Resp2));
    assert!(!context.client.special.contains(Special::MULTI));
    assert!(context.client.session().watched.keys.is_empty());
    assert_eq!(cache.read(b"kept", ReadMode::Use, |found| found.bytes.to_vec()), Some(b"1".to_vec()));
    assert_eq!(cache.len(), 1);
}
