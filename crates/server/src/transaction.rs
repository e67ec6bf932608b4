//! Transactions of clients: requests that wait for `EXEC`, and keys that are watched until then.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use tandem_engine::{Error, Held, Scope, WatchFlag};
use tandem_wire::{Args, KeptRequests, reply};

use crate::budget::Budget;
use crate::command::{Command, Context, Entry, Flag, Group, Keys, keys_of, refusal};
use crate::connection::Special;
use crate::database::Restore;
use crate::dispatch::{drop_unwanted, run_observed, wants_nothing};
use crate::shared::Shared;

/// Keys that one client may watch.
const MAX_WATCHED: usize = 10_000;

/// The requests of a transaction.
#[derive(Default)]
pub(crate) struct Queue {
    requests: KeptRequests,
    entries: Vec<&'static Entry>,
    /// A request was refused: `EXEC` will run none.
    broken: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("requests", &self.requests.len()).field("broken", &self.broken).finish()
    }
}

impl Queue {
    /// Number of requests.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Memory in bytes.
    pub fn memory(&self) -> usize {
        self.requests.memory() + self.entries.capacity() * size_of::<&Entry>()
    }
}

/// The keys that a client watches.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    flag: Arc<WatchFlag>,
    /// As they are stored.
    keys: Vec<Box<[u8]>>,
    /// Their databases, and how often each had been exchanged for another one when it was noted.
    databases: Vec<(u8, u32)>,
    bytes: usize,
}

impl Watched {
    /// Memory in bytes, that of the cache's table of watched keys included.
    pub fn memory(&self) -> usize {
        self.bytes * 2
    }

    /// Watches `key` of database `db`. `None` where there is no room for another one.
    fn add(&mut self, db: u8, key: &[u8], shared: &Shared) -> Option<Result<(), Error>> {
        if self.keys.len() >= MAX_WATCHED {
            return None;
        }
        if !self.databases.iter().any(|(one, _)| *one == db) {
            self.databases.push((db, shared.databases.swaps(db)));
        }
        let key = &*shared.databases.stored(db, key);
        // One that has expired is not there: its removal is no change.
        shared.cache.contains(key);
        let watched = shared.cache.watch(key, &self.flag);
        if watched.is_ok() {
            self.bytes += key.len() + 64;
            self.keys.push(key.into());
        }
        Some(watched)
    }

    /// Ends watching.
    pub fn leave(&mut self, shared: &Shared) {
        for key in self.keys.drain(..) {
            shared.cache.unwatch(&key, &self.flag);
        }
        *self = Self::default();
    }

    /// Whether a watched key has changed or expired.
    fn is_dirty(&self, shared: &Shared) -> bool {
        // Looking at an entry that has expired removes it, which is a change.
        for key in &self.keys {
            shared.cache.contains(key);
        }
        // Another database has taken the place of the one whose keys are watched.
        self.flag.is_dirty() || self.databases.iter().any(|(db, swaps)| shared.databases.swaps(*db) != *swaps)
    }
}

/// Begins a transaction.
pub(crate) fn begin(context: &mut Context<'_>) {
    if context.client.special.contains(Special::MULTI) {
        return context.error("ERR MULTI calls can not be nested");
    }
    context.client.special.insert(Special::MULTI);
    context.client.session().queue = Some(Box::default());
    context.ok();
}

/// Ends a transaction without running it.
pub(crate) fn discard(context: &mut Context<'_>) {
    if end(context).is_none() {
        return context.error("ERR DISCARD without MULTI");
    }
    unwatch(context);
    context.ok();
}

/// Ends a transaction, if there is one, whose `EXEC` is refused for `reason`.
pub(crate) fn abort(context: &mut Context<'_>, reason: &str) {
    end(context);
    unwatch(context);
    context.error(format_args!("EXECABORT Transaction discarded because of: {reason}"));
}

/// Takes the queue, if there is one.
fn end(context: &mut Context<'_>) -> Option<Box<Queue>> {
    context.client.special.take(Special::MULTI);
    context.client.session.as_mut()?.queue.take()
}

/// Watches keys.
pub(crate) fn watch(context: &mut Context<'_>, args: Args<'_>) {
    if context.client.special.contains(Special::MULTI) {
        return context.error("ERR WATCH inside MULTI is not allowed");
    }
    let shared = context.server;
    let db = context.client.db;
    let watched = &mut context.client.session().watched;
    for key in args.skip(1).iter() {
        match watched.add(db, key, shared) {
            Some(Ok(())) => {}
            Some(Err(error)) => return refusal::engine(context, &error),
            None => {
                return context.error(format_args!("ERR a client can watch at most {MAX_WATCHED} keys"));
            }
        }
    }
    context.ok();
}

/// Ends watching.
pub(crate) fn unwatch(context: &mut Context<'_>) {
    if let Some(session) = &mut context.client.session {
        session.watched.leave(context.server);
    }
}

/// What a client in a transaction asks for and gets at once.
pub(crate) const RUN_AT_ONCE: [&str; 6] = ["exec", "discard", "multi", "watch", "quit", "reset"];

/// Leaves a request for `EXEC`.
pub(crate) fn queue(context: &mut Context<'_>, entry: &'static Entry, args: Args<'_>) {
    // What may have to wait for others cannot do so while it holds what they need.
    let flags = entry.command.flags;
    let waits = entry.command.group == Group::Tandem && flags.contains(&Flag::NoScript);
    if waits || flags.contains(&Flag::NoMulti) {
        context.error("ERR Command not allowed inside a transaction");
        return note_refusal(context);
    }
    let limits = &context.server.options.limits.request;
    let Some(queue) = context.client.session().queue.as_mut() else { return };
    let bytes: usize = args.iter().map(<[u8]>::len).sum();
    if queue.memory() + bytes > limits.request_bytes || queue.requests.len() >= limits.args {
        context.error("ERR the transaction is larger than a request may be");
        return note_refusal(context);
    }
    queue.requests.push(args);
    queue.entries.push(entry);
    context.simple("QUEUED");
}

