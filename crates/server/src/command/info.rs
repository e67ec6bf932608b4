//! `INFO`: what is going on, in the lines that tools for Redis look for.

use std::fmt::{self, Write};
use std::sync::atomic::Ordering::Relaxed;

use tandem_engine::PolicyKind;
use tandem_wire::{Args, reply};

use super::Context;
use crate::census;
use crate::observe::summaries;

/// The Redis whose protocol and commands are spoken here; clients decide by it what they may send.
pub(crate) const REDIS_VERSION: &str = "7.0.15";

/// A section: its name in `INFO name`, its title, and what writes its lines.
type Section = (&'static str, &'static str, fn(&Context<'_>, &mut String) -> fmt::Result);

const SECTIONS: [Section; 13] = [
    ("server", "Server", server),
    ("clients", "Clients", clients),
    ("memory", "Memory", memory),
    ("persistence", "Persistence", persistence),
    ("stats", "Stats", stats),
    ("replication", "Replication", replication),
    ("cpu", "CPU", cpu),
    ("commandstats", "Commandstats", command_statistics),
    ("latencystats", "Latencystats", latency_statistics),
    ("errorstats", "Errorstats", error_statistics),
    ("cluster", "Cluster", cluster),
    ("keyspace", "Keyspace", keyspace),
    ("tandem", "Tandem", own),
];

/// Sections that come only where they are asked for, or all are.
const LONG: [&str; 2] = ["commandstats", "latencystats"];

/// Names that stand for every section.
const ALL: [&[u8]; 2] = [b"all", b"everything"];

pub(super) fn info(context: &mut Context<'_>, args: Args<'_>) {
    let wanted = args.skip(1);
    let asks_for = |name: &[u8]| wanted.iter().any(|one| one.eq_ignore_ascii_case(name));
    let everything = ALL.iter().any(|name| asks_for(name));
    let usual = wanted.is_empty() || asks_for(b"default");
    let mut text = String::new();
    for (name, title, write) in SECTIONS {
        if everything || asks_for(name.as_bytes()) || (usual && !LONG.contains(&name)) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            text += &format!("# {title}\r\n");
            write(context, &mut text).expect("writing to a String does not fail");
        }
    }
    reply::verbatim(context.output.bytes(), context.client.protocol, text.as_bytes());
}

/// The name that Redis has for an order of eviction.
pub(super) fn policy_name(policy: PolicyKind) -> &'static str {
    match policy {
        PolicyKind::Default => "allkeys-lfu",
        PolicyKind::Lru => "allkeys-lru",
    }
}

fn server(context: &Context<'_>, text: &mut String) -> fmt::Result {
    let shared = context.server;
    let uptime = shared.started.elapsed().as_secs();
    write!(
        text,
        "redis_version:{REDIS_VERSION}\r\ntandem_version:{}\r\nredis_mode:standalone\r\nos:{} {}\r\narch_bits:{}\r\n\
         multiplexing_api:epoll\r\nprocess_id:{}\r\nrun_id:{}\r\ntcp_port:{}\r\nio_threads:{}\r\n\
         uptime_in_seconds:{uptime}\r\nuptime_in_days:{}\r\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        usize::BITS,
        std::process::id(),
        shared.run_id,
        shared.address.port(),
        shared.options.threads,
        uptime / 86_400,
    )
}

fn clients(context: &Context<'_>, text: &mut String) -> fmt::Result {
    let shared = context.server;
    write!(
        text,
        "connected_clients:{}\r\nmaxclients:{}\r\nblocked_clients:0\r\n",
        shared.clients.load(Relaxed),
        shared.options.limits.clients
    )
}

fn memory(context: &Context<'_>, text: &mut String) -> fmt::Result {
    let stats = context.cache().stats();
    let buffers = context.server.buffer_bytes.load(Relaxed) as u64;
    let used = stats.bytes + buffers;
    write!(text, "used_memory:{used}\r\nused_memory_human:{}\r\n", human(used))?;
    if let Some(resident) = resident_bytes() {
        let fragmentation = resident as f64 / used as f64;
        write!(
            text,
            "used_memory_rss:{resident}\r\nused_memory_rss_human:{}\r\nmem_fragmentation_ratio:{fragmentation:.2}\r\n",
            human(resident)
        )?;
    }
    write!(
        text,
        "used_memory_dataset:{}\r\nused_memory_overhead:{}\r\nmem_clients_normal:{buffers}\r\nmaxmemory:{}\r\n\
         maxmemory_human:{}\r\nmaxmemory_policy:{}\r\ntandem_key_bytes:{}\r\ntandem_value_bytes:{}\r\n\
         tandem_raw_value_bytes:{}\r\ntandem_overhead_bytes:{}\r\ntandem_dead_bytes:{}\r\ntandem_reserve_bytes:{}\r\n",
        stats.key_bytes + stats.value_bytes,
        used - (stats.key_bytes + stats.value_bytes),
        stats.max_bytes,
        human(stats.max_bytes),
        policy_name(context.cache().options().policy),
        stats.key_bytes,
        stats.value_bytes,
        stats.raw_value_bytes,
        stats.overhead_bytes,
        stats.dead_bytes,
        stats.reserve_bytes,
    )
}

