//! `OBJECT`: what is known of an entry beside its value.

use tandem_engine::{EntryInfo, Kind, PolicyKind, ReadMode};
use tandem_wire::Args;
use tandem_wire::number::parse_i64;

use super::{Category, Command, Context, Flag, Group, Keys, access, help, refusal};

const BASE: Command = Command {
    since: "2.2.3",
    arity: 3,
    flags: &[Flag::ReadOnly],
    categories: &[Category::Keyspace],
    keys: Keys { first: 2, last: 2, step: 1 },
    ..super::BASE
};

/// The family.
pub(super) const COMMANDS: &[Command] = &[Command {
    name: "object",
    syntax: "OBJECT subcommand",
    summary: "A container for object introspection commands",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: &[],
    categories: &[],
    keys: Keys::NONE,
    subcommands: SUBCOMMANDS,
    ..BASE
}];

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "encoding",
        syntax: "OBJECT ENCODING key",
        summary: "Inspect the internal encoding that Redis would have for the value of a key",
        complexity: "O(1)",
        access: &[access::LOOK],
        run: encoding,
        ..BASE
    },
    Command {
        name: "freq",
        syntax: "OBJECT FREQ key",
        summary: "Get the number of recent uses of a key, from 0 to 3; with the policy default",
        since: "4.0.0",
        access: &[access::LOOK],
        run: freq,
        ..BASE
    },
    Command {
        name: "idletime",
        syntax: "OBJECT IDLETIME key",
        summary: "Get the seconds since the last use of a key; with the policy lru and an idle ttl",
        access: &[access::LOOK],
        run: idletime,
        ..BASE
    },
    Command {
        name: "refcount",
        syntax: "OBJECT REFCOUNT key",
        summary: "Get the number of references to the value of a key, which is always 1",
        access: &[access::LOOK],
        run: |context, args| with_entry(context, args, |context, _| context.integer(1)),
        ..BASE
    },
    help::subcommand((Group::Generic, &[Category::Keyspace]), "OBJECT HELP", "6.2.0", |context, _| {
        help::reply(context, HELP)
    }),
];

/// Redis keeps strings up to this length inside the object.
const EMBEDDED_BYTES: usize = 44;
const NO_LFU: &str = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
    switching between policies at runtime LRU and LFU data will take some time to adjust.";
const LFU: &str = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching \
    between policies at runtime LRU and LFU data will take some time to adjust.";
const NO_IDLE_TTL: &str = "ERR idle time not tracked: only entries with an idle ttl remember their last use";
const HELP: &[&str] = &[
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
    "HELP",
    "    Prints this help.",
];

/// Replies with what `answer` makes of the entry under the key, or with nothing.
fn with_entry(context: &mut Context<'_>, args: Args<'_>, answer: impl FnOnce(&mut Context<'_>, EntryInfo)) {
    let key = context.keys.stored(context.client.db, &args[2]);
    match context.server.cache.describe_entry(key) {
        Some(entry) => answer(context, entry),
        None => context.null(),
    }
}

fn encoding(context: &mut Context<'_>, args: Args<'_>) {
    let key = context.keys.stored(context.client.db, &args[2]);
    let cache = &context.server.cache;
    let encoding = cache.read(key, ReadMode::Peek, |found| match found.kind {
        Kind::Hash | Kind::Set => Err(found.kind),
        Kind::Integer => Ok("int"),
        _ if parse_i64(found.bytes).is_some() => Ok("int"),
        _ if found.bytes.len() <= EMBEDDED_BYTES => Ok("embstr"),
        _ => Ok("raw"),
    });
    let encoding = match encoding {
        None => Ok(None),
        Some(Ok(string)) => Ok(Some(string)),
        Some(Err(kind)) => cache.read_collection(key, kind, ReadMode::Peek, |elements| match kind {
            _ if elements.is_hashtable() => "hashtable",
            Kind::Hash => "listpack",
            _ => "intset",
        }),
    };
    match encoding {
        Ok(Some(encoding)) => context.bulk(encoding.as_bytes()),
        Ok(None) => context.null(),
        Err(error) => refusal::engine(context, &error),
    }
}

fn freq(context: &mut Context<'_>, args: Args<'_>) {
    let policy = context.cache().options().policy;
    with_entry(context, args, |context, entry| match policy {
        PolicyKind::Default => context.integer(i64::from(entry.uses)),
        PolicyKind::Lru => context.error(NO_LFU),
    });
}

fn idletime(context: &mut Context<'_>, args: Args<'_>) {
    let policy = context.cache().options().policy;
    with_entry(context, args, |context, entry| match (policy, entry.idle_ms) {
        (PolicyKind::Default, _) => context.error(LFU),
        (PolicyKind::Lru, Some(ms)) => context.integer((ms / 1000) as i64),
        (PolicyKind::Lru, None) => context.error(NO_IDLE_TTL),
    });
}
