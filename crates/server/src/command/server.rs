//! Commands about the server.

use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::{
    Category, Command, Context, Flag, Group, Keys, config, get_keys, help, info, introspection, latency, memory,
    refusal, slowlog,
};

/// What the commands of this family have in common.
pub(super) const BASE: Command = Command {
    name: "",
    syntax: "",
    summary: "",
    since: "1.0.0",
    complexity: "O(1)",
    arity: -1,
    flags: &[Flag::Loading, Flag::Stale],
    categories: &[Category::Dangerous],
    keys: Keys::NONE,
    access: &[],
    group: Group::Server,
    run: refusal::container,
    subcommands: &[],
};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "info",
        syntax: "INFO [section ...]",
        summary: "Get information and statistics about the server",
        complexity: "O(1); with the keyspace O(N) once a database other than 0 has been selected.",
        run: info::info,
        ..BASE
    },
    Command {
        name: "command",
        syntax: "COMMAND",
        summary: "Get array of command details",
        since: "2.8.13",
        complexity: "O(N) where N is the total number of commands",
        categories: &[Category::Connection],
        run: introspection::command,
        subcommands: COMMAND,
        ..BASE
    },
    Command {
        name: "time",
        syntax: "TIME",
        summary: "Return the current server time, to the millisecond",
        since: "2.6.0",
        arity: 1,
        flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
        categories: &[],
        run: time,
        ..BASE
    },
    Command {
        name: "wait",
        syntax: "WAIT numreplicas timeout",
        summary: "Return the number of replicas that hold what this connection wrote: 0, at once, as there are none",
        since: "3.0.0",
        arity: 3,
        flags: &[Flag::NoScript],
        categories: &[Category::Connection],
        group: Group::Generic,
        run: wait,
        ..BASE
    },
    Command {
        name: "config",
        syntax: "CONFIG subcommand",
        summary: "A container for server configuration commands",
        since: "2.0.0",
        subcommands: config::SUBCOMMANDS,
        ..CONTAINER
    },
    Command {
        name: "slowlog",
        syntax: "SLOWLOG subcommand",
        summary: "A container for slow log commands",
        since: "2.2.12",
        subcommands: slowlog::SUBCOMMANDS,
        ..CONTAINER
    },
    Command {
        name: "latency",
        syntax: "LATENCY subcommand",
        summary: "A container for latency diagnostics commands",
        since: "2.8.13",
        subcommands: latency::SUBCOMMANDS,
        ..CONTAINER
    },
    Command {
        name: "memory",
        syntax: "MEMORY subcommand",
        summary: "A container for memory diagnostics commands",
        since: "4.0.0",
        subcommands: memory::SUBCOMMANDS,
        ..CONTAINER
    },
    Command {
        name: "acl",
        syntax: "ACL subcommand",
        summary: "A container for Access List Control commands",
        since: "6.0.0",
        subcommands: ACL,
        ..CONTAINER
    },
    Command {
        name: "shutdown",
        syntax: "SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
        summary: "Stop a worker that runs alone, after answering what was received",
        complexity: "O(1)",
        flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::NoMulti, Flag::AllowBusy],
        run: shutdown,
        ..BASE
    },
];

/// What commands have in common whose work is all in their subcommands.
const CONTAINER: Command =
    Command { complexity: "Depends on subcommand.", arity: -2, flags: &[], categories: &[], ..BASE };

const ACL: &[Command] = &[
    help::subcommand((Group::Server, &[]), "ACL HELP", "6.0.0", |context, _| help::reply(context, help::ACL)),
    Command {
        name: "whoami",
        syntax: "ACL WHOAMI",
        summary: "Return the name of the user associated to the current connection",
        since: "6.0.0",
        arity: 2,
        flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
        categories: &[],
        run: whoami,
        ..BASE
    },
];

