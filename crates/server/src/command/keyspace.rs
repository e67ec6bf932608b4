//! Commands over all keys of a database.

use tandem_engine::{Condition, Error, ScanEntry, Scope};
use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::keys::{BASE, type_name};
use super::{Category, Command, Context, Flag, Group, Keys, parse, refusal};
use crate::glob;

const OVER_ALL: Command = Command { keys: Keys::NONE, ..BASE };
const FLUSH: Command = Command {
    arity: -1,
    flags: &[Flag::Write],
    categories: &[Category::Keyspace, Category::Dangerous],
    group: Group::Server,
    ..OVER_ALL
};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "scan",
        syntax: "SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]",
        summary: "Incrementally iterate the keys space",
        since: "2.8.0",
        complexity: "O(1) for every call. O(N) for a complete iteration.",
        arity: -2,
        flags: &[Flag::ReadOnly],
        run: scan,
        ..OVER_ALL
    },
    Command {
        name: "keys",
        syntax: "KEYS pattern",
        summary: "Find all keys matching the given pattern",
        complexity: "O(N) with N being the number of keys in the cache.",
        flags: &[Flag::ReadOnly],
        categories: &[Category::Keyspace, Category::Dangerous],
        run: keys,
        ..OVER_ALL
    },
    Command {
        name: "randomkey",
        syntax: "RANDOMKEY",
        summary: "Return a random key from the keyspace",
        complexity: "O(1); O(N) where nearly all keys are in other databases.",
        arity: 1,
        flags: &[Flag::ReadOnly],
        run: randomkey,
        ..OVER_ALL
    },
    Command {
        name: "dbsize",
        syntax: "DBSIZE",
        summary: "Return the number of keys in the selected database",
        complexity: "O(1) while only database 0 has been selected since the start, else O(N).",
        arity: 1,
        group: Group::Server,
        run: dbsize,
        ..OVER_ALL
    },
    Command {
        name: "flushall",
        syntax: "FLUSHALL [ASYNC | SYNC]",
        summary: "Remove all keys from all databases",
        run: flushall,
        ..FLUSH
    },
    Command {
        name: "flushdb",
        syntax: "FLUSHDB [ASYNC | SYNC]",
        summary: "Remove all keys from the current database",
        complexity: "O(1) while only database 0 has been selected since the start, else O(N).",
        run: flushdb,
        ..FLUSH
    },
];

/// Entries looked at by one `SCAN`, whatever `COUNT` asks for.
const MAX_SCAN_ENTRIES: usize = 100_000;
/// Steps of one `SCAN`: pages may be empty, and the others wait meanwhile.
const MAX_SCAN_STEPS: usize = 10_000;
const DEFAULT_SCAN_ENTRIES: usize = 10;

/// Options of `SCAN`.
struct ScanOptions<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    type_name: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    fn parse(args: &'a Args<'a>) -> Result<Self, &'static str> {
        let mut options = Self { pattern: None, count: DEFAULT_SCAN_ENTRIES, type_name: None };
        for at in (0..args.len()).step_by(2) {
            if at + 1 == args.len() {
                return Err(refusal::SYNTAX);
            }
            let value = &args[at + 1];
            match args[at].to_ascii_lowercase().as_slice() {
                b"match" => options.pattern = Some(value),
                b"type" => options.type_name = Some(value),
                b"count" => match parse_i64(value) {
                    None => return Err(refusal::NOT_INTEGER),
                    Some(count) if count < 1 => return Err(refusal::SYNTAX),
                    Some(count) => options.count = count as usize,
                },
                _ => return Err(refusal::SYNTAX),
            }
        }
        Ok(options)
    }

    fn wants(&self, key: &[u8], entry: &ScanEntry) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, key))
            && self.type_name.is_none_or(|name| name.eq_ignore_ascii_case(type_name(entry.kind).as_bytes()))
    }
}

