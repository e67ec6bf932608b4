//! Which keys are asked for most, and which are the largest.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::keys::type_name;
use super::{Category, Command, Context, Flag, Group, Keys, parse, refusal};
use crate::observe::{COUNTERS, SAMPLE};

/// What the commands of this family have in common.
const BASE: Command = Command {
    name: "",
    syntax: "",
    summary: "",
    since: "0.1.0",
    complexity: "O(1)",
    arity: -1,
    flags: &[Flag::ReadOnly, Flag::NoScript],
    categories: &[Category::Keyspace, Category::Dangerous],
    keys: Keys::NONE,
    access: &[],
    group: Group::Tandem,
    run: refusal::container,
    subcommands: &[],
};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "tandem.hotkeys",
        syntax: "TANDEM.HOTKEYS [COUNT count]",
        summary: "Get the keys that most of the last requests asked for, by a sample of them",
        run: hotkeys,
        ..BASE
    },
    Command {
        name: "tandem.bigkeys",
        syntax: "TANDEM.BIGKEYS cursor [COUNT count]",
        summary: "Get the largest of some of the keys, in at most a millisecond, and where to go on",
        complexity: "O(1) a call, O(N) for all keys",
        arity: -2,
        run: bigkeys,
        ..BASE
    },
];

const DEFAULT_COUNT: usize = 10;
const MAX_BIG_KEYS: usize = 1_000;
/// Time after which a call looks at no further page of the index; one page takes about 0.1 ms.
const SLICE: Duration = Duration::from_micros(400);

/// Parses `[COUNT count]`.
fn count(args: Args<'_>, most: usize) -> Result<usize, String> {
    match args.len() {
        0 => Ok(DEFAULT_COUNT),
        2 if args[0].eq_ignore_ascii_case(b"count") => match parse_i64(&args[1]).map(usize::try_from) {
            None => Err(refusal::NOT_INTEGER.into()),
            Some(Ok(count)) if (1..=most).contains(&count) => Ok(count),
            Some(_) => Err(format!("ERR COUNT must be from 1 to {most}")),
        },
        _ => Err(refusal::SYNTAX.into()),
    }
}

fn hotkeys(context: &mut Context<'_>, args: Args<'_>) {
    let wanted = match count(args.skip(1), COUNTERS) {
        Ok(wanted) => wanted,
        Err(message) => return context.error(message),
    };
    let mut keys: HashMap<Vec<u8>, (u64, u64)> = HashMap::new();
    let mut samples = 0;
    for one in &context.server.loops {
        let hot = one.stats.hot_keys.lock();
        let (counts, of) = hot.counts();
        samples += of;
        for hot in counts {
            let (db, key) = context.server.databases.split(&hot.key);
            if db == context.client.db {
                let (count, excess) = keys.entry(key.to_vec()).or_default();
                *count += hot.count;
                *excess += hot.excess;
            }
        }
    }
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_unstable_by(|(key, (count, _)), (other_key, (other, _))| (other, key).cmp(&(count, other_key)));
    keys.truncate(wanted);

    let requests = |samples: u64| (samples * u64::from(SAMPLE)) as i64;
    let protocol = context.client.protocol;
    let out = context.output.bytes();
    reply::map(out, protocol, 2);
    reply::bulk(out, b"requests");
    reply::integer(out, requests(samples));
    reply::bulk(out, b"keys");
    reply::array(out, keys.len());
    for (key, (count, excess)) in &keys {
        reply::array(out, 3);
        reply::bulk(out, key);
        reply::integer(out, requests(*count));
        reply::integer(out, requests(*excess));
    }
}

fn bigkeys(context: &mut Context<'_>, args: Args<'_>) {
    let Some(mut cursor) = parse::cursor(&args[1]) else { return context.error("ERR invalid cursor") };
    let wanted = match count(args.skip(2), MAX_BIG_KEYS) {
        Ok(wanted) => wanted,
        Err(message) => return context.error(message),
    };
    let begun = Instant::now();
    let (mut page, mut largest) = (Vec::new(), Vec::new());
    loop {
        cursor = context.cache().scan(cursor, &mut page);
        let is_own = |stored: &[u8]| context.server.databases.split(stored).0 == context.client.db;
        largest.extend(page.drain(..).filter(|entry| is_own(&entry.key)));
        if largest.len() > wanted {
            largest.select_nth_unstable_by_key(wanted - 1, |entry| Reverse(entry.bytes));
            largest.truncate(wanted);
        }
        if cursor == 0 || begun.elapsed() >= SLICE {
            break;
        }
    }
    largest.sort_unstable_by(|one, other| (other.bytes, &one.key).cmp(&(one.bytes, &other.key)));
    let out = context.output.bytes();
    reply::array(out, 2);
    reply::bulk(out, cursor.to_string().as_bytes());
    reply::array(out, largest.len());
    for entry in &largest {
        reply::array(out, 3);
        reply::bulk(out, context.server.databases.split(&entry.key).1);
        reply::integer(out, entry.bytes as i64);
        reply::bulk(out, type_name(entry.kind).as_bytes());
    }
}
