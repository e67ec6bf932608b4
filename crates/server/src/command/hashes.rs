//! Hashes: fields and their values under one key.

use tandem_engine::{Editor, Element, Elements, Error, Growth, Kind, Put, ReadMode};
use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::{Category, Command, Context, Flag, Group, access, element_scan, refusal};

/// What the commands of this family have in common.
const BASE: Command =
    Command { since: "2.0.0", categories: &[Category::Hash], group: Group::Hash, arity: 3, ..super::BASE };
const WRITE: Command = Command { flags: &[Flag::Write, Flag::DenyOom, Flag::Fast], ..BASE };
const WHOLE: Command =
    Command { flags: &[Flag::ReadOnly], arity: 2, complexity: "O(N) where N is the size of the hash.", ..BASE };

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "hset",
        syntax: "HSET key field value [field value ...]",
        summary: "Set the string value of one or more hash fields",
        complexity: "O(N) where N is the number of fields being set.",
        arity: -4,
        access: &[access::CHANGE],
        run: hset,
        ..WRITE
    },
    Command {
        name: "hmset",
        syntax: "HMSET key field value [field value ...]",
        summary: "Set multiple hash fields to multiple values",
        complexity: "O(N) where N is the number of fields being set.",
        arity: -4,
        access: &[access::CHANGE],
        run: hmset,
        ..WRITE
    },
    Command {
        name: "hsetnx",
        syntax: "HSETNX key field value",
        summary: "Set the value of a hash field, only if the field does not exist",
        arity: 4,
        access: &[access::ADD],
        run: hsetnx,
        ..WRITE
    },
    Command {
        name: "hincrby",
        syntax: "HINCRBY key field increment",
        summary: "Increment the integer value of a hash field by the given number",
        arity: 4,
        access: &[access::READ_AND_CHANGE],
        run: hincrby,
        ..WRITE
    },
    Command {
        name: "hdel",
        syntax: "HDEL key field [field ...]",
        summary: "Delete one or more hash fields",
        complexity: "O(N) where N is the number of fields to be removed.",
        arity: -3,
        flags: &[Flag::Write, Flag::Fast],
        access: &[access::REMOVE_PART],
        run: hdel,
        ..BASE
    },
    Command { name: "hget", syntax: "HGET key field", summary: "Get the value of a hash field", run: hget, ..BASE },
    Command {
        name: "hmget",
        syntax: "HMGET key field [field ...]",
        summary: "Get the values of all the given hash fields",
        complexity: "O(N) where N is the number of fields being requested.",
        arity: -3,
        run: hmget,
        ..BASE
    },
    Command {
        name: "hgetall",
        syntax: "HGETALL key",
        summary: "Get all the fields and values in a hash",
        run: |context, args| all(context, args, Part::Both),
        ..WHOLE
    },
    Command {
        name: "hkeys",
        syntax: "HKEYS key",
        summary: "Get all the fields in a hash",
        run: |context, args| all(context, args, Part::Fields),
        ..WHOLE
    },
    Command {
        name: "hvals",
        syntax: "HVALS key",
        summary: "Get all the values in a hash",
        run: |context, args| all(context, args, Part::Values),
        ..WHOLE
    },
    Command {
        name: "hlen",
        syntax: "HLEN key",
        summary: "Get the number of fields in a hash",
        arity: 2,
        access: &[access::LOOK],
        run: |context, args| count(context, args, |hash, _| hash.len() as usize),
        ..BASE
    },
    Command {
        name: "hexists",
        syntax: "HEXISTS key field",
        summary: "Determine if a hash field exists",
        access: &[access::LOOK],
        run: |context, args| count(context, args, |hash, args| usize::from(hash.get(&args[2]).is_some())),
        ..BASE
    },
    Command {
        name: "hstrlen",
        syntax: "HSTRLEN key field",
        summary: "Get the length of the value of a hash field",
        since: "3.2.0",
        access: &[access::LOOK],
        run: |context, args| {
            count(context, args, |hash, args| hash.get(&args[2]).map_or(0, |field| value(&field).len()))
        },
        ..BASE
    },
    Command {
        name: "hscan",
        syntax: "HSCAN key cursor [MATCH pattern] [COUNT count]",
        summary: "Incrementally iterate hash fields and associated values",
        since: "2.8.0",
        complexity: "O(1) for every call. O(N) for a complete iteration.",
        arity: -3,
        run: |context, args| element_scan::scan(context, args, Kind::Hash),
        ..WHOLE
    },
];

/// What is shown of each field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Fields,
    Values,
    Both,
}

fn value<'a>(field: &Element<'a>) -> &'a [u8] {
    field.value.unwrap_or_default()
}

