//! Publish and subscribe.

use tandem_wire::{Args, Protocol, reply};

use super::{Category, Command, Context, Flag, Group, Keys, help, refusal};
use crate::connection::Special;
use crate::pubsub::{PubSub, hears};

/// What the commands of this family have in common.
const BASE: Command = Command {
    name: "",
    syntax: "",
    summary: "",
    since: "2.0.0",
    complexity: "O(N) where N is the number of channels or patterns given, or of all there are",
    arity: -1,
    flags: &[Flag::PubSub, Flag::NoScript, Flag::Loading, Flag::Stale],
    categories: &[Category::PubSub],
    keys: Keys::NONE,
    access: &[],
    group: Group::PubSub,
    run: refusal::container,
    subcommands: &[],
};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "subscribe",
        syntax: "SUBSCRIBE channel [channel ...]",
        summary: "Listen for messages published to the given channels",
        arity: -2,
        run: |context, args| subscribe(context, args, false),
        ..BASE
    },
    Command {
        name: "unsubscribe",
        syntax: "UNSUBSCRIBE [channel [channel ...]]",
        summary: "Stop listening for messages posted to the given channels",
        run: |context, args| unsubscribe(context, args, false),
        ..BASE
    },
    Command {
        name: "psubscribe",
        syntax: "PSUBSCRIBE pattern [pattern ...]",
        summary: "Listen for messages published to channels matching the given patterns",
        arity: -2,
        run: |context, args| subscribe(context, args, true),
        ..BASE
    },
    Command {
        name: "punsubscribe",
        syntax: "PUNSUBSCRIBE [pattern [pattern ...]]",
        summary: "Stop listening for messages posted to channels matching the given patterns",
        run: |context, args| unsubscribe(context, args, true),
        ..BASE
    },
    Command {
        name: "publish",
        syntax: "PUBLISH channel message",
        summary: "Post a message to a channel",
        complexity: "O(N+M) where N is the number of clients subscribed to the channel and M the number of patterns.",
        arity: 3,
        flags: &[Flag::PubSub, Flag::Loading, Flag::Stale, Flag::Fast],
        run: publish,
        ..BASE
    },
    Command {
        name: "pubsub",
        syntax: "PUBSUB subcommand",
        summary: "A container for Pub/Sub commands",
        since: "2.8.0",
        complexity: "Depends on subcommand.",
        arity: -2,
        flags: &[],
        categories: &[],
        subcommands: PUBSUB,
        ..BASE
    },
];

/// What the subcommands of `PUBSUB` have in common.
const PUBSUB_BASE: Command = Command { since: "2.8.0", flags: &[Flag::PubSub, Flag::Loading, Flag::Stale], ..BASE };

const PUBSUB: &[Command] = &[
    help::subcommand((Group::PubSub, &[]), "PUBSUB HELP", "6.2.0", |context, _| help::reply(context, help::PUBSUB)),
    Command {
        name: "channels",
        syntax: "PUBSUB CHANNELS [pattern]",
        summary: "List active channels",
        complexity: "O(N) where N is the number of active channels.",
        arity: -2,
        run: channels,
        ..PUBSUB_BASE
    },
    Command {
        name: "numpat",
        syntax: "PUBSUB NUMPAT",
        summary: "Get the count of unique patterns pattern subscriptions",
        complexity: "O(1)",
        arity: 2,
        run: |context, _| context.integer(context.server.pubsub.patterns() as i64),
        ..PUBSUB_BASE
    },
    Command {
        name: "numsub",
        syntax: "PUBSUB NUMSUB [channel [channel ...]]",
        summary: "Get the count of subscribers for channels",
        complexity: "O(N) where N is the number of requested channels.",
        arity: -2,
        run: |context, args| count_subscribers(context, args, PubSub::subscribers),
        ..PUBSUB_BASE
    },
    Command {
        name: "shardchannels",
        syntax: "PUBSUB SHARDCHANNELS [pattern]",
        summary: "List active shard channels: there are none",
        since: "7.0.0",
        complexity: "O(1)",
        arity: -2,
        run: shard_channels,
        ..PUBSUB_BASE
    },
    Command {
        name: "shardnumsub",
        syntax: "PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]",
        summary: "Get the count of subscribers for shard channels: 0 for each, as there are none",
        since: "7.0.0",
        complexity: "O(N) where N is the number of requested shard channels.",
        arity: -2,
        run: |context, args| count_subscribers(context, args, |_, _| 0),
        ..PUBSUB_BASE
    },
];

