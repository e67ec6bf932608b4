//! Reading and writing strings.

use tandem_engine::{Condition, Error, Kind, NewValue, ReadMode, Transform, WriteOptions, Written};
use tandem_wire::{Args, number, reply};

use super::parse::{BadExpiry, StringOptions, TimeUnit, positive_expiry};
use super::{Category, Command, Context, Flag, Group, access, refusal};

/// What the commands of this family have in common.
pub(super) const BASE: Command = Command {
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    categories: &[Category::String],
    group: Group::String,
    ..super::BASE
};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "get",
        syntax: "GET key",
        summary: "Get the value of a key",
        flags: &[Flag::ReadOnly, Flag::Fast],
        run: get,
        ..BASE
    },
    Command {
        name: "set",
        syntax: "SET key value [NX | XX] [GET] [EX seconds | PX ms | EXAT unix-time | PXAT unix-time-ms | KEEPTTL]",
        summary: "Set the string value of a key",
        arity: -3,
        flags: &[Flag::Write, Flag::DenyOom],
        access: &[access::READ_AND_CHANGE],
        run: set,
        ..BASE
    },
    Command {
        name: "setnx",
        syntax: "SETNX key value",
        summary: "Set the value of a key, only if the key does not exist",
        arity: 3,
        access: &[access::INSERT],
        run: setnx,
        ..BASE
    },
    Command {
        name: "setex",
        syntax: "SETEX key seconds value",
        summary: "Set the value and expiration of a key",
        since: "2.0.0",
        arity: 4,
        flags: &[Flag::Write, Flag::DenyOom],
        access: &[access::OVERWRITE],
        run: |context, args| set_expiring(context, args, "setex", TimeUnit { seconds: true, absolute: false }),
        ..BASE
    },
    Command {
        name: "psetex",
        syntax: "PSETEX key milliseconds value",
        summary: "Set the value and expiration in milliseconds of a key",
        since: "2.6.0",
        arity: 4,
        flags: &[Flag::Write, Flag::DenyOom],
        access: &[access::OVERWRITE],
        run: |context, args| set_expiring(context, args, "psetex", TimeUnit { seconds: false, absolute: false }),
        ..BASE
    },
    Command {
        name: "strlen",
        syntax: "STRLEN key",
        summary: "Get the length of the value stored in a key",
        since: "2.2.0",
        flags: &[Flag::ReadOnly, Flag::Fast],
        access: &[access::LOOK],
        run: strlen,
        ..BASE
    },
];

/// Bytes that a client wrote, as a value.
#[inline]
pub(super) fn wire(bytes: &[u8]) -> NewValue<'_> {
    NewValue { kind: Kind::Wire, codec: 0, bytes }
}

/// Stores what a client wrote under `key`; a large value where it was received, if that may be.
#[inline]
pub(super) fn store(
    context: &mut Context<'_>,
    key: &[u8],
    value: &[u8],
    options: &WriteOptions,
) -> Result<Written, Error> {
    let key = context.keys.stored(context.client.db, key);
    match context.draft {
        None => context.server.cache.set(key, wire(value), options),
        Some(draft) => context.server.cache.set_received(key, wire(value), draft, options),
    }
}

/// Replies with the value of `key`, or with nothing; the body of `GET`.
#[inline]
pub(super) fn reply_value(context: &mut Context<'_>, key: &[u8]) {
    let key = context.keys.stored(context.client.db, key);
    let output = &mut *context.output;
    output.reserve_value();
    if context.server.cache.read(key, ReadMode::Use, |found| output.value(found)).is_none() {
        reply::null(output.bytes(), context.client.protocol);
    }
}

fn get(context: &mut Context<'_>, args: Args<'_>) {
    reply_value(context, &args[1]);
}

fn set(context: &mut Context<'_>, args: Args<'_>) {
    let mut write = WriteOptions::default();
    if args.len() > 3 {
        let rest = args.skip(3);
        let options = match StringOptions::parse(&rest, true) {
            Ok(options) => options,
            Err(message) => return context.error(message),
        };
        write.condition = options.condition;
        write.expiry = match options.expiry(context.server.now_ms()) {
            Ok(expiry) => expiry.unwrap_or_default(),
            Err(BadExpiry::NotInteger) => return context.error(refusal::NOT_INTEGER),
            Err(BadExpiry::OutOfRange) => return context.error("ERR invalid expire time in 'set' command"),
        };
        if options.get {
            return exchange(context, &args[1], &args[2], &write);
        }
    }
    match store(context, &args[1], &args[2], &write) {
        Ok(Written::Stored { .. }) => context.ok(),
        Ok(Written::ConditionFailed { .. }) => context.null(),
        Err(error) => refusal::engine(context, &error),
    }
}

/// Stores `value` if the condition holds and answers with what was there before, in one step.
pub(super) fn exchange(context: &mut Context<'_>, key: &[u8], value: &[u8], options: &WriteOptions) {
    let key = context.keys.stored(context.client.db, key);
    let old = context.server.cache.transform(key, |found| {
        let mut old = super::Output::default();
        if let Some(found) = found {
            if found.kind.is_collection() {
                return Err(Error::WrongKind);
            }
            old.value(found);
        }
        let stores = match options.condition {
            Condition::IfAbsent => found.is_none(),
            Condition::IfPresent => found.is_some(),
            Condition::Always | Condition::IfVersion(_) => true,
        };
        let old = found.is_some().then_some(old);
        Ok(if stores {
            let bytes = value.to_vec();
            Transform::Store { kind: Kind::Wire, codec: 0, bytes, expiry: options.expiry, output: old }
        } else {
            Transform::Keep(old)
        })
    });
    match old {
        Ok(Some(old)) => context.output.append(old),
        Ok(None) => context.null(),
        Err(error) => refusal::engine(context, &error),
    }
}

fn set_expiring(context: &mut Context<'_>, args: Args<'_>, name: &str, unit: TimeUnit) {
    let expiry = match positive_expiry(unit, &args[2], context.server.now_ms()) {
        Ok(expiry) => expiry,
        Err(BadExpiry::NotInteger) => return context.error(refusal::NOT_INTEGER),
        Err(BadExpiry::OutOfRange) => {
            return context.error(format_args!("ERR invalid expire time in '{name}' command"));
        }
    };
    match store(context, &args[1], &args[3], &WriteOptions { expiry, ..WriteOptions::default() }) {
        Ok(_) => context.ok(),
        Err(error) => refusal::engine(context, &error),
    }
}

fn setnx(context: &mut Context<'_>, args: Args<'_>) {
    let options = WriteOptions { condition: Condition::IfAbsent, ..WriteOptions::default() };
    match store(context, &args[1], &args[2], &options) {
        Ok(written) => context.integer(i64::from(written.stored())),
        Err(error) => refusal::engine(context, &error),
    }
}

fn strlen(context: &mut Context<'_>, args: Args<'_>) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let length = context.server.cache.read(key, ReadMode::Use, |found| {
        let length = found.integer().map_or(found.bytes.len(), number::decimal_len);
        if found.kind.is_collection() { Err(Error::WrongKind) } else { Ok(length) }
    });
    match length.unwrap_or(Ok(0)) {
        Ok(length) => context.integer(length as i64),
        Err(error) => refusal::engine(context, &error),
    }
}