fn scan(context: &mut Context<'_>, args: Args<'_>) {
    let Some(mut cursor) = parse::cursor(&args[1]) else { return context.error("ERR invalid cursor") };
    let rest = args.skip(2);
    let options = match ScanOptions::parse(&rest) {
        Ok(options) => options,
        Err(message) => return context.error(message),
    };
    let (mut page, mut chosen, mut seen) = (Vec::new(), Vec::new(), 0);
    for _ in 0..MAX_SCAN_STEPS {
        page.clear();
        cursor = context.cache().scan(cursor, &mut page);
        seen += page.len();
        for entry in page.drain(..) {
            let (db, key) = context.server.databases.split(&entry.key);
            if db == context.client.db && options.wants(key, &entry) {
                chosen.push(key.to_vec());
            }
        }
        if cursor == 0 || seen >= options.count.min(MAX_SCAN_ENTRIES) {
            break;
        }
    }
    let out = context.output.bytes();
    reply::array(out, 2);
    reply::bulk(out, cursor.to_string().as_bytes());
    reply::array(out, chosen.len());
    chosen.iter().for_each(|key| reply::bulk(out, key));
}

/// Calls `visit` with every key of the selected database, without its prefix, and as it is stored.
fn each_key(context: &Context<'_>, mut visit: impl FnMut(&[u8], &[u8])) {
    let (mut page, mut cursor) = (Vec::new(), 0);
    loop {
        cursor = context.cache().scan(cursor, &mut page);
        for entry in page.drain(..) {
            let (db, key) = context.server.databases.split(&entry.key);
            if db == context.client.db {
                visit(key, &entry.key);
            }
        }
        if cursor == 0 {
            return;
        }
    }
}

fn keys(context: &mut Context<'_>, args: Args<'_>) {
    let (mut found, mut count) = (Vec::new(), 0);
    let limit = context.copied_limit();
    each_key(context, |key, _| {
        if found.len() <= limit && glob::matches(&args[1], key) {
            reply::bulk(&mut found, key);
            count += 1;
        }
    });
    let out = context.output.bytes();
    reply::array(out, count);
    out.extend_from_slice(&found);
}

fn randomkey(context: &mut Context<'_>, _args: Args<'_>) {
    let (db, databases) = (context.client.db, &context.server.databases);
    match context.cache().random_key(|stored| databases.split(stored).0 == db) {
        Some(stored) => context.bulk(databases.split(&stored).1),
        None => context.null(),
    }
}

/// Whether every key there is belongs to the selected database.
fn is_alone(context: &Context<'_>) -> bool {
    context.client.db == 0 && context.server.databases.is_single()
}

fn dbsize(context: &mut Context<'_>, _args: Args<'_>) {
    let mut count = 0;
    if is_alone(context) {
        count = context.cache().len() as i64;
    } else {
        each_key(context, |_, _| count += 1);
    }
    context.integer(count);
}

/// Whether the options of a flush are right: both ways of flushing are the same here.
fn flush_options(args: Args<'_>) -> bool {
    match args.len() {
        1 => true,
        2 => args[1].eq_ignore_ascii_case(b"async") || args[1].eq_ignore_ascii_case(b"sync"),
        _ => false,
    }
}

fn flushall(context: &mut Context<'_>, args: Args<'_>) {
    if !flush_options(args) {
        return context.error(refusal::SYNTAX);
    }
    clear(context);
}

/// Empties the cache, at one moment for all who look.
fn clear(context: &mut Context<'_>) {
    let cache = context.cache();
    let cleared = cache.transaction(Scope::All, |_| {
        cache.clear();
        Ok::<_, Error>(())
    });
    match cleared {
        Ok(()) => context.ok(),
        Err(error) => refusal::engine(context, &error),
    }
}

fn flushdb(context: &mut Context<'_>, args: Args<'_>) {
    if !flush_options(args) {
        return context.error(refusal::SYNTAX);
    }
    if is_alone(context) {
        return clear(context);
    }
    let cache = context.cache();
    let mut refused = None;
    each_key(context, |_, stored| {
        if let Err(error) = cache.delete(stored, Condition::Always) {
            refused = Some(error);
        }
    });
    match refused {
        None => context.ok(),
        Some(error) => refusal::engine(context, &error),
    }
}
