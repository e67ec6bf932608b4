//! `CLIENT`: what a client says about itself, and what it sees of others.

use std::time::Duration;

use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::connection::{BASE, name_client};
use super::{Category, Command, Context, Flag, Group, help, refusal, tracking};
use crate::clients::{Card, ClientType};
use crate::connection::Special;
use crate::mailbox::Message;
use crate::waiting::GivenUp;

/// What the subcommands have in common.
pub(super) const CLIENT: Command = Command { flags: &[Flag::NoScript, Flag::Loading, Flag::Stale], ..BASE };

/// What those have in common that concern other clients.
const ADMIN: Command = Command {
    complexity: "O(N) where N is the number of client connections",
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    categories: &[Category::Connection, Category::Dangerous],
    ..CLIENT
};

/// The subcommands of `CLIENT`.
pub(super) const SUBCOMMANDS: &[Command] = &[
    help::subcommand((Group::Connection, &[Category::Connection]), "CLIENT HELP", "5.0.0", |context, _| {
        help::reply(context, help::CLIENT)
    }),
    Command {
        name: "id",
        syntax: "CLIENT ID",
        summary: "Returns the client ID for the current connection",
        since: "5.0.0",
        arity: 2,
        run: |context, _| context.integer(context.client.id as i64),
        ..CLIENT
    },
    Command {
        name: "setname",
        syntax: "CLIENT SETNAME connection-name",
        summary: "Set the current connection name",
        since: "2.6.9",
        arity: 3,
        run: setname,
        ..CLIENT
    },
    Command {
        name: "getname",
        syntax: "CLIENT GETNAME",
        summary: "Get the current connection name",
        since: "2.6.9",
        arity: 2,
        run: getname,
        ..CLIENT
    },
    Command {
        name: "setinfo",
        syntax: "CLIENT SETINFO LIB-NAME libname | LIB-VER libver",
        summary: "Set information specific to the client or connection",
        since: "7.2.0",
        arity: 4,
        run: setinfo,
        ..CLIENT
    },
    Command {
        name: "info",
        syntax: "CLIENT INFO",
        summary: "Returns information about the current client connection",
        since: "6.2.0",
        arity: 2,
        run: info,
        ..CLIENT
    },
    Command {
        name: "list",
        syntax: "CLIENT LIST [TYPE NORMAL | MASTER | REPLICA | PUBSUB] [ID client-id [client-id ...]]",
        summary: "Get the list of client connections",
        since: "2.4.0",
        arity: -2,
        run: list,
        ..ADMIN
    },
    Command {
        name: "kill",
        syntax: "CLIENT KILL ip:port | [ID client-id] [TYPE NORMAL | MASTER | SLAVE | REPLICA | PUBSUB] \
                 [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME yes | no]",
        summary: "Kill the connection of a client",
        since: "2.4.0",
        arity: -3,
        run: kill,
        ..ADMIN
    },
    Command {
        name: "pause",
        syntax: "CLIENT PAUSE timeout [WRITE | ALL]",
        summary: "Stop processing commands from clients for some time",
        since: "2.9.50",
        complexity: "O(1)",
        arity: -3,
        run: pause,
        ..ADMIN
    },
    Command {
        name: "unpause",
        syntax: "CLIENT UNPAUSE",
        summary: "Resume processing of clients that were paused",
        since: "6.2.0",
        complexity: "O(N) Where N is the number of paused clients",
        arity: 2,
        run: unpause,
        ..ADMIN
    },
    Command {
        name: "unblock",
        syntax: "CLIENT UNBLOCK client-id [TIMEOUT | ERROR]",
        summary: "End the wait of a client whose request for a key holds its other requests up",
        since: "5.0.0",
        complexity: "O(log N) where N is the number of client connections",
        arity: -3,
        run: unblock,
        ..ADMIN
    },
    Command {
        name: "no-evict",
        syntax: "CLIENT NO-EVICT ON | OFF",
        summary: "Set client eviction mode for the current connection",
        since: "7.0.0",
        complexity: "O(1)",
        arity: 3,
        run: no_evict,
        ..ADMIN
    },
    Command {
        name: "reply",
        syntax: "CLIENT REPLY ON | OFF | SKIP",
        summary: "Instruct the server whether to reply to commands",
        since: "3.2.0",
        arity: 3,
        run: set_reply,
        ..CLIENT
    },
    tracking::TRACKING,
    tracking::TRACKINGINFO,
    tracking::CACHING,
    tracking::GETREDIR,
];

