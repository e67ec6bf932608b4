//! Strings of many keys at once: written as one, and read without the half of a transaction among them.

use tandem_engine::{Error, ReadMode, WriteOptions};
use tandem_wire::{Args, reply};

use super::strings::{BASE, wire};
use super::{Command, Context, Flag, Keys, access, refusal};
use crate::atomic::{DbKey, with_keys};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "mget",
        syntax: "MGET key [key ...]",
        summary: "Get the values of all the given keys",
        complexity: "O(N) where N is the number of keys to retrieve.",
        arity: -2,
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: Keys::ALL,
        run: mget,
        ..BASE
    },
    Command {
        name: "mset",
        syntax: "MSET key value [key value ...]",
        summary: "Set multiple keys to multiple values",
        since: "1.0.1",
        complexity: "O(N) where N is the number of keys to set.",
        arity: -3,
        flags: &[Flag::Write, Flag::DenyOom],
        keys: Keys::PAIRS,
        access: &[access::OVERWRITE],
        run: mset,
        ..BASE
    },
    Command {
        name: "msetnx",
        syntax: "MSETNX key value [key value ...]",
        summary: "Set multiple keys to multiple values, only if none of the keys exist",
        since: "1.0.1",
        complexity: "O(N) where N is the number of keys to set.",
        arity: -3,
        flags: &[Flag::Write, Flag::DenyOom],
        keys: Keys::PAIRS,
        access: &[access::INSERT],
        run: msetnx,
        ..BASE
    },
];

/// Reads without a lock; once more as a transaction of its own if another one took effect meanwhile.
fn mget(context: &mut Context<'_>, args: Args<'_>) {
    let server = context.server;
    let (before, mark) = (server.cache.commits(), context.output.mark());
    reply_values(context, args);
    if (before.steady && server.cache.commits() == before) || args.len() == 2 || context.client.cut {
        return;
    }
    context.output.rewind(mark);
    let keys = db_keys(context, args.skip(1).iter());
    let read = with_keys(server, &keys, |_| {
        reply_values(context, args);
        Ok(())
    });
    if let Err(error) = read {
        refusal::engine(context, &error);
    }
}

fn reply_values(context: &mut Context<'_>, args: Args<'_>) {
    reply::array(context.output.bytes(), args.len() - 1);
    for key in args.skip(1).iter() {
        if context.overflows() {
            return;
        }
        let key = context.keys.stored(context.client.db, key);
        let output = &mut *context.output;
        output.reserve_value();
        // What is no string counts as absent here, and only here.
        let is_string = context.server.cache.read(key, ReadMode::Use, |found| {
            let is_string = !found.kind.is_collection();
            if is_string {
                output.value(found);
            }
            is_string
        });
        if is_string != Some(true) {
            reply::null(output.bytes(), context.client.protocol);
        }
    }
}

/// The keys, with the database of the client.
pub(super) fn db_keys<'a>(context: &Context<'_>, keys: impl Iterator<Item = &'a [u8]>) -> Vec<DbKey<'a>> {
    keys.map(|key| (context.client.db, key)).collect()
}

fn mset(context: &mut Context<'_>, args: Args<'_>) {
    match set_all(context, args, "mset", false) {
        Some(Ok(_)) => context.ok(),
        Some(Err(error)) => refusal::engine(context, &error),
        None => {}
    }
}

fn msetnx(context: &mut Context<'_>, args: Args<'_>) {
    match set_all(context, args, "msetnx", true) {
        Some(Ok(stored)) => context.integer(i64::from(stored)),
        Some(Err(error)) => refusal::engine(context, &error),
        None => {}
    }
}

/// Stores all pairs or none; whether it did. With `if_absent` none where one of the keys is there. `None`: refused.
fn set_all(context: &mut Context<'_>, args: Args<'_>, name: &str, if_absent: bool) -> Option<Result<bool, Error>> {
    if args.len().is_multiple_of(2) {
        context.error(format_args!("ERR wrong number of arguments for '{name}' command"));
        return None;
    }
    let cache = &context.server.cache;
    let keys = db_keys(context, args.skip(1).iter().step_by(2));
    let values = args.skip(2);
    Some(with_keys(context.server, &keys, |keys| {
        if if_absent && keys.iter().any(|key| cache.contains(key)) {
            return Ok(false);
        }
        for (key, value) in keys.iter().zip(values.iter().step_by(2)) {
            cache.set(key, wire(value), &WriteOptions::default())?;
        }
        Ok(true)
    }))
}
