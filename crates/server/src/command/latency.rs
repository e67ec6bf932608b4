//! `LATENCY`: how long commands take. Events of the system are not watched, as in a Redis with its defaults.

use tandem_wire::{Args, reply};

use super::{Command, Context, Flag, Group, help, refusal, server};
use crate::observe::{Summary, summaries};

/// What the subcommands have in common.
const BASE: Command = Command {
    since: "2.8.13",
    arity: 2,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    categories: &[],
    ..server::BASE
};

pub(super) const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "doctor",
        syntax: "LATENCY DOCTOR",
        summary: "Return a human readable latency analysis report",
        run: doctor,
        ..BASE
    },
    Command {
        name: "graph",
        syntax: "LATENCY GRAPH event",
        summary: "Return a latency graph for the event",
        arity: 3,
        run: |context, args| refusal::repeating(context, "ERR No samples available for event '", &args[2], "'"),
        ..BASE
    },
    help::subcommand((Group::Server, &[]), "LATENCY HELP", "2.8.13", |context, _| help::reply(context, help::LATENCY)),
    Command {
        name: "histogram",
        syntax: "LATENCY HISTOGRAM [command ...]",
        summary: "Return the cumulative distribution of latencies of a subset of commands or all",
        since: "7.0.0",
        complexity: "O(N) where N is the number of commands with latency information being retrieved.",
        arity: -2,
        run: histogram,
        ..BASE
    },
    Command {
        name: "history",
        syntax: "LATENCY HISTORY event",
        summary: "Return timestamp-latency samples for the event",
        arity: 3,
        run: empty,
        ..BASE
    },
    Command {
        name: "latest",
        syntax: "LATENCY LATEST",
        summary: "Return the latest latency samples for all events",
        run: empty,
        ..BASE
    },
    Command {
        name: "reset",
        syntax: "LATENCY RESET [event ...]",
        summary: "Reset latency data for one or more events",
        arity: -2,
        run: reset,
        ..BASE
    },
];

/// Commands that `LATENCY DOCTOR` names.
const NAMED: usize = 5;

/// There are no samples of events.
fn empty(context: &mut Context<'_>, _args: Args<'_>) {
    reply::array(context.output.bytes(), 0);
}

fn reset(context: &mut Context<'_>, _args: Args<'_>) {
    context.integer(0);
}

fn histogram(context: &mut Context<'_>, args: Args<'_>) {
    let wanted = args.skip(2);
    // A container stands for its subcommands.
    let is_wanted = |name: &str| {
        let container = name.split_once('|').map_or(name, |(container, _)| container);
        wanted.is_empty()
            || wanted.iter().any(|one| [name, container].iter().any(|name| one.eq_ignore_ascii_case(name.as_bytes())))
    };
    let protocol = context.client.protocol;
    let chosen: Vec<(&str, Summary)> = summaries(context.server.loops.iter().map(|one| &*one.stats))
        .filter(|(name, summary)| summary.timed > 0 && is_wanted(name))
        .collect();
    let out = context.output.bytes();
    reply::map(out, protocol, chosen.len());
    for (name, summary) in chosen {
        reply::bulk(out, name.as_bytes());
        reply::map(out, protocol, 2);
        reply::bulk(out, b"calls");
        reply::integer(out, summary.times.count() as i64);
        reply::bulk(out, b"histogram_usec");
        let powers = summary.times.powers_of_two_us();
        reply::map(out, protocol, powers.len());
        for (power, up_to) in powers {
            reply::integer(out, power as i64);
            reply::integer(out, up_to as i64);
        }
    }
}

fn doctor(context: &mut Context<'_>, _args: Args<'_>) {
    let mut commands: Vec<(u64, &str)> = summaries(context.server.loops.iter().map(|one| &*one.stats))
        .filter(|(_, summary)| summary.timed > 0)
        .map(|(name, summary)| (summary.times.quantile(0.99), name))
        .collect();
    commands.sort_unstable_by(|one, other| other.cmp(one));
    let mut text = String::from("Commands by the time that 99 % of them do not exceed:\n");
    for (ns, name) in commands.iter().take(NAMED) {
        text += &format!("{name}: {} us\n", ns.div_ceil(1_000));
    }
    text += &format!("Slow requests that are kept (SLOWLOG GET): {}\n", context.server.slowlog.len());
    reply::verbatim(context.output.bytes(), context.client.protocol, text.as_bytes());
}