/// A request was refused: if it belonged to a transaction, that will not run.
pub(crate) fn note_refusal(context: &mut Context<'_>) {
    if let Some(queue) = context.client.session.as_mut().and_then(|session| session.queue.as_mut()) {
        queue.broken = true;
    }
}

/// Why the requests of a transaction did not take effect.
enum Failure {
    Refused(Error),
    /// A watched key has changed.
    Dirty,
    OutOfTime,
    /// A script in it was stopped, and said so.
    Stopped,
    /// Databases were exchanged before the transaction held its keys.
    Swapped,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Runs the requests of a transaction as one.
pub(crate) fn execute(context: &mut Context<'_>) {
    let Some(queue) = end(context) else { return context.error("ERR EXEC without MULTI") };
    let watched = std::mem::take(&mut context.client.session().watched);
    if queue.broken {
        { watched }.leave(context.server);
        return context.error("EXECABORT Transaction discarded because of previous errors.");
    }
    let (mark, db, protocol) = (context.output.mark(), context.client.db, context.client.protocol);
    context.client.session().executing = Some(queue.len());
    let outcome = catch_unwind(AssertUnwindSafe(|| run(context, &queue, &watched)));
    context.client.session().executing = None;
    { watched }.leave(context.server);
    context.client.special.take(Special::UNDONE);
    if !matches!(outcome, Ok(Ok(()))) {
        // What the requests have selected is undone with what they have written.
        context.output.rewind(mark);
        (context.client.db, context.client.protocol) = (db, protocol);
    }
    match outcome.unwrap_or_else(|panic| resume_unwind(panic)) {
        Ok(()) => context.client.special.insert(Special::CHOSEN),
        Err(Failure::Dirty | Failure::Swapped) => reply::null_array(context.output.bytes(), context.client.protocol),
        Err(Failure::Refused(error)) => refusal::engine(context, &error),
        Err(Failure::Stopped) => {
            context
                .error("ERR a script of the transaction exceeded its time or memory; the transaction was rolled back");
        }
        Err(Failure::OutOfTime) => {
            let budget = context.server.options.transaction_budget.as_millis();
            context.error(format_args!("ERR transaction ran longer than {budget} ms and was rolled back"));
        }
    }
}

fn run(context: &mut Context<'_>, queue: &Queue, watched: &Watched) -> Result<(), Failure> {
    loop {
        match attempt(context, queue, watched) {
            Err(Failure::Swapped) => {}
            outcome => return outcome,
        }
    }
}

fn attempt(context: &mut Context<'_>, queue: &Queue, watched: &Watched) -> Result<(), Failure> {
    let server = context.server;
    let layout = server.databases.layout();
    let keys = keys_of_all(server, queue, context.client.db);
    let keys: Option<Vec<&[u8]>> =
        keys.as_ref().map(|keys| keys.iter().map(|key| &**key).chain(watched.keys.iter().map(|key| &**key)).collect());
    let scope = keys.as_ref().map_or(Scope::All, |keys| Scope::Keys(keys));
    server.cache.transaction(scope, |held| {
        if watched.is_dirty(server) {
            return Err(Failure::Dirty);
        }
        if server.databases.layout() != layout {
            return Err(Failure::Swapped);
        }
        let restore = Restore::new(&server.databases, held);
        run_all(context, queue, held)?;
        restore.keep();
        Ok(())
    })
}

fn run_all(context: &mut Context<'_>, queue: &Queue, held: &Held<'_>) -> Result<(), Failure> {
    let budget = Budget::start(context.server.options.transaction_budget);
    // As in Redis a client that wants no replies is told of its subscriptions all the same, and one that wants none from
    // the midst of a transaction on gets the replies before.
    if !wants_nothing(context) {
        reply::array(context.output.bytes(), queue.entries.len());
    }
    for (number, (entry, args)) in queue.entries.iter().zip(queue.requests.iter()).enumerate() {
        // Time is looked at between requests: once all have run, there is nothing to save.
        if number > 0 && budget.is_spent() && !held.is_final() {
            return Err(Failure::OutOfTime);
        }
        let (mark, start) = (context.output.mark(), context.output.len());
        run_observed(context, entry, args);
        drop_unwanted(context, entry.command.name, mark, start);
        if context.client.special.contains(Special::UNDONE) {
            return Err(Failure::Stopped);
        }
    }
    Ok(())
}

/// The stored keys of all requests; `None` where only the whole cache will do.
fn keys_of_all<'q>(server: &Shared, queue: &'q Queue, db: u8) -> Option<Vec<Cow<'q, [u8]>>> {
    if queue.entries.iter().any(|entry| is_unbounded(&entry.command)) {
        return None;
    }
    let requests = queue.entries.iter().zip(queue.requests.iter());
    let keys = requests.flat_map(|(entry, args)| keys_of(&entry.command, args));
    Some(keys.map(|key| server.databases.stored(db, key)).collect())
}

/// Whether a command may touch keys that its arguments do not name, or keys of another database than the selected one.
fn is_unbounded(command: &Command) -> bool {
    let names_none =
        command.keys == Keys::NONE && !matches!(command.group, Group::Connection | Group::Transactions | Group::PubSub);
    names_none || matches!(command.name, "select" | "move" | "copy" | "sort" | "sort_ro")
}

#[cfg(test)]
mod tests;
