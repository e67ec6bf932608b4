//! Transactions.

use tandem_wire::Args;

use super::{Command, Context, Flag, Group, Keys, access, refusal};
use crate::transaction;

/// What the commands of this family have in common.
const BASE: Command = Command {
    name: "",
    syntax: "",
    summary: "",
    since: "1.2.0",
    complexity: "O(1)",
    arity: 1,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::AllowBusy],
    categories: &[super::Category::Transaction],
    keys: Keys::NONE,
    access: &[],
    group: Group::Transactions,
    run: refusal::container,
    subcommands: &[],
};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command { name: "multi", syntax: "MULTI", summary: "Mark the start of a transaction block", run: multi, ..BASE },
    Command {
        name: "exec",
        syntax: "EXEC",
        summary: "Execute all commands issued after MULTI",
        complexity: "Depends on commands in the transaction",
        flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::SkipSlowlog],
        run: exec,
        ..BASE
    },
    Command {
        name: "discard",
        syntax: "DISCARD",
        summary: "Discard all commands issued after MULTI",
        since: "2.0.0",
        complexity: "O(N), when N is the number of queued commands",
        run: discard,
        ..BASE
    },
    Command {
        name: "watch",
        syntax: "WATCH key [key ...]",
        summary: "Watch the given keys to determine execution of the MULTI/EXEC block",
        since: "2.2.0",
        complexity: "O(1) for every key.",
        arity: -2,
        keys: Keys::ALL,
        access: &[access::LOOK],
        run: watch,
        ..BASE
    },
    Command {
        name: "unwatch",
        syntax: "UNWATCH",
        summary: "Forget about all watched keys",
        since: "2.2.0",
        run: unwatch,
        ..BASE
    },
];

fn multi(context: &mut Context<'_>, _args: Args<'_>) {
    transaction::begin(context);
}

fn exec(context: &mut Context<'_>, _args: Args<'_>) {
    transaction::execute(context);
}

fn discard(context: &mut Context<'_>, _args: Args<'_>) {
    transaction::discard(context);
}

fn watch(context: &mut Context<'_>, args: Args<'_>) {
    transaction::watch(context, args);
}

fn unwatch(context: &mut Context<'_>, _args: Args<'_>) {
    transaction::unwatch(context);
    context.ok();
}