fn persistence(_context: &Context<'_>, text: &mut String) -> fmt::Result {
    text.write_str("loading:0\r\nrdb_bgsave_in_progress:0\r\naof_enabled:0\r\n")
}

fn stats(context: &Context<'_>, text: &mut String) -> fmt::Result {
    let shared = context.server;
    let stats = context.cache().stats();
    let (commands, bytes_in, bytes_out) = shared.totals();
    write!(
        text,
        "total_connections_received:{}\r\ntotal_commands_processed:{commands}\r\ntotal_net_input_bytes:{bytes_in}\r\n\
         total_net_output_bytes:{bytes_out}\r\nrejected_connections:{}\r\nexpired_keys:{}\r\nevicted_keys:{}\r\n\
         keyspace_hits:{}\r\nkeyspace_misses:{}\r\nclient_output_buffer_limit_disconnections:{}\r\n",
        shared.accepted.load(Relaxed),
        shared.rejected.load(Relaxed),
        stats.expirations,
        stats.evictions,
        stats.hits,
        stats.misses,
        shared.cut.load(Relaxed),
    )?;
    write!(text, "total_error_replies:{}\r\n", shared.errors.all().values().sum::<u64>())
}

fn command_statistics(context: &Context<'_>, text: &mut String) -> fmt::Result {
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

fn latency_statistics(context: &Context<'_>, text: &mut String) -> fmt::Result {
    for (name, summary) in summaries(context.server.loops.iter().map(|one| &*one.stats)) {
        if summary.timed > 0 {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|part| summary.times.quantile(part) as f64 / 1e3);
            writeln!(text, "latency_percentiles_usec_{name}:p50={p50:.3},p99={p99:.3},p99.9={p999:.3}\r")?;
        }
    }
    Ok(())
}

fn error_statistics(context: &Context<'_>, text: &mut String) -> fmt::Result {
    for (code, count) in context.server.errors.all() {
        writeln!(text, "errorstat_{code}:count={count}\r")?;
    }
    Ok(())
}

/// What no Redis has.
fn own(context: &Context<'_>, text: &mut String) -> fmt::Result {
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

fn replication(context: &Context<'_>, text: &mut String) -> fmt::Result {
    write!(
        text,
        "role:master\r\nconnected_slaves:0\r\nmaster_replid:{}\r\nmaster_repl_offset:0\r\n",
        context.server.run_id
    )
}

fn cpu(_context: &Context<'_>, text: &mut String) -> fmt::Result {
    let Some((user, system)) = cpu_seconds() else { return Ok(()) };
    write!(text, "used_cpu_sys:{system:.6}\r\nused_cpu_user:{user:.6}\r\n")
}

fn cluster(_context: &Context<'_>, text: &mut String) -> fmt::Result {
    text.write_str("cluster_enabled:0\r\n")
}

fn keyspace(context: &Context<'_>, text: &mut String) -> fmt::Result {
    for (db, keys) in census::count(context.server).into_iter().enumerate().filter(|&(_, keys)| keys > 0) {
        write!(text, "db{db}:keys={keys},expires=0,avg_ttl=0\r\n")?;
    }
    Ok(())
}

/// Bytes as Redis shows them to people.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "K", "M", "G", "T"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let power = (bytes.ilog2() / 10).min(UNITS.len() as u32 - 1);
    format!("{:.2}{}", bytes as f64 / 1024f64.powi(power as i32), UNITS[power as usize])
}

/// Resident memory of the process, where the system tells.
pub(super) fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse::<u64>().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// User and system time of the process in seconds, where the system tells.
fn cpu_seconds() -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process, in parentheses, may hold spaces; user and system time are fields 14 and 15.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let mut next = || Some(fields.next()?.parse::<f64>().ok()? / ticks);
    Some((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_redis_does() {
        for (bytes, shown) in
            [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1_073_741_824, "1.00G"), (1_610_612_736, "1.50G")]
        {
            assert_eq!(human(bytes), shown);
        }
    }

    #[test]
    fn the_system_tells_memory_and_time() {
        assert!(resident_bytes().unwrap() > 100_000);
        let (user, system) = cpu_seconds().unwrap();
        assert!(user >= 0.0 && system >= 0.0 && user + system < 3_600.0);
    }
}