const COMMAND: &[Command] = &[
    help::subcommand((Group::Server, &[Category::Connection]), "COMMAND HELP", "5.0.0", |context, _| {
        help::reply(context, help::COMMAND)
    }),
    Command {
        name: "count",
        syntax: "COMMAND COUNT",
        summary: "Get total number of commands",
        since: "2.8.13",
        arity: 2,
        categories: &[Category::Connection],
        run: introspection::count,
        ..BASE
    },
    Command {
        name: "docs",
        syntax: "COMMAND DOCS [command-name ...]",
        summary: "Get array of specific command documentation",
        since: "7.0.0",
        complexity: "O(N) where N is the number of commands to look up",
        arity: -2,
        categories: &[Category::Connection],
        run: introspection::docs,
        ..BASE
    },
    Command {
        name: "getkeys",
        syntax: "COMMAND GETKEYS command [arg ...]",
        summary: "Extract keys given a full command",
        since: "2.8.13",
        complexity: "O(N) where N is the number of arguments to the command",
        arity: -4,
        categories: &[Category::Connection],
        run: |context, args| get_keys::get_keys(context, args, false),
        ..BASE
    },
    Command {
        name: "getkeysandflags",
        syntax: "COMMAND GETKEYSANDFLAGS command [arg ...]",
        summary: "Extract keys and access flags given a full command",
        since: "7.0.0",
        complexity: "O(N) where N is the number of arguments to the command",
        arity: -4,
        categories: &[Category::Connection],
        run: |context, args| get_keys::get_keys(context, args, true),
        ..BASE
    },
    Command {
        name: "info",
        syntax: "COMMAND INFO [command-name ...]",
        summary: "Get array of specific command details, or all when no argument is given",
        since: "2.8.13",
        complexity: "O(N) where N is the number of commands to look up",
        arity: -2,
        categories: &[Category::Connection],
        run: introspection::info,
        ..BASE
    },
    Command {
        name: "list",
        syntax: "COMMAND LIST [FILTERBY MODULE module-name | ACLCAT category | PATTERN pattern]",
        summary: "Get an array of command names",
        since: "7.0.0",
        complexity: "O(N) where N is the total number of commands",
        arity: -2,
        categories: &[Category::Connection],
        run: introspection::list,
        ..BASE
    },
];

fn time(context: &mut Context<'_>, _args: Args<'_>) {
    let now_ms = context.server.now_ms();
    reply::array(context.output.bytes(), 2);
    context.bulk((now_ms / 1000).to_string().as_bytes());
    context.bulk((now_ms % 1000 * 1000).to_string().as_bytes());
}

fn wait(context: &mut Context<'_>, args: Args<'_>) {
    if parse_i64(&args[1]).is_none() {
        return context.error(refusal::NOT_INTEGER);
    }
    match parse_i64(&args[2]) {
        None => context.error("ERR timeout is not an integer or out of range"),
        Some(timeout) if timeout < 0 => context.error("ERR timeout is negative"),
        // Redis would wait the time out where more are asked for: none would come.
        Some(_) => context.integer(0),
    }
}

fn whoami(context: &mut Context<'_>, _args: Args<'_>) {
    context.bulk(b"default");
}

/// Ends a process that is nothing but this server, in the way that a signal does: everything received is answered first.
fn shutdown(context: &mut Context<'_>, args: Args<'_>) {
    const OPTIONS: [&str; 4] = ["nosave", "save", "now", "force"];
    let is = |argument: &[u8], option: &str| argument.eq_ignore_ascii_case(option.as_bytes());
    let options = args.skip(1);
    if !options.is_empty() && options.iter().all(|argument| is(argument, "abort")) {
        return context.error("ERR No shutdown in progress.");
    }
    let has = |option: &str| options.iter().any(|argument| is(argument, option));
    let known = options.iter().all(|argument| OPTIONS.iter().any(|option| is(argument, option)));
    if !known || has("save") && has("nosave") {
        return context.error(refusal::SYNTAX);
    }
    if !context.server.options.owns_process {
        return context.error("ERR this server is a part of another program; it is closed there, not by SHUTDOWN");
    }
    if let Err(error) = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM) {
        context.error(format_args!("ERR the process cannot be told to stop: {error}"));
    }
}
