//! Reading and changing a string in one step.

use tandem_engine::{Condition, Error, Expiry, Found, Kind, ReadMode, Transform, WriteOptions};
use tandem_wire::Args;
use tandem_wire::number::{decimal_len, parse_i64, push_i64};

use super::parse::{BadExpiry, StringOptions};
use super::strings::{BASE, exchange, reply_value};
use super::{Command, Context, Flag, access, numbers, refusal};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "getset",
        syntax: "GETSET key value",
        summary: "Set the string value of a key and return its old value",
        arity: 3,
        access: &[access::READ_AND_CHANGE],
        run: getset,
        ..BASE
    },
    Command {
        name: "getdel",
        syntax: "GETDEL key",
        summary: "Get the value of a key and delete the key",
        since: "6.2.0",
        flags: &[Flag::Write, Flag::Fast],
        access: &[access::TAKE],
        run: getdel,
        ..BASE
    },
    Command {
        name: "getex",
        syntax: "GETEX key [EX seconds | PX ms | EXAT unix-time | PXAT unix-time-ms | PERSIST]",
        summary: "Get the value of a key and optionally set its expiration",
        since: "6.2.0",
        arity: -2,
        flags: &[Flag::Write, Flag::Fast],
        access: &[access::READ_AND_CHANGE],
        run: getex,
        ..BASE
    },
    Command {
        name: "incr",
        syntax: "INCR key",
        summary: "Increment the integer value of a key by one",
        access: &[access::READ_AND_CHANGE],
        run: |context, args| add(context, args, 1),
        ..BASE
    },
    Command {
        name: "decr",
        syntax: "DECR key",
        summary: "Decrement the integer value of a key by one",
        access: &[access::READ_AND_CHANGE],
        run: |context, args| add(context, args, -1),
        ..BASE
    },
    Command {
        name: "incrby",
        syntax: "INCRBY key increment",
        summary: "Increment the integer value of a key by the given amount",
        arity: 3,
        access: &[access::READ_AND_CHANGE],
        run: incrby,
        ..BASE
    },
    Command {
        name: "decrby",
        syntax: "DECRBY key decrement",
        summary: "Decrement the integer value of a key by the given number",
        arity: 3,
        access: &[access::READ_AND_CHANGE],
        run: decrby,
        ..BASE
    },
    numbers::INCRBYFLOAT,
    Command {
        name: "append",
        syntax: "APPEND key value",
        summary: "Append a value to a key",
        since: "2.0.0",
        complexity: "O(N) where N is the length of the new value.",
        arity: 3,
        access: &[access::ADD],
        run: append,
        ..BASE
    },
];

fn getset(context: &mut Context<'_>, args: Args<'_>) {
    exchange(context, &args[1], &args[2], &WriteOptions::default());
}

fn getdel(context: &mut Context<'_>, args: Args<'_>) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let cache = &context.server.cache;
    let output = &mut *context.output;
    let mark = output.mark();
    let deleted = loop {
        output.rewind(mark);
        output.reserve_value();
        let version = cache.read(key, ReadMode::Peek, |found| {
            output.value(found);
            if found.kind.is_collection() { None } else { Some(found.version) }
        });
        match version {
            None => break Ok(false),
            // The error has been written in the value's place.
            Some(None) => return,
            Some(Some(version)) => match cache.delete(key, Condition::IfVersion(version)) {
                Ok(false) => {}
                done => break done,
            },
        }
    };
    match deleted {
        Ok(true) => {}
        Ok(false) => context.null(),
        Err(error) => {
            output.rewind(mark);
            refusal::engine(context, &error);
        }
    }
}

fn getex(context: &mut Context<'_>, args: Args<'_>) {
    let rest = args.skip(2);
    let options = match StringOptions::parse(&rest, false) {
        Ok(options) => options,
        Err(message) => return context.error(message),
    };
    let expiry = match options.expiry(context.server.now_ms()) {
        Ok(None) => return reply_value(context, &args[1]),
        Ok(Some(expiry)) => expiry,
        // A key that is not there is noticed before a time that is wrong.
        Err(reason) => {
            let key = context.keys.stored(context.client.db, &args[1]);
            let kind = context.server.cache.read(key, ReadMode::Peek, |found| found.kind);
            return match (kind, reason) {
                (None, _) => context.null(),
                (Some(Kind::Hash | Kind::Set), _) => refusal::engine(context, &Error::WrongKind),
                (_, BadExpiry::NotInteger) => context.error(refusal::NOT_INTEGER),
                (_, BadExpiry::OutOfRange) => context.error("ERR invalid expire time in 'getex' command"),
            };
        }
    };
    let key = context.keys.stored(context.client.db, &args[1]);
    let start = context.output.mark();
    loop {
        let output = &mut *context.output;
        output.reserve_value();
        let read = context.server.cache.read(key, ReadMode::Use, |found| {
            output.value(found);
            (found.kind.is_collection(), found.version, found.expires_at)
        });
        let version = match read {
            None => return context.null(),
            // There is nothing to take away: no change, of which others would be told.
            Some((false, _, None)) if expiry == Expiry::Never => return,
            Some((true, ..)) => return,
            Some((false, version, _)) => version,
        };
        // The expiry alone changes, and only that of the value just read.
        match context.server.cache.set_expiry_if(key, expiry, |_, now| now == version) {
            Ok(true) => return,
            Ok(false) => context.output.rewind(start),
            Err(error) => {
                context.output.rewind(start);
                return refusal::engine(context, &error);
            }
        }
    }
}

fn add(context: &mut Context<'_>, args: Args<'_>, delta: i64) {
    let key = context.keys.stored(context.client.db, &args[1]);
    match context.server.cache.incr(key, delta) {
        Ok(number) => context.integer(number),
        Err(error) => refusal::engine(context, &error),
    }
}

fn incrby(context: &mut Context<'_>, args: Args<'_>) {
    match parse_i64(&args[2]) {
        Some(delta) => add(context, args, delta),
        None => context.error(refusal::NOT_INTEGER),
    }
}

fn decrby(context: &mut Context<'_>, args: Args<'_>) {
    match parse_i64(&args[2]).map(i64::checked_neg) {
        Some(Some(delta)) => add(context, args, delta),
        Some(None) => context.error("ERR decrement would overflow"),
        None => context.error(refusal::NOT_INTEGER),
    }
}

fn append(context: &mut Context<'_>, args: Args<'_>) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let length = context.server.cache.transform(key, |found| {
        if found.is_some_and(|found| found.kind == Kind::Coded || found.kind.is_collection()) {
            return Err(Error::WrongKind);
        }
        let mut bytes = Vec::with_capacity(found.map_or(0, shown_len) + args[2].len());
        if let Some(found) = found {
            push_shown(&mut bytes, found);
        }
        bytes.extend_from_slice(&args[2]);
        let output = bytes.len();
        Ok(Transform::Store { kind: Kind::Wire, codec: 0, bytes, expiry: Expiry::Keep, output })
    });
    match length {
        Ok(length) => {
            context.server.trim.note(length);
            context.integer(length as i64);
        }
        Err(error) => refusal::engine(context, &error),
    }
}

/// How many bytes a client sees of a value.
pub(super) fn shown_len(found: &Found<'_>) -> usize {
    found.integer().map_or(found.bytes.len(), decimal_len)
}

/// Appends what a client sees of a value that is a string to it.
pub(super) fn push_shown(bytes: &mut Vec<u8>, found: &Found<'_>) {
    match found.integer() {
        Some(number) => push_i64(bytes, number),
        None => bytes.extend_from_slice(found.bytes),
    }
}
