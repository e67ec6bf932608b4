//! `COMMAND`: the table, told to clients.

use tandem_wire::{Args, Protocol, reply};

use super::{Category, Command, Context, Flag, all, lookup, refusal};
use crate::glob;

/// `COMMAND` without a subcommand.
pub(super) fn command(context: &mut Context<'_>, _args: Args<'_>) {
    reply::array(context.output.bytes(), all().count());
    all().for_each(|command| describe(context, command, command.name));
}

pub(super) fn count(context: &mut Context<'_>, _args: Args<'_>) {
    context.integer(all().count() as i64);
}

pub(super) fn info(context: &mut Context<'_>, args: Args<'_>) {
    if args.len() == 2 {
        return command(context, args);
    }
    reply::array(context.output.bytes(), args.len() - 2);
    for name in args.skip(2).iter() {
        match find_path(name) {
            Some((command, full_name)) => describe(context, command, &full_name),
            None => context.null(),
        }
    }
}

pub(super) fn docs(context: &mut Context<'_>, args: Args<'_>) {
    let chosen: Vec<(&Command, String)> = if args.len() == 2 {
        all().map(|command| (command, command.name.to_owned())).collect()
    } else {
        args.skip(2).iter().filter_map(find_path).collect()
    };
    reply::map(context.output.bytes(), context.client.protocol, chosen.len());
    for (command, full_name) in chosen {
        document(context, command, &full_name);
    }
}

/// `COMMAND LIST`: the full names, all or those of one kind.
pub(super) fn list(context: &mut Context<'_>, args: Args<'_>) {
    let everything = all().flat_map(|command| {
        let nested = command.subcommands.iter().map(|one| (path(command.name, one), one));
        std::iter::once((command.name.to_owned(), command)).chain(nested)
    });
    let is = |at: usize, word: &str| args[at].eq_ignore_ascii_case(word.as_bytes());
    let names: Vec<String> = match args.len() {
        2 => everything.map(|(name, _)| name).collect(),
        5 if is(2, "filterby") && is(3, "pattern") => {
            let pattern = args[4].to_ascii_lowercase();
            everything.map(|(name, _)| name).filter(|name| glob::matches(&pattern, name.as_bytes())).collect()
        }
        5 if is(2, "filterby") && is(3, "aclcat") => everything
            .filter(|(_, command)| categories(command).iter().any(|category| is(4, &category[1..])))
            .map(|(name, _)| name)
            .collect(),
        // There are no modules.
        5 if is(2, "filterby") && is(3, "module") => Vec::new(),
        _ => return context.error(refusal::SYNTAX),
    };
    reply::array(context.output.bytes(), names.len());
    names.iter().for_each(|name| context.bulk(name.as_bytes()));
}

/// Finds `name` or `container|subcommand`; returns the full name, too.
fn find_path(name: &[u8]) -> Option<(&'static Command, String)> {
    let mut parts = name.splitn(2, |&byte| byte == b'|');
    let entry = lookup::find(parts.next()?)?;
    let Some(rest) = parts.next() else { return Some((&entry.command, entry.command.name.into())) };
    let subcommand = &entry.subcommand(rest)?.command;
    Some((subcommand, path(entry.command.name, subcommand)))
}

fn path(container: &str, subcommand: &Command) -> String {
    format!("{container}|{}", subcommand.name)
}

/// One element of `COMMAND INFO`, as Redis 7 has it; hints and key specifications are left empty.
fn describe(context: &mut Context<'_>, command: &Command, full_name: &str) {
    let protocol = context.client.protocol;
    let out = context.output.bytes();
    reply::array(out, 10);
    reply::bulk(out, full_name.as_bytes());
    reply::integer(out, command.arity);
    reply::set(out, protocol, command.flags.len());
    command.flags.iter().for_each(|flag| reply::simple(out, flag.name()));
    for number in [command.keys.first, command.keys.last, command.keys.step] {
        reply::integer(out, number);
    }
    let categories = categories(command);
    reply::set(out, protocol, categories.len());
    categories.iter().for_each(|category| reply::simple(out, category));
    reply::set(out, protocol, 0);
    reply::set(out, protocol, 0);
    reply::array(out, command.subcommands.len());
    for subcommand in command.subcommands {
        describe(context, subcommand, &path(full_name, subcommand));
    }
}

/// The access categories of a command, in Redis' order.
fn categories(command: &Command) -> Vec<&'static str> {
    let has = |flag| command.flags.contains(&flag);
    let is = |category| command.categories.contains(&category);
    [
        ("@keyspace", is(Category::Keyspace)),
        // A read-only script is none to Redis: what it runs decides.
        ("@read", has(Flag::ReadOnly) && !is(Category::Scripting)),
        ("@write", has(Flag::Write)),
        ("@set", is(Category::Set)),
        ("@sortedset", is(Category::SortedSet)),
        ("@list", is(Category::List)),
        ("@hash", is(Category::Hash)),
        ("@string", is(Category::String)),
        ("@pubsub", is(Category::PubSub)),
        ("@admin", has(Flag::Admin)),
        ("@fast", has(Flag::Fast)),
        ("@slow", !has(Flag::Fast)),
        ("@dangerous", is(Category::Dangerous) || has(Flag::Admin)),
        ("@connection", is(Category::Connection)),
        ("@transaction", is(Category::Transaction)),
        ("@scripting", is(Category::Scripting)),
    ]
    .into_iter()
    .filter_map(|(name, applies)| applies.then_some(name))
    .collect()
}

/// One pair of `COMMAND DOCS`.
fn document(context: &mut Context<'_>, command: &Command, full_name: &str) {
    let protocol: Protocol = context.client.protocol;
    let out = context.output.bytes();
    reply::bulk(out, full_name.as_bytes());
    let nested = !command.subcommands.is_empty();
    reply::map(out, protocol, 4 + usize::from(nested));
    for (field, value) in [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group.name()),
        ("complexity", command.complexity),
    ] {
        reply::bulk(out, field.as_bytes());
        reply::bulk(out, value.as_bytes());
    }
    if nested {
        reply::bulk(out, b"subcommands");
        reply::map(out, protocol, command.subcommands.len());
        for subcommand in command.subcommands {
            document(context, subcommand, &path(full_name, subcommand));
        }
    }
}
