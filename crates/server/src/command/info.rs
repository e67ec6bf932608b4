//! `INFO`: what is going on, in the lines that tools for Redis look for. Fields of what has no counterpart here, such as
//! replicas or a saved copy, say that there is none.

mod activity;
mod memory;

use std::fmt::{self, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tandem_engine::PolicyKind;
use tandem_wire::{Args, reply};

use super::Context;
use crate::census::{self, Database};
use crate::clients::Card;
use crate::observe::process;

/// The Redis whose protocol and commands are spoken here; clients decide by it what they may send.
pub(crate) const REDIS_VERSION: &str = "7.0.15";

/// A section: its name in `INFO name`, its title, and what writes its lines.
type Section = (&'static str, &'static str, fn(&Context<'_>, &mut String) -> fmt::Result);

const SECTIONS: [Section; 14] = [
    ("server", "Server", server),
    ("clients", "Clients", clients),
    ("memory", "Memory", memory::memory),
    ("persistence", "Persistence", persistence),
    ("stats", "Stats", activity::stats),
    ("replication", "Replication", replication),
    ("cpu", "CPU", cpu),
    ("modules", "Modules", |_, _| Ok(())),
    ("commandstats", "Commandstats", activity::commands),
    ("errorstats", "Errorstats", activity::errors),
    ("latencystats", "Latencystats", activity::latencies),
    ("cluster", "Cluster", cluster),
    ("keyspace", "Keyspace", keyspace),
    ("tandem", "Tandem", activity::own),
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
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    write!(
        text,
        "redis_version:{REDIS_VERSION}\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:0\r\n\
         tandem_version:{}\r\nredis_mode:standalone\r\nos:{} {}\r\narch_bits:{}\r\nmultiplexing_api:epoll\r\n\
         process_id:{}\r\nprocess_supervised:no\r\nrun_id:{}\r\ntcp_port:{}\r\nserver_time_usec:{}\r\n\
         uptime_in_seconds:{uptime}\r\nuptime_in_days:{}\r\nconfig_file:\r\nio_threads:{}\r\nio_threads_active:{}\r\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        usize::BITS,
        std::process::id(),
        shared.run_id,
        shared.address.port(),
        now.as_micros(),
        uptime / 86_400,
        shared.options.threads,
        u8::from(shared.options.threads > 1),
    )
}

fn clients(context: &Context<'_>, text: &mut String) -> fmt::Result {
    let shared = context.server;
    write!(
        text,
        "connected_clients:{}\r\ncluster_connections:0\r\nmaxclients:{}\r\nblocked_clients:{}\r\n\
         tracking_clients:{}\r\nclients_in_timeout_table:0\r\n",
        shared.clients.load(Relaxed),
        shared.options.limits.clients,
        shared.table.count(Card::is_blocked),
        shared.observer.tracking.totals().clients,
    )
}

fn persistence(_context: &Context<'_>, text: &mut String) -> fmt::Result {
    text.write_str(
        "loading:0\r\nasync_loading:0\r\nrdb_changes_since_last_save:0\r\nrdb_bgsave_in_progress:0\r\n\
         rdb_last_save_time:0\r\nrdb_last_bgsave_status:ok\r\nrdb_last_bgsave_time_sec:-1\r\n\
         rdb_current_bgsave_time_sec:-1\r\naof_enabled:0\r\naof_rewrite_in_progress:0\r\n\
         aof_rewrite_scheduled:0\r\naof_last_rewrite_time_sec:-1\r\naof_current_rewrite_time_sec:-1\r\n\
         aof_last_bgrewrite_status:ok\r\naof_last_write_status:ok\r\n",
    )
}

fn replication(context: &Context<'_>, text: &mut String) -> fmt::Result {
    write!(
        text,
        "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\nmaster_replid:{}\r\n\
         master_replid2:{:040}\r\nmaster_repl_offset:0\r\nsecond_repl_offset:-1\r\nrepl_backlog_active:0\r\n\
         repl_backlog_size:0\r\nrepl_backlog_first_byte_offset:0\r\nrepl_backlog_histlen:0\r\n",
        context.server.run_id, 0,
    )
}

fn cpu(_context: &Context<'_>, text: &mut String) -> fmt::Result {
    let Some((user, system)) = process::cpu_seconds() else { return Ok(()) };
    write!(
        text,
        "used_cpu_sys:{system:.6}\r\nused_cpu_user:{user:.6}\r\nused_cpu_sys_children:0.000000\r\n\
         used_cpu_user_children:0.000000\r\n"
    )
}

fn cluster(_context: &Context<'_>, text: &mut String) -> fmt::Result {
    text.write_str("cluster_enabled:0\r\n")
}

fn keyspace(context: &Context<'_>, text: &mut String) -> fmt::Result {
    let databases = census::count(context.server);
    for (db, Database { keys, expires, avg_ttl_ms }) in
        databases.into_iter().enumerate().filter(|(_, one)| one.keys > 0)
    {
        write!(text, "db{db}:keys={keys},expires={expires},avg_ttl={avg_ttl_ms}\r\n")?;
    }
    Ok(())
}
