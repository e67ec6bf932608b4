//! `COMMAND GETKEYS` and `GETKEYSANDFLAGS`: which arguments of a command are keys, and what it does with them.

use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::{Access, Command, Context, Flag, Group, access, keys_of, lookup};

/// Answers with the keys of the command in `args`, which begin with those of `COMMAND` itself; where `with_access`, each
/// with what is done to it.
pub(super) fn get_keys(context: &mut Context<'_>, args: Args<'_>, with_access: bool) {
    let args = args.skip(2);
    let Some(command) = find(args) else { return context.error("ERR Invalid command specified") };
    if command.keys.first == 0 && !command.flags.contains(&Flag::MovableKeys) {
        return context.error("ERR The command has no key arguments");
    }
    if !command.accepts(args.len()) {
        return context.error("ERR Invalid number of arguments specified for command");
    }
    let keys = keys(command, args);
    if keys.is_empty() && !command.flags.contains(&Flag::NoMandatoryKeys) {
        return context.error("ERR Invalid arguments specified for command");
    }
    let protocol = context.client.protocol;
    let out = context.output.bytes();
    reply::array(out, keys.len());
    for (key, access) in keys {
        if with_access {
            reply::array(out, 2);
        }
        reply::bulk(out, key);
        if with_access {
            reply::set(out, protocol, access.len());
            access.iter().for_each(|word| reply::simple(out, word));
        }
    }
}

/// The command or subcommand that would run.
fn find(args: Args<'_>) -> Option<&'static Command> {
    let entry = lookup::find(&args[0])?;
    if args.len() == 1 || entry.subcommands.is_empty() {
        return Some(&entry.command);
    }
    Some(&entry.subcommand(&args[1])?.command)
}

/// The keys, in their order.
fn keys<'a>(command: &Command, args: Args<'a>) -> Vec<(&'a [u8], Access)> {
    let last = command.access.last().copied().unwrap_or(access::READ);
    let accesses = command.access.iter().copied().chain(std::iter::repeat(last));
    match (command.group, command.name) {
        (Group::Scripting, _) => counted(args).into_iter().map(|key| (key, last)).collect(),
        (_, "set") if args.skip(3).iter().all(|option| !option.eq_ignore_ascii_case(b"get")) => {
            vec![(args.skip(1).iter().next().unwrap_or_default(), access::OVERWRITE)]
        }
        (_, "sort") => keys_of(command, args).chain(destination(args)).zip(accesses).collect(),
        _ => keys_of(command, args).zip(accesses).collect(),
    }
}

/// The keys of a script: as many as the second argument says, behind it; none where it says something impossible.
fn counted(args: Args<'_>) -> Vec<&[u8]> {
    let rest = args.skip(3);
    let count = parse_i64(&args[2]).and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|&count| count <= rest.len()).unwrap_or(0);
    rest.iter().take(count).collect()
}

/// Where `SORT` is to store; the last one holds.
fn destination(args: Args<'_>) -> Option<&[u8]> {
    let (mut at, mut found) = (2, None);
    while at < args.len() {
        let option = args[at].to_ascii_lowercase();
        at += match option.as_slice() {
            b"limit" => 3,
            b"get" | b"by" => 2,
            b"store" if at + 1 < args.len() => {
                found = args.skip(at + 1).iter().next();
                2
            }
            _ => 1,
        };
    }
    found
}
