//! Values with their versions, for clients that write only what nobody else has changed meanwhile.
//!
//! Versions are told and taken as strings of decimal digits: a client that reads numbers as floating point would round
//! them.

use tandem_engine::{Condition, Error, ReadMode, WriteOptions, Written};
use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::parse::{BadExpiry, StringOptions};
use super::{Category, Command, Context, Flag, Group, Keys, access, refusal, strings};

/// What the commands of this family have in common.
const BASE: Command = Command {
    name: "",
    syntax: "",
    summary: "",
    since: "0.1.0",
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    categories: &[Category::String],
    keys: Keys::ONE,
    access: &[access::READ],
    group: Group::Tandem,
    run: refusal::container,
    subcommands: &[],
};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "tandem.getv",
        syntax: "TANDEM.GETV key",
        summary: "Get the value of a key and its version",
        run: getv,
        ..BASE
    },
    Command {
        name: "tandem.cas",
        syntax: "TANDEM.CAS key version value [KEEPTTL | EX seconds | PX milliseconds | EXAT unix-time-seconds | \
                 PXAT unix-time-milliseconds]",
        summary: "Set the value of a key if it has this version (0: if it is absent); the new version, or null",
        arity: -4,
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        access: &[access::CHANGE],
        run: cas,
        ..BASE
    },
];

fn getv(context: &mut Context<'_>, args: Args<'_>) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let output = &mut *context.output;
    output.reserve_value();
    let is_string = context.server.cache.read(key, ReadMode::Use, |found| {
        let is_string = !found.kind.is_collection();
        if is_string {
            reply::array(output.bytes(), 2);
            output.value(found);
            reply::bulk_integer(output.bytes(), found.version as i64);
        }
        is_string
    });
    match is_string {
        Some(true) => {}
        Some(false) => refusal::engine(context, &Error::WrongKind),
        None => context.null(),
    }
}

fn cas(context: &mut Context<'_>, args: Args<'_>) {
    let Some(version) = parse_i64(&args[2]).and_then(|version| u64::try_from(version).ok()) else {
        return context.error("ERR version is not an integer or out of range");
    };
    let rest = args.skip(4);
    let options = match StringOptions::parse(&rest, true) {
        Ok(options) if options.condition == Condition::Always && !options.get => options,
        _ => return context.error(refusal::SYNTAX),
    };
    let expiry = match options.expiry(context.server.now_ms()) {
        Ok(expiry) => expiry.unwrap_or_default(),
        Err(BadExpiry::NotInteger) => return context.error(refusal::NOT_INTEGER),
        Err(BadExpiry::OutOfRange) => return context.error("ERR invalid expire time in 'tandem.cas' command"),
    };
    let write = WriteOptions { expiry, condition: Condition::IfVersion(version), ..WriteOptions::default() };
    match strings::store(context, &args[1], &args[3], &write) {
        Ok(Written::Stored { version, .. }) => reply::bulk_integer(context.output.bytes(), version as i64),
        Ok(Written::ConditionFailed { .. }) => context.null(),
        Err(error) => refusal::engine(context, &error),
    }
}