/// What tells of one subscription that has begun or ended.
fn confirm(context: &mut Context<'_>, word: &[u8], name: Option<&[u8]>) {
    let count = context.client.session().subscriptions.len();
    let protocol = context.client.protocol;
    let out = context.output.bytes();
    match protocol {
        Protocol::Resp2 => reply::array(out, 3),
        Protocol::Resp3 => reply::push(out, 3),
    }
    reply::bulk(out, word);
    match name {
        Some(name) => reply::bulk(out, name),
        None => reply::null(out, protocol),
    }
    reply::integer(out, count as i64);
}

fn subscribe(context: &mut Context<'_>, args: Args<'_>, patterns: bool) {
    let names = args.skip(1);
    let bytes = names.iter().map(<[u8]>::len).sum();
    if !context.client.session().subscriptions.has_room(names.len(), bytes) {
        return context.error("ERR too many subscriptions: a client may have 100000, with names of 16 MiB in all");
    }
    let address = context.client.address();
    let word: &[u8] = if patterns { b"psubscribe" } else { b"subscribe" };
    for name in names.iter() {
        context.server.pubsub.subscribe(&mut context.client.session().subscriptions, address, name, patterns);
        confirm(context, word, Some(name));
    }
    context.client.special.insert(Special::SUBSCRIBED);
}

fn unsubscribe(context: &mut Context<'_>, args: Args<'_>, patterns: bool) {
    let id = context.client.id;
    let word: &[u8] = if patterns { b"punsubscribe" } else { b"unsubscribe" };
    let one = |context: &mut Context<'_>, name: &[u8]| {
        context.server.pubsub.unsubscribe(&mut context.client.session().subscriptions, id, name, patterns);
        confirm(context, word, Some(name));
    };
    if args.len() > 1 {
        args.skip(1).iter().for_each(|name| one(context, name));
    } else {
        let all: Vec<_> = context.client.session().subscriptions.names(patterns).iter().cloned().collect();
        all.iter().for_each(|name| one(context, name));
        if all.is_empty() {
            confirm(context, word, None);
        }
    }
    if context.client.session().subscriptions.len() == 0 {
        context.client.special.take(Special::SUBSCRIBED);
    }
}

fn publish(context: &mut Context<'_>, args: Args<'_>) {
    let from = context.client.event_loop;
    let receivers = context.server.pubsub.publish(context.server, from, &args[1], &args[2]);
    context.integer(receivers as i64);
}

fn channels(context: &mut Context<'_>, args: Args<'_>) {
    if args.len() > 3 {
        return context.error("ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.");
    }
    let mut channels = context.server.pubsub.channels();
    if args.len() == 3 {
        channels.retain(|name| hears(&args[2], name));
    }
    reply::array(context.output.bytes(), channels.len());
    channels.iter().for_each(|name| context.bulk(name));
}

fn shard_channels(context: &mut Context<'_>, args: Args<'_>) {
    if args.len() > 3 {
        return context
            .error("ERR unknown subcommand or wrong number of arguments for 'SHARDCHANNELS'. Try PUBSUB HELP.");
    }
    reply::array(context.output.bytes(), 0);
}

/// Answers with each of the names, and how many listen to it.
fn count_subscribers(context: &mut Context<'_>, args: Args<'_>, count: fn(&PubSub, &[u8]) -> usize) {
    let names = args.skip(2);
    reply::array(context.output.bytes(), 2 * names.len());
    for name in names.iter() {
        context.bulk(name);
        context.integer(count(&context.server.pubsub, name) as i64);
    }
}
