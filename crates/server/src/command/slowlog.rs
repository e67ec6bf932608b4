//! `SLOWLOG`: the last requests that took long.

use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::{Command, Context, Flag, Group, help, server};

/// What the subcommands have in common.
const BASE: Command =
    Command { since: "2.2.12", flags: &[Flag::Admin, Flag::Loading, Flag::Stale], categories: &[], ..server::BASE };

pub(super) const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "get",
        syntax: "SLOWLOG GET [count]",
        summary: "Get the slow log's entries",
        complexity: "O(N) where N is the number of entries returned",
        arity: -2,
        run: get,
        ..BASE
    },
    help::subcommand((Group::Server, &[]), "SLOWLOG HELP", "6.2.0", |context, _| help::reply(context, help::SLOWLOG)),
    Command { name: "len", syntax: "SLOWLOG LEN", summary: "Get the slow log's length", arity: 2, run: len, ..BASE },
    Command {
        name: "reset",
        syntax: "SLOWLOG RESET",
        summary: "Clear all entries from the slow log",
        complexity: "O(N) where N is the number of entries in the slowlog",
        arity: 2,
        run: reset,
        ..BASE
    },
];

const DEFAULT_COUNT: usize = 10;

fn get(context: &mut Context<'_>, args: Args<'_>) {
    let count = match args.len() {
        2 => Some(DEFAULT_COUNT),
        3 => match parse_i64(&args[2]) {
            Some(-1) => Some(usize::MAX),
            Some(count) => usize::try_from(count).ok(),
            None => None,
        },
        _ => {
            return context.error("ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.");
        }
    };
    let Some(count) = count else {
        return context.error("ERR count should be greater than or equal to -1");
    };
    let requests = context.server.slowlog.newest(count);
    let out = context.output.bytes();
    reply::array(out, requests.len());
    for request in &requests {
        reply::array(out, 6);
        reply::integer(out, request.id as i64);
        reply::integer(out, request.at_s as i64);
        reply::integer(out, request.took.as_micros() as i64);
        reply::array(out, request.args.len());
        request.args.iter().for_each(|argument| reply::bulk(out, argument));
        reply::bulk(out, request.peer.as_bytes());
        reply::bulk(out, &request.name);
    }
}

fn len(context: &mut Context<'_>, _args: Args<'_>) {
    context.integer(context.server.slowlog.len() as i64);
}

fn reset(context: &mut Context<'_>, _args: Args<'_>) {
    context.server.slowlog.clear();
    context.ok();
}