pub(super) const BAD_NAME: &str = "ERR Client names cannot contain spaces, newlines or special characters.";

/// Names are shown in lines of text: printable, and no spaces.
pub(super) fn is_name(name: &[u8]) -> bool {
    name.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

fn setname(context: &mut Context<'_>, args: Args<'_>) {
    if !is_name(&args[2]) {
        return context.error(BAD_NAME);
    }
    name_client(context, &args[2]);
    context.ok();
}

fn getname(context: &mut Context<'_>, _args: Args<'_>) {
    if context.client.name().is_empty() {
        return context.null();
    }
    reply::bulk(context.output.bytes(), context.client.name());
}

/// Clients say at the start which library they are. Nothing shows it, so nothing keeps it.
fn setinfo(context: &mut Context<'_>, args: Args<'_>) {
    let attribute = args[2].to_ascii_lowercase();
    let shown = match attribute.as_slice() {
        b"lib-name" => "lib-name",
        b"lib-ver" => "lib-ver",
        _ => return refusal::repeating(context, "ERR Unrecognized option '", &args[2], "'"),
    };
    if !is_name(&args[3]) {
        return context.error(format_args!("ERR {shown} cannot contain spaces, newlines or special characters."));
    }
    context.ok();
}

fn set_reply(context: &mut Context<'_>, args: Args<'_>) {
    let special = &mut context.client.special;
    match args[2].to_ascii_lowercase().as_slice() {
        b"on" => {
            special.take(Special::REPLY_OFF);
            special.take(Special::SKIP);
            context.ok();
        }
        b"off" => special.insert(Special::REPLY_OFF),
        b"skip" if !special.contains(Special::REPLY_OFF) => special.insert(Special::SKIP_NEXT),
        b"skip" => {}
        _ => context.error(refusal::SYNTAX),
    }
}

fn pause(context: &mut Context<'_>, args: Args<'_>) {
    let all = match args.len() {
        3 => true,
        4 if args[3].eq_ignore_ascii_case(b"write") => false,
        4 if args[3].eq_ignore_ascii_case(b"all") => true,
        4 => return context.error("ERR CLIENT PAUSE mode must be WRITE or ALL"),
        _ => return context.error("ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP."),
    };
    let time_ms = match parse_i64(&args[2]).map(u64::try_from) {
        None => return context.error("ERR timeout is not an integer or out of range"),
        Some(Err(_)) => return context.error("ERR timeout is negative"),
        Some(Ok(time_ms)) => time_ms,
    };
    context.server.pause.begin(Duration::from_millis(time_ms), all);
    context.client.special.insert(Special::PAUSED);
    context.ok();
}

fn unpause(context: &mut Context<'_>, _args: Args<'_>) {
    context.server.end_pause(context.client.event_loop);
    context.ok();
}

fn unblock(context: &mut Context<'_>, args: Args<'_>) {
    let how = match args.len() {
        3 => GivenUp::Late,
        4 if args[3].eq_ignore_ascii_case(b"timeout") => GivenUp::Late,
        4 if args[3].eq_ignore_ascii_case(b"error") => GivenUp::Unblocked,
        4 => return context.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        _ => {
            return context
                .error("ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.");
        }
    };
    let Some(id) = parse_i64(&args[2]) else { return context.error(refusal::NOT_INTEGER) };
    let card = context.server.table.get(id as u64).filter(|card| card.unblock());
    if let Some(card) = &card {
        let message = Message::Unblock { to: card.address, how };
        context.server.post(context.client.event_loop, card.address.event_loop, message);
    }
    context.integer(card.is_some().into());
}

fn no_evict(context: &mut Context<'_>, args: Args<'_>) {
    match args[2].to_ascii_lowercase().as_slice() {
        b"on" => context.client.special.insert(Special::NO_EVICT),
        b"off" => {
            context.client.special.take(Special::NO_EVICT);
        }
        _ => return context.error(refusal::SYNTAX),
    }
    context.ok();
}

/// Text with one line for each of `cards`; the asking client's own is brought up to date first.
fn describe(context: &mut Context<'_>, cards: &[std::sync::Arc<Card>]) {
    let now_s = context.server.uptime_s();
    let mut text = Vec::new();
    for card in cards {
        if card.address.client_id == context.client.id {
            card.note(context.client, now_s);
        }
        card.describe(now_s, &mut text);
    }
    reply::verbatim(context.output.bytes(), context.client.protocol, &text);
}

fn info(context: &mut Context<'_>, _args: Args<'_>) {
    let own: Vec<_> = context.server.table.get(context.client.id).into_iter().collect();
    describe(context, &own);
}

fn list(context: &mut Context<'_>, args: Args<'_>) {
    let cards = if args.len() == 2 {
        context.server.table.matching(|_| true)
    } else if args.len() == 4 && args[2].eq_ignore_ascii_case(b"type") {
        let Some(wanted) = ClientType::parse(&args[3]) else {
            return refusal::repeating(context, "ERR Unknown client type '", &args[3], "'");
        };
        context.server.table.matching(|card| card.client_type() == wanted)
    } else if args.len() > 3 && args[2].eq_ignore_ascii_case(b"id") {
        let mut cards = Vec::new();
        for id in args.skip(3).iter() {
            let Some(id) = parse_i64(id) else { return context.error("ERR Invalid client ID") };
            cards.extend(context.server.table.get(id as u64));
        }
        cards
    } else {
        return context.error(refusal::SYNTAX);
    };
    describe(context, &cards);
}

/// Which clients `CLIENT KILL` is to close.
#[derive(Default)]
struct Filter<'a> {
    id: Option<u64>,
    client_type: Option<ClientType>,
    peer: Option<&'a [u8]>,
    local: Option<&'a [u8]>,
    own_too: bool,
}

