//! From a parsed request to the function that runs it.
//!
//! A request of an ordinary client costs one test of [`Special`] more than the call. Everything rare that may happen to
//! one (no password yet, no replies wanted, ...) is decided in [`run_special`], away from that path.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;

use tandem_wire::Args;

use crate::command::{Command, Context, Entry, Flag, refusal};
use crate::connection::{Parked, Special};
use crate::observer;
use crate::output::Mark;
use crate::transaction;

/// What a client is told whose request met a defect of the server.
pub(crate) const PANICKED: &str = "ERR internal error: this request failed, others are not affected";

/// Runs one request; `entry` is what the table has for its name. A panic in it ends the request with an error, not the
/// process or the connection.
#[inline]
pub(crate) fn run_guarded(context: &mut Context<'_>, entry: Option<&'static Entry>, args: Args<'_>) {
    let mark = context.output.mark();
    let run = || {
        if context.client.special.is_empty() {
            run_one(context, entry, args);
        } else {
            run_special(context, entry, args);
        }
    };
    if catch_unwind(AssertUnwindSafe(run)).is_err() {
        context.output.rewind(mark);
        context.server.panics.fetch_add(1, Relaxed);
        context.error(PANICKED);
    }
}

/// Runs one request whatever state the client is in, and without a guard against panics.
#[inline]
pub(crate) fn run_one(context: &mut Context<'_>, entry: Option<&'static Entry>, args: Args<'_>) {
    if let Some(entry) = resolve(context, entry, args) {
        (entry.command.run)(context, args);
    }
}

/// Finds the subcommand and checks the number of arguments. `None`: the request has been refused.
#[inline]
pub(crate) fn resolve(
    context: &mut Context<'_>,
    entry: Option<&'static Entry>,
    args: Args<'_>,
) -> Option<&'static Entry> {
    let Some(entry) = entry else {
        refusal::unknown_command(context, args);
        return None;
    };
    if !entry.command.accepts(args.len()) {
        refusal::wrong_arity(context, &[&entry.command]);
        return None;
    }
    if entry.subcommands.is_empty() || args.len() == 1 {
        context.client.last_command = entry.number;
        return Some(entry);
    }
    let Some(subcommand) = entry.subcommand(&args[1]) else {
        refusal::unknown_subcommand(context, &entry.command, args);
        return None;
    };
    if !subcommand.command.accepts(args.len()) {
        refusal::wrong_arity(context, &[&entry.command, &subcommand.command]);
        return None;
    }
    context.client.last_command = subcommand.number;
    Some(subcommand)
}

/// Runs one request of a client in a special state.
#[cold]
fn run_special(context: &mut Context<'_>, entry: Option<&'static Entry>, args: Args<'_>) {
    let (mark, start) = (context.output.mark(), context.output.len());
    if context.client.special.take(Special::SKIP_NEXT) {
        context.client.special.insert(Special::SKIP);
    }
    run_restricted(context, entry, args);
    if context.client.parked == Some(Parked::Pause) {
        // It comes again, and is not to be answered then.
        if context.client.special.take(Special::SKIP) {
            context.client.special.insert(Special::SKIP_NEXT);
        }
        return;
    }
    if context.client.parked.is_some() {
        // The reply is still to come; whether it is wanted is looked at then.
        return;
    }
    if !context.client.special.take(Special::CHOSEN) {
        drop_unwanted(context, entry.map_or("", |entry| entry.command.name), mark, start);
    }
    context.client.special.take(Special::SKIP);
}

/// Whether the client wants no replies.
pub(crate) fn wants_nothing(context: &Context<'_>) -> bool {
    let special = context.client.special;
    special.contains(Special::SKIP) || special.contains(Special::REPLY_OFF)
}

/// Takes back what a request has answered, from `mark` and in bytes `start` on, unless the client wants replies: still so
/// after the request, it was not the one that wants them again.
pub(crate) fn drop_unwanted(context: &mut Context<'_>, name: &str, mark: Mark, start: usize) {
    if wants_nothing(context) && !(CONFIRMED.contains(&name) && context.output.is_frame_at(start)) {
        context.output.rewind(mark);
    }
}

/// Runs one request if the state of the client allows it.
fn run_restricted(context: &mut Context<'_>, container: Option<&'static Entry>, args: Args<'_>) {
    let Some(entry) = resolve(context, container, args) else {
        return transaction::note_refusal(context);
    };
    let command = &entry.command;
    if context.client.special.contains(Special::NEEDS_AUTH) && !command.flags.contains(&Flag::NoAuth) {
        return refuse(context, command, "NOAUTH Authentication required.");
    }
    if context.client.listens_only() && !LISTENERS_MAY.contains(&command.name) {
        let container = container.filter(|container| !container.subcommands.is_empty());
        let prefix = container.map_or(String::new(), |container| format!("{}|", container.command.name));
        let message = format!(
            "ERR Can't execute '{prefix}{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed \
             in this context",
            command.name
        );
        return refuse(context, command, &message);
    }
    if context.client.special.contains(Special::PAUSED) {
        if context.server.pause.holds(changes(command)) {
            context.client.parked = Some(Parked::Pause);
            return;
        }
        if !context.server.pause.is_on() {
            context.client.special.take(Special::PAUSED);
        }
    }
    if context.client.special.contains(Special::MULTI) && !transaction::RUN_AT_ONCE.contains(&command.name) {
        return transaction::queue(context, entry, args);
    }
    run_observed(context, entry, args);
    if !context.server.observer.is_on() {
        context.client.special.take(Special::OBSERVED);
    }
    // What was said about caching holds for the next request, or the next transaction.
    let is_client = container.is_some_and(|container| container.command.name == "client");
    if !is_client && !context.client.special.contains(Special::MULTI) {
        context.client.special.take(Special::CACHING);
    }
}

/// Runs a command whose changes others may want to know of.
#[inline]
pub(crate) fn run_observed(context: &mut Context<'_>, entry: &'static Entry, args: Args<'_>) {
    let _origin = observer::watch(context.server, context.client, entry, args);
    (entry.command.run)(context, args);
}

/// Answers that a command is not run. An `EXEC` ends its transaction all the same.
fn refuse(context: &mut Context<'_>, command: &Command, message: &str) {
    if command.name == "exec" {
        return transaction::abort(context, message.strip_prefix("ERR ").unwrap_or(message));
    }
    context.error(message);
}

/// Whether a command may change something: data, or what other clients see.
fn changes(command: &Command) -> bool {
    command.flags.contains(&Flag::Write) || matches!(command.name, "publish" | "exec" | "eval" | "evalsha")
}

/// What is answered by messages rather than replies: those come whether replies are wanted or not.
const CONFIRMED: [&str; 4] = ["subscribe", "unsubscribe", "psubscribe", "punsubscribe"];

/// What a client of RESP2 may do while it listens.
const LISTENERS_MAY: [&str; 7] = ["subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ping", "quit", "reset"];
