//! Commands about the connection itself.

use std::sync::atomic::Ordering::Relaxed;

use tandem_wire::number::parse_i64;
use tandem_wire::{Args, Protocol, reply};

use super::{Category, Command, Context, Flag, Group, Keys, client, info, refusal};
use crate::connection::Special;
use crate::database::DATABASES;

/// What the commands of this family have in common.
pub(super) const BASE: Command = Command {
    name: "",
    syntax: "",
    summary: "",
    since: "1.0.0",
    complexity: "O(1)",
    arity: 1,
    flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
    categories: &[Category::Connection],
    keys: Keys::NONE,
    access: &[],
    group: Group::Connection,
    run: refusal::container,
    subcommands: &[],
};

/// Flags of commands that a client may send before anything else.
const HANDSHAKE: &[Flag] = &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::NoAuth, Flag::AllowBusy];

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "ping",
        syntax: "PING [message]",
        summary: "Ping the server",
        arity: -1,
        flags: &[Flag::Fast],
        run: ping,
        ..BASE
    },
    Command { name: "echo", syntax: "ECHO message", summary: "Echo the given string", arity: 2, run: echo, ..BASE },
    Command {
        name: "hello",
        syntax: "HELLO [protover [AUTH username password] [SETNAME clientname]]",
        summary: "Handshake with Redis",
        since: "6.0.0",
        arity: -1,
        flags: HANDSHAKE,
        run: hello,
        ..BASE
    },
    Command {
        name: "auth",
        syntax: "AUTH [username] password",
        summary: "Authenticate to the server",
        arity: -2,
        flags: HANDSHAKE,
        run: auth,
        ..BASE
    },
    Command {
        name: "reset",
        syntax: "RESET",
        summary: "Reset the connection",
        since: "6.2.0",
        flags: HANDSHAKE,
        run: reset,
        ..BASE
    },
    Command {
        name: "quit",
        syntax: "QUIT",
        summary: "Close the connection",
        arity: -1,
        flags: HANDSHAKE,
        run: quit,
        ..BASE
    },
    Command {
        name: "select",
        syntax: "SELECT index",
        summary: "Change the selected database for the current connection",
        arity: 2,
        run: select,
        ..BASE
    },
    Command {
        name: "client",
        syntax: "CLIENT subcommand",
        summary: "A container for client connection commands",
        since: "2.4.0",
        complexity: "Depends on subcommand.",
        arity: -2,
        flags: &[],
        categories: &[],
        subcommands: client::SUBCOMMANDS,
        ..BASE
    },
];

fn ping(context: &mut Context<'_>, args: Args<'_>) {
    match args.len() {
        // Among messages, a plain PONG would look like none.
        count @ (1 | 2) if context.client.listens_only() => {
            reply::array(context.output.bytes(), 2);
            context.bulk(b"pong");
            context.bulk(if count == 2 { &args[1] } else { b"" });
        }
        1 => context.simple("PONG"),
        2 => context.bulk(&args[1]),
        _ => context.error("ERR wrong number of arguments for 'ping' command"),
    }
}

fn echo(context: &mut Context<'_>, args: Args<'_>) {
    context.bulk(&args[1]);
}

fn quit(context: &mut Context<'_>, _args: Args<'_>) {
    context.client.closing = true;
    context.ok();
}

fn select(context: &mut Context<'_>, args: Args<'_>) {
    match parse_i64(&args[1]) {
        None => context.error(refusal::NOT_INTEGER),
        Some(index) if i32::try_from(index).is_err() => {
            context.error("ERR value is out of range, value must between -2147483648 and 2147483647");
        }
        Some(index) => match u8::try_from(index) {
            Ok(db) if db < DATABASES => {
                if db > 0 {
                    context.server.databases.note_numbered();
                }
                context.client.db = db;
                context.ok();
            }
            _ => context.error("ERR DB index is out of range"),
        },
    }
}

fn hello(context: &mut Context<'_>, args: Args<'_>) {
    let mut protocol = context.client.protocol;
    if args.len() > 1 {
        protocol = match parse_i64(&args[1]) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return context.error("NOPROTO unsupported protocol version"),
            None => return context.error("ERR Protocol version is not an integer or out of range"),
        };
    }
    let mut name = None;
    let mut at = 2;
    while at < args.len() {
        let left = args.len() - at - 1;
        if args[at].eq_ignore_ascii_case(b"auth") && left >= 2 {
            // At once, whatever is wrong behind it.
            if !log_in(context, &args[at + 1], &args[at + 2]) {
                return context.error(WRONG_PASSWORD);
            }
            at += 3;
        } else if args[at].eq_ignore_ascii_case(b"setname") && left >= 1 {
            if !client::is_name(&args[at + 1]) {
                return context.error(client::BAD_NAME);
            }
            name = Some(&args[at + 1]);
            at += 2;
        } else {
            return refusal::repeating(context, "ERR Syntax error in HELLO option '", &args[at], "'");
        }
    }
    if context.client.special.contains(Special::NEEDS_AUTH) {
        return context.error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> \
             <pass> option can be used to authenticate the client and select the RESP protocol version at the \
             same time",
        );
    }
    if let Some(name) = name {
        name_client(context, name);
    }
    context.client.protocol = protocol;

    let id = context.client.id as i64;
    let out = context.output.bytes();
    reply::map(out, protocol, 7);
    for (field, value) in [("server", "redis"), ("version", info::REDIS_VERSION)] {
        reply::bulk(out, field.as_bytes());
        reply::bulk(out, value.as_bytes());
    }
    for (field, value) in [("proto", protocol.version()), ("id", id)] {
        reply::bulk(out, field.as_bytes());
        reply::integer(out, value);
    }
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        reply::bulk(out, field.as_bytes());
        reply::bulk(out, value.as_bytes());
    }
    reply::bulk(out, b"modules");
    reply::array(out, 0);
}

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";

/// The one user there is. Without a password any word will do, as in Redis.
pub(crate) const USER: &[u8] = b"default";

/// Lets the client in if `user` and `word` are right; counts it if they are not.
pub(crate) fn log_in(context: &mut Context<'_>, user: &[u8], word: &[u8]) -> bool {
    let right = user == USER && context.server.options.password.as_ref().is_none_or(|password| password.matches(word));
    if right {
        context.client.special.take(Special::NEEDS_AUTH);
    } else {
        context.server.refused_passwords.fetch_add(1, Relaxed);
    }
    right
}

fn auth(context: &mut Context<'_>, args: Args<'_>) {
    let (user, word) = match args.len() {
        2 if context.server.options.password.is_none() => {
            return context.error(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            );
        }
        2 => (USER, &args[1]),
        3 => (&args[1], &args[2]),
        _ => return context.error(refusal::SYNTAX),
    };
    if log_in(context, user, word) { context.ok() } else { context.error(WRONG_PASSWORD) }
}

/// Gives the client a name that has been checked.
pub(super) fn name_client(context: &mut Context<'_>, name: &[u8]) {
    context.client.session().name = name.into();
    if let Some(card) = context.server.table.get(context.client.id) {
        card.rename(name);
    }
}

fn reset(context: &mut Context<'_>, _args: Args<'_>) {
    name_client(context, b"");
    context.client.leave(context.server);
    context.client.reset(context.server.options.password.is_some());
    context.simple("RESET");
}
