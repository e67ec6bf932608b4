//! Commands about the server.

use tandem_wire::{Args, reply};

use super::{Category, Command, Context, Flag, Group, Keys, info, introspection, refusal};
use crate::glob;

/// What the commands of this family have in common.
const BASE: Command = Command {
    name: "",
    syntax: "",
    summary: "",
    since: "1.0.0",
    complexity: "O(1)",
    arity: -1,
    flags: &[Flag::Loading, Flag::Stale],
    categories: &[Category::Dangerous],
    keys: Keys::NONE,
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
        name: "config",
        syntax: "CONFIG subcommand",
        summary: "A container for server configuration commands",
        since: "2.0.0",
        complexity: "Depends on subcommand.",
        arity: -2,
        flags: &[],
        categories: &[],
        subcommands: CONFIG,
        ..BASE
    },
];

const COMMAND: &[Command] = &[
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
];

const CONFIG: &[Command] = &[Command {
    name: "get",
    syntax: "CONFIG GET parameter [parameter ...]",
    summary: "Get the values of configuration parameters",
    since: "2.0.0",
    complexity: "O(N) when N is the number of configuration parameters provided",
    arity: -3,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    run: config_get,
    ..BASE
}];

/// The parameters of a Redis that clients and tools ask for, with what holds here.
fn parameters(context: &Context<'_>) -> [(&'static str, String); 14] {
    let options = &context.server.options;
    let cache = context.cache().options();
    [
        ("appendonly", "no".into()),
        ("bind", options.bind.to_string()),
        ("databases", crate::database::DATABASES.to_string()),
        ("io-threads", options.threads.to_string()),
        ("maxclients", options.limits.clients.to_string()),
        ("maxmemory", context.cache().stats().max_bytes.to_string()),
        ("maxmemory-policy", info::policy_name(cache.policy).into()),
        ("notify-keyspace-events", String::new()),
        ("port", context.server.address.port().to_string()),
        ("proto-max-bulk-len", options.limits.request.bulk_bytes.to_string()),
        ("requirepass", String::new()),
        ("save", String::new()),
        ("tcp-keepalive", "300".into()),
        ("timeout", "0".into()),
    ]
}

fn time(context: &mut Context<'_>, _args: Args<'_>) {
    let now_ms = context.server.now_ms();
    reply::array(context.output.bytes(), 2);
    context.bulk((now_ms / 1000).to_string().as_bytes());
    context.bulk((now_ms % 1000 * 1000).to_string().as_bytes());
}

fn config_get(context: &mut Context<'_>, args: Args<'_>) {
    let patterns: Vec<Vec<u8>> = args.skip(2).iter().map(<[u8]>::to_ascii_lowercase).collect();
    let chosen: Vec<_> = parameters(context)
        .into_iter()
        .filter(|(name, _)| patterns.iter().any(|pattern| glob::matches(pattern, name.as_bytes())))
        .collect();
    let protocol = context.client.protocol;
    let out = context.output.bytes();
    reply::map(out, protocol, chosen.len());
    for (name, value) in &chosen {
        reply::bulk(out, name.as_bytes());
        reply::bulk(out, value.as_bytes());
    }
}