/// Changes the hash under the first argument, made if it is absent.
fn change<T>(
    context: &mut Context<'_>,
    args: Args<'_>,
    growth: Growth,
    change: impl FnMut(&mut Editor<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let key = context.keys.stored(context.client.db, &args[1]);
    let changed = context.server.cache.change_collection(key, Kind::Hash, true, growth, change)?;
    Ok(changed.expect("an absent hash is made"))
}

/// The fields and values behind the key.
fn fields<'a>(args: &'a Args<'a>) -> impl Iterator<Item = Element<'a>> {
    (2..args.len()).step_by(2).map(|at| Element { name: &args[at], value: Some(&args[at + 1]) })
}

/// Stores all fields and says how many are new; the body of `HSET` and `HMSET`.
fn set_all(context: &mut Context<'_>, args: Args<'_>, name: &str) -> Option<usize> {
    if !args.len().is_multiple_of(2) {
        context.error(format_args!("ERR wrong number of arguments for '{name}' command"));
        return None;
    }
    let added = change(context, args, fields(&args).collect(), |hash| {
        Ok(fields(&args).filter(|&field| hash.put(field) == Put::Added).count())
    });
    added.map_err(|error| refusal::engine(context, &error)).ok()
}

fn hset(context: &mut Context<'_>, args: Args<'_>) {
    if let Some(added) = set_all(context, args, "hset") {
        context.integer(added as i64);
    }
}

fn hmset(context: &mut Context<'_>, args: Args<'_>) {
    if set_all(context, args, "hmset").is_some() {
        context.ok();
    }
}

fn hsetnx(context: &mut Context<'_>, args: Args<'_>) {
    let field = Element { name: &args[2], value: Some(&args[3]) };
    let stored = change(context, args, Growth::from_iter([field]), |hash| {
        let is_absent = hash.elements().get(field.name).is_none();
        Ok(is_absent && hash.put(field) == Put::Added)
    });
    match stored {
        Ok(stored) => context.integer(i64::from(stored)),
        Err(error) => refusal::engine(context, &error),
    }
}

fn hincrby(context: &mut Context<'_>, args: Args<'_>) {
    let Some(increment) = parse_i64(&args[3]) else { return context.error(refusal::NOT_INTEGER) };
    // The longest integer stands for the one to come.
    let longest = Element { name: &args[2], value: Some(b"-9223372036854775808") };
    let sum = change(context, args, Growth::from_iter([longest]), |hash| {
        let old = match hash.elements().get(&args[2]) {
            Some(field) => parse_i64(value(&field)).ok_or(Error::NotInteger)?,
            None => 0,
        };
        let sum = old.checked_add(increment).ok_or(Error::Overflow)?;
        hash.put(Element { name: &args[2], value: Some(sum.to_string().as_bytes()) });
        Ok(sum)
    });
    match sum {
        Ok(sum) => context.integer(sum),
        Err(Error::NotInteger) => context.error("ERR hash value is not an integer"),
        Err(error) => refusal::engine(context, &error),
    }
}

fn hdel(context: &mut Context<'_>, args: Args<'_>) {
    super::sets::remove_all(context, args, Kind::Hash);
}

/// Answers with a number that `look` finds; 0 for an absent hash.
fn count(context: &mut Context<'_>, args: Args<'_>, look: fn(&Elements<'_>, &Args<'_>) -> usize) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let found = context.server.cache.read_collection(key, Kind::Hash, ReadMode::Use, |hash| look(hash, &args));
    match found {
        Ok(number) => context.integer(number.unwrap_or(0) as i64),
        Err(error) => refusal::engine(context, &error),
    }
}

fn hget(context: &mut Context<'_>, args: Args<'_>) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let output = &mut *context.output;
    output.reserve_value();
    let found = context.server.cache.read_collection(key, Kind::Hash, ReadMode::Use, |hash| {
        hash.get(&args[2]).map(|field| reply::bulk(output.bytes(), value(&field)))
    });
    match found {
        Ok(Some(Some(()))) => {}
        Ok(_) => context.null(),
        Err(error) => refusal::engine(context, &error),
    }
}

fn hmget(context: &mut Context<'_>, args: Args<'_>) {
    let (protocol, limit) = (context.client.protocol, context.copied_limit());
    let key = context.keys.stored(context.client.db, &args[1]);
    let names = args.skip(2);
    let output = &mut *context.output;
    output.reserve_value();
    let found = context.server.cache.read_collection(key, Kind::Hash, ReadMode::Use, |hash| {
        reply::array(output.bytes(), names.len());
        for name in names.iter() {
            // The connection is cut behind this; the rest need not be written.
            if output.copied() > limit {
                return;
            }
            match hash.get(name) {
                Some(field) => reply::bulk(output.bytes(), value(&field)),
                None => reply::null(output.bytes(), protocol),
            }
        }
    });
    match found {
        Ok(Some(())) => {}
        Ok(None) => {
            reply::array(context.output.bytes(), names.len());
            names.iter().for_each(|_| context.null());
        }
        Err(error) => refusal::engine(context, &error),
    }
}

fn all(context: &mut Context<'_>, args: Args<'_>, part: Part) {
    let (protocol, limit) = (context.client.protocol, context.copied_limit());
    let key = context.keys.stored(context.client.db, &args[1]);
    let output = &mut *context.output;
    let header = |output: &mut super::Output, len| match part {
        Part::Both => reply::map(output.bytes(), protocol, len),
        Part::Fields | Part::Values => reply::array(output.bytes(), len),
    };
    output.reserve_value();
    let found = context.server.cache.read_whole(key, Kind::Hash, ReadMode::Use, |hash| {
        header(output, hash.len() as usize);
        hash.for_each(|field| {
            if part != Part::Values && output.copied() <= limit {
                reply::bulk(output.bytes(), field.name);
            }
            if part != Part::Fields && output.copied() <= limit {
                reply::bulk(output.bytes(), value(&field));
            }
        });
    });
    match found {
        Ok(Some(())) => {}
        Ok(None) => header(output, 0),
        Err(error) => refusal::engine(context, &error),
    }
}