impl Filter<'_> {
    fn holds(&self, card: &Card, own: u64) -> bool {
        let at = |wanted: Option<&[u8]>, address: std::net::SocketAddr| {
            wanted.is_none_or(|wanted| address.to_string().as_bytes() == wanted)
        };
        self.id.is_none_or(|id| id == card.address.client_id)
            && self.client_type.is_none_or(|one| one == card.client_type())
            && at(self.peer, card.peer)
            && at(self.local, card.local)
            && (self.own_too || own != card.address.client_id)
    }
}

fn kill(context: &mut Context<'_>, args: Args<'_>) {
    if args.len() == 3 {
        let filter = Filter { peer: Some(&args[2]), own_too: true, ..Filter::default() };
        return match close(context, &filter) {
            0 => context.error("ERR No such client"),
            _ => context.ok(),
        };
    }
    let mut filter = Filter::default();
    for at in (2..args.len()).step_by(2) {
        // What is wrong further in front is said first.
        if at + 1 == args.len() {
            return context.error(refusal::SYNTAX);
        }
        let (option, value) = (args[at].to_ascii_lowercase(), &args[at + 1]);
        match option.as_slice() {
            b"id" => match parse_i64(value) {
                Some(id @ 1..) => filter.id = Some(id as u64),
                _ => return context.error("ERR client-id should be greater than 0"),
            },
            b"type" => match ClientType::parse(value) {
                None => return refusal::repeating(context, "ERR Unknown client type '", value, "'"),
                wanted => filter.client_type = wanted,
            },
            b"addr" => filter.peer = Some(value),
            b"laddr" => filter.local = Some(value),
            b"user" if value == super::connection::USER => {}
            b"user" => return refusal::repeating(context, "ERR No such user '", value, "'"),
            b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.own_too = false,
            b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.own_too = true,
            _ => return context.error(refusal::SYNTAX),
        }
    }
    let closed = close(context, &filter);
    context.integer(closed as i64);
}

/// Closes the clients that `filter` holds for and returns how many; the asking one after its reply.
fn close(context: &mut Context<'_>, filter: &Filter<'_>) -> usize {
    let own = context.client.id;
    let cards = context.server.table.matching(|card| filter.holds(card, own));
    for card in &cards {
        if card.address.client_id == own {
            context.client.closing = true;
        } else {
            context.server.post(context.client.event_loop, card.address.event_loop, Message::Close(card.address));
        }
    }
    cards.len()
}
