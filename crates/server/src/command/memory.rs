//! `MEMORY`: where the memory is.

use std::sync::atomic::Ordering::Relaxed;

use tandem_wire::{Args, reply};

use super::{Command, Context, info, server};

/// What the subcommands have in common.
const BASE: Command = Command { since: "4.0.0", arity: 2, flags: &[], categories: &[], ..server::BASE };

pub(super) const SUBCOMMANDS: &[Command] = &[
    Command { name: "doctor", syntax: "MEMORY DOCTOR", summary: "Outputs memory problems report", run: doctor, ..BASE },
    Command { name: "stats", syntax: "MEMORY STATS", summary: "Show memory usage details", run: stats, ..BASE },
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
    let resident = info::resident_bytes().unwrap_or_default();
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
    let resident = info::resident_bytes().unwrap_or_default();
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
