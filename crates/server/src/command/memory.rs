//! `MEMORY`: where the memory is.

use std::sync::atomic::Ordering::Relaxed;

use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::{Command, Context, Flag, Group, Keys, access, help, refusal, server};
use crate::observe::process;

/// What the subcommands have in common.
const BASE: Command = Command { since: "4.0.0", arity: 2, flags: &[], categories: &[], ..server::BASE };

pub(super) const SUBCOMMANDS: &[Command] = &[
    Command { name: "doctor", syntax: "MEMORY DOCTOR", summary: "Outputs memory problems report", run: doctor, ..BASE },
    help::subcommand((Group::Server, &[]), "MEMORY HELP", "4.0.0", |context, _| help::reply(context, help::MEMORY)),
    Command {
        name: "malloc-stats",
        syntax: "MEMORY MALLOC-STATS",
        summary: "Show allocator internal stats; the allocator here keeps none",
        complexity: "O(1)",
        run: malloc_stats,
        ..BASE
    },
    Command {
        name: "purge",
        syntax: "MEMORY PURGE",
        summary: "Ask the allocator to release memory",
        complexity: "Depends on how much memory is allocated",
        run: purge,
        ..BASE
    },
    Command { name: "stats", syntax: "MEMORY STATS", summary: "Show memory usage details", run: stats, ..BASE },
    Command {
        name: "usage",
        syntax: "MEMORY USAGE key [SAMPLES count]",
        summary: "Estimate the memory usage of a key; counted here, not sampled",
        complexity: "O(1)",
        arity: -3,
        flags: &[Flag::ReadOnly],
        keys: Keys { first: 2, last: 2, step: 1 },
        access: &[access::LOOK],
        run: usage,
        ..BASE
    },
];

/// From so much resident memory in proportion to what is used on, the process is worth a look.
const FRAGMENTED: f64 = 1.5;
/// Below so many bytes proportions say nothing.
const TOO_LITTLE: u64 = 32 << 20;
/// Part of the bound at which entries are about to be evicted.
const NEARLY_FULL: f64 = 0.95;

/// The fields of Redis that have a meaning here, then our own.
fn stats(context: &mut Context<'_>, _args: Args<'_>) {
    let stats = context.cache().stats();
    let buffers = context.server.buffer_bytes.load(Relaxed) as u64;
    let resident = process::resident_bytes().unwrap_or_default();
    let total = stats.bytes + buffers;
    let dataset = stats.key_bytes + stats.value_bytes;
    let fields = [
        ("total.allocated", total),
        ("clients.normal", buffers),
        ("overhead.total", total - dataset),
        ("keys.count", stats.entries),
        ("keys.bytes-per-key", stats.bytes.checked_div(stats.entries).unwrap_or_default()),
        ("dataset.bytes", dataset),
        ("allocator.resident", resident),
        ("tandem.key.bytes", stats.key_bytes),
        ("tandem.value.bytes", stats.value_bytes),
        ("tandem.overhead.bytes", stats.overhead_bytes),
        ("tandem.dead.bytes", stats.dead_bytes),
        ("tandem.reserve.bytes", stats.reserve_bytes),
    ];
    let protocol = context.client.protocol;
    let out = context.output.bytes();
    reply::map(out, protocol, fields.len());
    for (name, value) in fields {
        reply::bulk(out, name.as_bytes());
        reply::integer(out, value as i64);
    }
}

fn doctor(context: &mut Context<'_>, _args: Args<'_>) {
    let stats = context.cache().stats();
    let buffers = context.server.buffer_bytes.load(Relaxed);
    let resident = process::resident_bytes().unwrap_or_default();
    let used = stats.bytes + buffers as u64;
    let mut findings = Vec::new();
    if resident > TOO_LITTLE && resident as f64 > used as f64 * FRAGMENTED {
        findings.push(format!("the process holds {resident} bytes, the cache and its clients account for {used}"));
    }
    if stats.bytes as f64 > stats.max_bytes as f64 * NEARLY_FULL {
        findings.push(format!("the cache is full; {} entries have been evicted so far", stats.evictions));
    }
    if buffers > context.server.buffer_limit / 2 {
        findings.push(format!("clients hold {buffers} of {} bytes allowed for buffers", context.server.buffer_limit));
    }
    if stats.resets > 0 {
        findings.push(format!("{} defects each emptied a part of the cache; please report them", stats.resets));
    }
    let text = if findings.is_empty() { "Nothing to report.\n".into() } else { findings.join("\n") + "\n" };
    reply::verbatim(context.output.bytes(), context.client.protocol, text.as_bytes());
}

/// What the allocator of the entries keeps is in `MEMORY STATS`; Redis says this where its own keeps nothing, either.
fn malloc_stats(context: &mut Context<'_>, _args: Args<'_>) {
    context.bulk(b"Stats not supported for the current allocator");
}

fn purge(context: &mut Context<'_>, _args: Args<'_>) {
    context.server.trim.purge();
    context.ok();
}

fn usage(context: &mut Context<'_>, args: Args<'_>) {
    // As every entry knows what it takes, there is nothing to sample; the option is only checked.
    for at in (3..args.len()).step_by(2) {
        if !args[at].eq_ignore_ascii_case(b"samples") || at + 1 == args.len() {
            return context.error(refusal::SYNTAX);
        }
        match parse_i64(&args[at + 1]) {
            None => return context.error(refusal::NOT_INTEGER),
            Some(..0) => return context.error(refusal::SYNTAX),
            Some(_) => {}
        }
    }
    let key = context.keys.stored(context.client.db, &args[2]);
    match context.server.cache.describe_entry(key) {
        Some(entry) => context.integer(entry.bytes as i64),
        None => context.null(),
    }
}
