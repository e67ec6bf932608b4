//! Keys of any type.

use tandem_engine::{Cache, Condition, Error, Kind, ReadMode};
use tandem_wire::Args;

use super::many::db_keys;
use super::{Category, Command, Context, Flag, Keys, access, refusal};
use crate::atomic::with_keys;

/// What the commands of this family have in common.
pub(super) const BASE: Command = Command { categories: &[Category::Keyspace], ..super::BASE };

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "del",
        syntax: "DEL key [key ...]",
        summary: "Delete a key",
        complexity: "O(N) where N is the number of keys that will be removed.",
        arity: -2,
        flags: &[Flag::Write],
        keys: Keys::ALL,
        access: &[access::REMOVE],
        run: del,
        ..BASE
    },
    Command {
        name: "unlink",
        syntax: "UNLINK key [key ...]",
        summary: "Delete a key; the same as DEL, which never blocks here either",
        since: "4.0.0",
        complexity: "O(1) for each key removed regardless of its size.",
        arity: -2,
        flags: &[Flag::Write, Flag::Fast],
        keys: Keys::ALL,
        access: &[access::REMOVE],
        run: del,
        ..BASE
    },
    Command {
        name: "exists",
        syntax: "EXISTS key [key ...]",
        summary: "Determine if a key exists",
        complexity: "O(N) where N is the number of keys to check.",
        arity: -2,
        keys: Keys::ALL,
        access: &[access::LOOK],
        run: exists,
        ..BASE
    },
    Command {
        name: "touch",
        syntax: "TOUCH key [key ...]",
        summary: "Count the keys that exist, and have that count as a use of each",
        since: "3.2.1",
        complexity: "O(N) where N is the number of keys that will be touched.",
        arity: -2,
        keys: Keys::ALL,
        access: &[access::LOOK],
        run: touch,
        ..BASE
    },
    Command {
        name: "type",
        syntax: "TYPE key",
        summary: "Determine the type stored at key",
        access: &[access::LOOK],
        run: type_of,
        ..BASE
    },
];

/// The name that Redis has for values of a kind.
pub(super) fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Bytes | Kind::Integer | Kind::Coded | Kind::Wire => "string",
        Kind::Hash => "hash",
        Kind::Set => "set",
    }
}

/// Replies with the number of keys for which `one` says yes: of several, all at one moment.
fn count(context: &mut Context<'_>, args: Args<'_>, mut one: impl FnMut(&Cache, &[u8]) -> Result<bool, Error>) {
    let cache = &context.server.cache;
    let counted = if args.len() == 2 {
        one(cache, context.keys.stored(context.client.db, &args[1])).map(i64::from)
    } else {
        with_keys(context.server, &db_keys(context, args.skip(1).iter()), |keys| {
            keys.iter().try_fold(0, |sum, key| Ok(sum + i64::from(one(cache, key)?)))
        })
    };
    match counted {
        Ok(count) => context.integer(count),
        Err(error) => refusal::engine(context, &error),
    }
}

fn del(context: &mut Context<'_>, args: Args<'_>) {
    count(context, args, |cache, key| cache.delete(key, Condition::Always));
}

fn exists(context: &mut Context<'_>, args: Args<'_>) {
    count(context, args, |cache, key| Ok(cache.contains(key)));
}

fn touch(context: &mut Context<'_>, args: Args<'_>) {
    count(context, args, |cache, key| Ok(cache.read(key, ReadMode::Use, |_| ()).is_some()));
}

fn type_of(context: &mut Context<'_>, args: Args<'_>) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let kind = context.server.cache.read(key, ReadMode::Peek, |found| found.kind);
    context.simple(kind.map_or("none", type_name));
}
