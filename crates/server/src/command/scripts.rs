//! Scripts.

use std::sync::Arc;

use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::{Category, Command, Context, Flag, Group, Keys, access, help, refusal};
use crate::script::{self, Call, digest};

/// What the commands of this family have in common.
const BASE: Command = Command {
    name: "",
    syntax: "",
    summary: "",
    since: "2.6.0",
    complexity: "Depends on the script that is executed.",
    arity: -3,
    flags: &[Flag::NoScript, Flag::Stale, Flag::SkipMonitor, Flag::NoMandatoryKeys, Flag::MovableKeys],
    categories: &[Category::Scripting],
    keys: Keys::NONE,
    access: &[],
    group: Group::Scripting,
    run: refusal::container,
    subcommands: &[],
};
const READ_ONLY: &[Flag] =
    &[Flag::ReadOnly, Flag::NoScript, Flag::Stale, Flag::SkipMonitor, Flag::NoMandatoryKeys, Flag::MovableKeys];
const CONTAINER: Command =
    Command { complexity: "Depends on subcommand.", arity: -2, flags: &[], categories: &[], ..BASE };

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "eval",
        syntax: "EVAL script numkeys [key ...] [arg ...]",
        summary: "Execute a Lua script server side",
        access: &[access::READ_AND_CHANGE],
        run: |context, args| eval(context, args, false),
        ..BASE
    },
    Command {
        name: "evalsha",
        syntax: "EVALSHA sha1 numkeys [key ...] [arg ...]",
        summary: "Execute a Lua script server side",
        access: &[access::READ_AND_CHANGE],
        run: |context, args| evalsha(context, args, false),
        ..BASE
    },
    Command {
        name: "eval_ro",
        syntax: "EVAL_RO script numkeys [key ...] [arg ...]",
        summary: "Execute a read-only Lua script server side",
        since: "7.0.0",
        flags: READ_ONLY,
        access: &[access::READ],
        run: |context, args| eval(context, args, true),
        ..BASE
    },
    Command {
        name: "evalsha_ro",
        syntax: "EVALSHA_RO sha1 numkeys [key ...] [arg ...]",
        summary: "Execute a read-only Lua script server side",
        since: "7.0.0",
        flags: READ_ONLY,
        access: &[access::READ],
        run: |context, args| evalsha(context, args, true),
        ..BASE
    },
    Command {
        name: "script",
        syntax: "SCRIPT subcommand",
        summary: "A container for Lua scripts management commands",
        subcommands: SCRIPT,
        ..CONTAINER
    },
    Command {
        name: "function",
        syntax: "FUNCTION subcommand",
        summary: "A container for function commands",
        since: "7.0.0",
        subcommands: FUNCTION,
        ..CONTAINER
    },
];

const SCRIPT: &[Command] = &[
    help::subcommand((Group::Scripting, &[Category::Scripting]), "SCRIPT HELP", "5.0.0", |context, _| {
        help::reply(context, help::SCRIPT)
    }),
    Command {
        name: "load",
        syntax: "SCRIPT LOAD script",
        summary: "Load the specified Lua script into the script cache",
        complexity: "O(N) with N being the length in bytes of the script body.",
        arity: 3,
        flags: &[Flag::NoScript, Flag::Stale],
        run: load,
        ..BASE
    },
    Command {
        name: "exists",
        syntax: "SCRIPT EXISTS sha1 [sha1 ...]",
        summary: "Check existence of scripts in the script cache",
        complexity: "O(N) with N being the number of scripts to check.",
        flags: &[Flag::NoScript],
        access: &[access::LOOK],
        run: exists,
        ..BASE
    },
    Command {
        name: "flush",
        syntax: "SCRIPT FLUSH [ASYNC | SYNC]",
        summary: "Remove all the scripts from the script cache",
        complexity: "O(N) with N being the number of scripts in cache",
        arity: -2,
        flags: &[Flag::NoScript],
        run: flush,
        ..BASE
    },
    Command {
        name: "kill",
        syntax: "SCRIPT KILL",
        summary: "Refused: a script ends by itself, or at its time limit",
        complexity: "O(1)",
        arity: 2,
        flags: &[Flag::NoScript, Flag::AllowBusy],
        run: |context, _| context.error("NOTBUSY No scripts in execution right now."),
        ..BASE
    },
];

