//! The sections of `INFO` about what was done.

use std::fmt::{self, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::Context;
use crate::observe::summaries;

pub(super) fn stats(context: &Context<'_>, text: &mut String) -> fmt::Result {
    let shared = context.server;
    let stats = context.cache().stats();
    let tracked = shared.observer.tracking.totals();
    let (commands, bytes_in, bytes_out) = shared.totals();
    let [per_second, input, output] = shared.rates.of([commands, bytes_in, bytes_out], Instant::now());
    write!(
        text,
        "total_connections_received:{}\r\ntotal_commands_processed:{commands}\r\n\
         instantaneous_ops_per_sec:{per_second:.0}\r\ntotal_net_input_bytes:{bytes_in}\r\n\
         total_net_output_bytes:{bytes_out}\r\ninstantaneous_input_kbps:{:.2}\r\n\
         instantaneous_output_kbps:{:.2}\r\nrejected_connections:{}\r\nsync_full:0\r\nsync_partial_ok:0\r\n\
         sync_partial_err:0\r\nexpired_keys:{}\r\nevicted_keys:{}\r\nevicted_clients:0\r\n\
         keyspace_hits:{}\r\nkeyspace_misses:{}\r\npubsub_channels:{}\r\npubsub_patterns:{}\r\n\
         pubsubshard_channels:0\r\nlatest_fork_usec:0\r\ntotal_forks:0\r\nmigrate_cached_sockets:0\r\n\
         slave_expires_tracked_keys:0\r\nactive_defrag_hits:0\r\nactive_defrag_misses:0\r\n\
         active_defrag_key_hits:0\r\nactive_defrag_key_misses:0\r\ntracking_total_keys:{}\r\n\
         tracking_total_items:{}\r\ntracking_total_prefixes:{}\r\nunexpected_error_replies:{}\r\n\
         total_error_replies:{}\r\nclient_output_buffer_limit_disconnections:{}\r\n",
        shared.accepted.load(Relaxed),
        input / 1024.0,
        output / 1024.0,
        shared.rejected.load(Relaxed),
        stats.expirations,
        stats.evictions,
        stats.hits,
        stats.misses,
        shared.pubsub.channels().len(),
        shared.pubsub.patterns(),
        tracked.keys,
        tracked.readers,
        tracked.prefixes,
        shared.panics.load(Relaxed),
        shared.errors.all().values().sum::<u64>(),
        shared.cut.load(Relaxed),
    )
}

pub(super) fn commands(context: &Context<'_>, text: &mut String) -> fmt::Result {
    for (name, summary) in summaries(context.server.loops.iter().map(|one| &*one.stats)) {
        let each = summary.usec_per_call();
        writeln!(
            text,
            "cmdstat_{name}:calls={},usec={:.0},usec_per_call={each:.2},rejected_calls={},failed_calls={}\r",
            summary.calls,
            each * summary.calls as f64,
            summary.rejected,
            summary.failed,
        )?;
    }
    Ok(())
}

pub(super) fn errors(context: &Context<'_>, text: &mut String) -> fmt::Result {
    for (code, count) in context.server.errors.all() {
        writeln!(text, "errorstat_{code}:count={count}\r")?;
    }
    Ok(())
}

pub(super) fn latencies(context: &Context<'_>, text: &mut String) -> fmt::Result {
    for (name, summary) in summaries(context.server.loops.iter().map(|one| &*one.stats)) {
        if summary.timed > 0 {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|part| summary.times.quantile(part) as f64 / 1e3);
            writeln!(text, "latency_percentiles_usec_{name}:p50={p50:.3},p99={p99:.3},p99.9={p999:.3}\r")?;
        }
    }
    Ok(())
}

/// What no Redis has.
pub(super) fn own(context: &Context<'_>, text: &mut String) -> fmt::Result {
    let shared = context.server;
    let stats = context.cache().stats();
    write!(
        text,
        "tandem_gates:{}\r\ntandem_resets:{}\r\ntandem_compressed:{}\r\ntandem_shards:{}\r\n\
         tandem_buffer_bytes:{}\r\ntandem_buffer_limit:{}\r\ntandem_clients_silent:{}\r\n\
         tandem_refused_passwords:{}\r\ntandem_slow_requests:{}\r\n",
        stats.gates,
        stats.resets,
        stats.compressed,
        stats.shards,
        shared.buffer_bytes.load(Relaxed),
        shared.buffer_limit,
        shared.silent.load(Relaxed),
        shared.refused_passwords.load(Relaxed),
        shared.slowlog.len(),
    )
}
