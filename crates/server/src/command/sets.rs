//! Sets: members under one key.

use tandem_engine::{Element, Elements, Growth, Kind, Put, ReadMode};
use tandem_wire::{Args, reply};

use super::{Category, Command, Context, Flag, Group, access, element_scan, random_members, refusal};

/// What the commands of this family have in common.
const BASE: Command = Command { categories: &[Category::Set], group: Group::Set, arity: 3, ..super::BASE };
const WRITE: Command = Command { flags: &[Flag::Write, Flag::Fast], ..BASE };

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "sadd",
        syntax: "SADD key member [member ...]",
        summary: "Add one or more members to a set",
        complexity: "O(N) where N is the number of members to be added.",
        arity: -3,
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        access: &[access::ADD],
        run: sadd,
        ..BASE
    },
    Command {
        name: "srem",
        syntax: "SREM key member [member ...]",
        summary: "Remove one or more members from a set",
        complexity: "O(N) where N is the number of members to be removed.",
        arity: -3,
        access: &[access::REMOVE_PART],
        run: |context, args| remove_all(context, args, Kind::Set),
        ..WRITE
    },
    Command {
        name: "smembers",
        syntax: "SMEMBERS key",
        summary: "Get all the members in a set",
        complexity: "O(N) where N is the set cardinality.",
        arity: 2,
        flags: &[Flag::ReadOnly],
        run: smembers,
        ..BASE
    },
    Command {
        name: "sismember",
        syntax: "SISMEMBER key member",
        summary: "Determine if a given value is a member of a set",
        access: &[access::LOOK],
        run: |context, args| count(context, args, |set, args| usize::from(set.get(&args[2]).is_some())),
        ..BASE
    },
    Command {
        name: "smismember",
        syntax: "SMISMEMBER key member [member ...]",
        summary: "Returns the membership associated with the given elements for a set",
        since: "6.2.0",
        complexity: "O(N) where N is the number of elements being checked for membership.",
        arity: -3,
        run: smismember,
        ..BASE
    },
    Command {
        name: "scard",
        syntax: "SCARD key",
        summary: "Get the number of members in a set",
        arity: 2,
        access: &[access::LOOK],
        run: |context, args| count(context, args, |set, _| set.len() as usize),
        ..BASE
    },
    Command {
        name: "spop",
        syntax: "SPOP key [count]",
        summary: "Remove and return one or multiple random members from a set",
        complexity: "O(N) where N is the number of members to be removed.",
        arity: -2,
        access: &[access::TAKE],
        run: random_members::spop,
        ..WRITE
    },
    Command {
        name: "srandmember",
        syntax: "SRANDMEMBER key [count]",
        summary: "Get one or multiple random members from a set",
        complexity: "Without a count O(1), else O(N) where N is the size of the set.",
        arity: -2,
        flags: &[Flag::ReadOnly],
        run: random_members::srandmember,
        ..BASE
    },
    Command {
        name: "sscan",
        syntax: "SSCAN key cursor [MATCH pattern] [COUNT count]",
        summary: "Incrementally iterate Set elements",
        since: "2.8.0",
        complexity: "O(1) for every call. O(N) for a complete iteration.",
        arity: -3,
        flags: &[Flag::ReadOnly],
        run: |context, args| element_scan::scan(context, args, Kind::Set),
        ..BASE
    },
];

fn sadd(context: &mut Context<'_>, args: Args<'_>) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let names = args.skip(2);
    let members = || names.iter().map(|name| Element { name, value: None });
    let growth = Growth::from_iter(members());
    let added = context.server.cache.change_collection(key, Kind::Set, true, growth, |set| {
        Ok(members().filter(|&member| set.put(member) == Put::Added).count())
    });
    match added {
        Ok(added) => context.integer(added.unwrap_or(0) as i64),
        Err(error) => refusal::engine(context, &error),
    }
}

/// Removes elements by their names and says how many were there: `SREM` and `HDEL`.
pub(super) fn remove_all(context: &mut Context<'_>, args: Args<'_>, kind: Kind) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let names = args.skip(2);
    let removed = context.server.cache.change_collection(key, kind, false, Growth::default(), |elements| {
        Ok(names.iter().filter(|name| elements.remove(name)).count())
    });
    match removed {
        Ok(removed) => context.integer(removed.unwrap_or(0) as i64),
        Err(error) => refusal::engine(context, &error),
    }
}

/// Answers with a number that `look` finds; 0 for an absent set.
fn count(context: &mut Context<'_>, args: Args<'_>, look: fn(&Elements<'_>, &Args<'_>) -> usize) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let found = context.server.cache.read_collection(key, Kind::Set, ReadMode::Use, |set| look(set, &args));
    match found {
        Ok(number) => context.integer(number.unwrap_or(0) as i64),
        Err(error) => refusal::engine(context, &error),
    }
}

fn smismember(context: &mut Context<'_>, args: Args<'_>) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let names = args.skip(2);
    let out = context.output.bytes();
    let mut write = |is_member: &dyn Fn(&[u8]) -> bool| {
        reply::array(out, names.len());
        names.iter().for_each(|name| reply::integer(out, i64::from(is_member(name))));
    };
    let found = context.server.cache.read_collection(key, Kind::Set, ReadMode::Use, |set| {
        write(&|name| set.get(name).is_some());
    });
    match found {
        Ok(Some(())) => {}
        Ok(None) => write(&|_| false),
        Err(error) => refusal::engine(context, &error),
    }
}

fn smembers(context: &mut Context<'_>, args: Args<'_>) {
    let (protocol, limit) = (context.client.protocol, context.copied_limit());
    let key = context.keys.stored(context.client.db, &args[1]);
    let output = &mut *context.output;
    output.reserve_value();
    let found = context.server.cache.read_whole(key, Kind::Set, ReadMode::Use, |set| {
        reply::set(output.bytes(), protocol, set.len() as usize);
        set.for_each(|member| {
            // The connection is cut behind this; the rest need not be written.
            if output.copied() <= limit {
                reply::bulk(output.bytes(), member.name);
            }
        });
    });
    match found {
        Ok(Some(())) => {}
        Ok(None) => reply::set(output.bytes(), protocol, 0),
        Err(error) => refusal::engine(context, &error),
    }
}
