//! `CONFIG`: a fixed list of parameters, of which some can be changed. None of them names a path.

use std::sync::atomic::Ordering::Relaxed;

use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::{Command, Context, Flag, Group, help, info, refusal, server};
use crate::connection::Special;
use crate::glob;
use crate::notify::Notify;
use crate::observe::SLOWLOG_MAX_LEN;

/// What the subcommands have in common.
const BASE: Command =
    Command { since: "2.0.0", flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale], ..server::BASE };

pub(super) const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "get",
        syntax: "CONFIG GET parameter [parameter ...]",
        summary: "Get the values of configuration parameters",
        complexity: "O(N) when N is the number of configuration parameters provided",
        arity: -3,
        run: get,
        ..BASE
    },
    help::subcommand((Group::Server, &[]), "CONFIG HELP", "5.0.0", |context, _| help::reply(context, help::CONFIG)),
    Command {
        name: "resetstat",
        syntax: "CONFIG RESETSTAT",
        summary: "Reset the stats returned by INFO",
        arity: 2,
        run: reset_statistics,
        ..BASE
    },
    Command {
        name: "rewrite",
        syntax: "CONFIG REWRITE",
        summary: "Refused: the server writes no configuration file",
        since: "2.8.0",
        arity: 2,
        run: |context, _| context.error("ERR The server is running without a config file"),
        ..BASE
    },
    Command {
        name: "set",
        syntax: "CONFIG SET parameter value [parameter value ...]",
        summary: "Set configuration parameters to the given values",
        complexity: "O(N) when N is the number of configuration parameters provided",
        arity: -4,
        run: set,
        ..BASE
    },
];

/// The parameters of a Redis that clients and tools ask for, with what holds here.
fn parameters(context: &Context<'_>) -> Vec<(&'static str, String)> {
    let options = &context.server.options;
    let cache = context.cache().options();
    let slowlog = &context.server.slowlog;
    vec![
        ("appendonly", "no".into()),
        ("bind", options.bind.to_string()),
        ("databases", crate::database::DATABASES.to_string()),
        ("io-threads", options.threads.to_string()),
        ("maxclients", options.limits.clients.to_string()),
        ("maxmemory", context.cache().stats().max_bytes.to_string()),
        ("maxmemory-policy", info::policy_name(cache.policy).into()),
        ("notify-keyspace-events", context.server.observer.notify.letters()),
        ("port", context.server.address.port().to_string()),
        ("proto-max-bulk-len", options.limits.request.bulk_bytes.to_string()),
        ("requirepass", String::new()),
        ("save", String::new()),
        ("slowlog-log-slower-than", slowlog.threshold_us.load(Relaxed).to_string()),
        ("slowlog-max-len", slowlog.max_len.load(Relaxed).to_string()),
        ("tcp-keepalive", options.limits.keepalive.map_or(0, |time| time.as_secs()).to_string()),
        ("timeout", options.limits.idle.map_or(0, |time| time.as_secs()).to_string()),
    ]
}

fn get(context: &mut Context<'_>, args: Args<'_>) {
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

fn reset_statistics(context: &mut Context<'_>, _args: Args<'_>) {
    context.server.loops.iter().for_each(|one| one.stats.reset());
    context.server.errors.reset();
    context.ok();
}

/// A change that was found to be allowed.
enum Change {
    MaxMemory(u64),
    SlowerThan(i64),
    MaxLen(usize),
    /// Classes of keyspace events.
    Events(u16),
    /// The parameter has this value already.
    None,
}

/// All of the parameters are checked before the first is changed.
fn set(context: &mut Context<'_>, args: Args<'_>) {
    let pairs = args.skip(2);
    if pairs.len() % 2 == 1 {
        return context.error("ERR wrong number of arguments for 'config|set' command");
    }
    let known = parameters(context);
    let mut changes: Vec<(&str, Change)> = Vec::new();
    for number in (0..pairs.len()).step_by(2) {
        let (name, value) = (&pairs[number], &pairs[number + 1]);
        let Some((name, present)) = known.iter().find(|(one, _)| name.eq_ignore_ascii_case(one.as_bytes())) else {
            return refusal::repeating(
                context,
                "ERR Unknown option or number of arguments for CONFIG SET - '",
                name,
                "'",
            );
        };
        let change = if changes.iter().any(|(earlier, _)| earlier == name) {
            Err("duplicate parameter".into())
        } else {
            check(name, value, present)
        };
        match change {
            Ok(change) => changes.push((name, change)),
            Err(reason) => return refused(context, name, &reason),
        }
    }
    for (name, change) in changes {
        let slowlog = &context.server.slowlog;
        match change {
            Change::MaxMemory(bytes) => {
                if let Err(error) = context.cache().resize(bytes) {
                    return refused(context, name, &error.to_string());
                }
            }
            Change::SlowerThan(us) => slowlog.threshold_us.store(us, Relaxed),
            Change::MaxLen(len) => slowlog.max_len.store(len, Relaxed),
            Change::Events(classes) => {
                context.server.observer.notify.set(classes);
                context.server.observer.refresh(context.server);
                context.client.special.insert(Special::OBSERVED);
            }
            Change::None => {}
        }
    }
    context.ok();
}

fn refused(context: &mut Context<'_>, name: &str, reason: &str) {
    context.error(format_args!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"));
}

fn check(name: &str, value: &[u8], present: &str) -> Result<Change, String> {
    let number = |least: i64, most: i64| match parse_i64(value) {
        None => Err("argument couldn't be parsed into an integer".to_owned()),
        Some(number) if (least..=most).contains(&number) => Ok(number),
        Some(_) => Err(format!("argument must be between {least} and {most} inclusive")),
    };
    match name {
        "maxmemory" => memory(value).map(Change::MaxMemory).ok_or_else(|| "argument must be a memory value".into()),
        "notify-keyspace-events" => Notify::parse(value).map(Change::Events).map_err(str::to_owned),
        "slowlog-log-slower-than" => number(-1, i64::MAX).map(Change::SlowerThan),
        "slowlog-max-len" => number(0, SLOWLOG_MAX_LEN as i64).map(|len| Change::MaxLen(len as usize)),
        _ if value.eq_ignore_ascii_case(present.as_bytes()) => Ok(Change::None),
        _ => Err("can't set immutable config".into()),
    }
}

/// A size such as `100mb`, in Redis' units: `k` is 1,000 bytes, `kb` 1,024.
fn memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = u64::try_from(parse_i64(&text[..digits])?).ok()?;
    let unit = match text[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1_000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}