const FUNCTION: &[Command] = &[
    help::subcommand((Group::Scripting, &[Category::Scripting]), "FUNCTION HELP", "7.0.0", |context, _| {
        help::reply(context, help::FUNCTION)
    }),
    Command {
        name: "flush",
        syntax: "FUNCTION FLUSH [ASYNC | SYNC]",
        summary: "Delete all functions, of which there are none here",
        since: "7.0.0",
        complexity: "O(1)",
        arity: -2,
        flags: &[Flag::Write, Flag::NoScript],
        run: flush_functions,
        ..BASE
    },
];

/// Whether scripts may be run; if not, the client has been told.
fn are_allowed(context: &mut Context<'_>) -> bool {
    if !context.server.options.scripts {
        context.error("ERR scripts are disabled on this server (--no-scripts)");
    }
    context.server.options.scripts
}

fn eval(context: &mut Context<'_>, args: Args<'_>, read_only: bool) {
    if !are_allowed(context) {
        return;
    }
    let Some(count) = key_count(context, args) else { return };
    let digest = digest(&args[1]);
    let known = context.server.scripts.lock().get(&digest);
    let source = known.map_or_else(|| Arc::from(&args[1]), |(_, source)| source);
    let (keys, arguments) = split(&args, count);
    script::run(context, &mut Call { digest, source, keys, arguments, read_only });
}

fn evalsha(context: &mut Context<'_>, args: Args<'_>, read_only: bool) {
    if !are_allowed(context) {
        return;
    }
    let known = context.server.scripts.lock().get(&args[1]);
    let Some((digest, source)) = known else {
        return context.error("NOSCRIPT No matching script. Please use EVAL.");
    };
    let Some(count) = key_count(context, args) else { return };
    let (keys, arguments) = split(&args, count);
    script::run(context, &mut Call { digest, source, keys, arguments, read_only });
}

/// How many keys there are; without a result the client has been told what is wrong.
fn key_count(context: &mut Context<'_>, args: Args<'_>) -> Option<usize> {
    match parse_i64(&args[2]).map(|count| (count, usize::try_from(count))) {
        None => context.error(refusal::NOT_INTEGER),
        Some((count, _)) if count > args.len() as i64 - 3 => {
            context.error("ERR Number of keys can't be greater than number of args");
        }
        Some((_, Err(_))) => context.error("ERR Number of keys can't be negative"),
        Some((_, Ok(count))) => return Some(count),
    }
    None
}

/// The keys and the other arguments.
fn split<'a>(args: &Args<'a>, count: usize) -> (Vec<&'a [u8]>, Vec<&'a [u8]>) {
    let rest = args.skip(3);
    (rest.iter().take(count).collect(), rest.iter().skip(count).collect())
}

fn load(context: &mut Context<'_>, args: Args<'_>) {
    if !are_allowed(context) {
        return;
    }
    let digest = digest(&args[2]);
    match script::check(context, &digest, &args[2]) {
        Ok(()) => {
            context.server.keep_script(digest, &Arc::from(&args[2]));
            context.bulk(&digest);
        }
        Err(message) => context.error(message),
    }
}

fn exists(context: &mut Context<'_>, args: Args<'_>) {
    reply::array(context.output.bytes(), args.len() - 2);
    for digest in args.skip(2).iter() {
        let there = context.server.scripts.lock().get(digest).is_some();
        context.integer(i64::from(there));
    }
}

/// Whether the options of a flush are right: both ways are the same here.
fn is_flush(args: Args<'_>) -> bool {
    let one = |option: &[u8]| option.eq_ignore_ascii_case(b"async") || option.eq_ignore_ascii_case(b"sync");
    args.len() == 2 || args.len() == 3 && one(&args[2])
}

fn flush(context: &mut Context<'_>, args: Args<'_>) {
    if !is_flush(args) {
        return context.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
    }
    context.server.forget_scripts();
    context.ok();
}

fn flush_functions(context: &mut Context<'_>, args: Args<'_>) {
    if !is_flush(args) {
        return context.error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    }
    context.ok();
}
