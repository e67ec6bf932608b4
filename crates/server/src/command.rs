//! Commands as data: one table feeds dispatch, `COMMAND` and the documentation. One file per family.
//!
//! A new command is one entry in the `COMMANDS` of its family and one function.

mod client;
mod config;
pub(crate) mod connection;
pub(crate) mod docs;
mod element_scan;
mod expiry;
pub(crate) mod gates;
mod get_keys;
mod hashes;
mod help;
mod info;
mod introspection;
mod keys;
mod keyspace;
mod largest;
mod latency;
mod lcs;
mod lookup;
mod many;
mod memory;
mod numbers;
mod object;
mod parse;
mod pubsub;
mod random_members;
mod ranges;
pub(crate) mod refusal;
mod rename;
mod scripts;
mod server;
mod sets;
mod slowlog;
mod sort;
mod strings;
mod tracking;
mod transactions;
mod update;
mod versions;

pub(crate) use info::REDIS_VERSION;
pub(crate) use lookup::{Entry, count, find, full_name};
use tandem_engine::{Cache, Draft};
use tandem_wire::{Args, reply};

use crate::connection::Client;
use crate::database::KeySpace;
use crate::output::Output;
use crate::shared::Shared;

/// What a command works with.
pub(crate) struct Context<'a> {
    pub client: &'a mut Client,
    /// Where the reply goes: exactly one for each command, unless the client wants none.
    pub output: &'a mut Output,
    pub keys: &'a mut KeySpace,
    /// Where the request was received, if it is large.
    pub draft: Option<&'a Draft>,
    pub server: &'a Shared,
}

impl Context<'_> {
    pub fn cache(&self) -> &Cache {
        &self.server.cache
    }

    pub fn simple(&mut self, text: &str) {
        reply::simple(self.output.bytes(), text);
    }

    pub fn ok(&mut self) {
        self.output.bytes().extend_from_slice(b"+OK\r\n");
    }

    pub fn integer(&mut self, number: i64) {
        reply::integer(self.output.bytes(), number);
    }

    pub fn null(&mut self) {
        reply::null(self.output.bytes(), self.client.protocol);
    }

    pub fn bulk(&mut self, bytes: &[u8]) {
        reply::bulk(self.output.bytes(), bytes);
    }

    /// An error; `message` begins with its code.
    pub fn error(&mut self, message: impl std::fmt::Display) {
        reply::error(self.output.bytes(), message);
    }

    /// Whether there is more to send than a connection may have unsent. The connection is cut then; a command that
    /// notices it half-way need not write the rest of its reply.
    pub fn overflows(&mut self) -> bool {
        let limit = self.server.options.limits.reply_bytes;
        self.client.cut |= self.output.pending() > limit || self.output.copied() > self.copied_limit();
        self.client.cut
    }

    /// Bytes of replies that a connection may have unsent, large values aside: what all clients may have in buffers,
    /// because one reply must not exceed that either.
    pub fn copied_limit(&self) -> usize {
        self.server.options.limits.reply_bytes.min(self.server.buffer_limit)
    }
}

/// How a command behaves, in Redis' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    Write,
    ReadOnly,
    /// May need more memory.
    DenyOom,
    Admin,
    NoScript,
    Loading,
    Stale,
    Fast,
    NoAuth,
    /// Not in a transaction.
    NoMulti,
    AllowBusy,
    PubSub,
    SkipSlowlog,
    SkipMonitor,
    NoMandatoryKeys,
    /// Its keys are not at fixed places.
    MovableKeys,
}

impl Flag {
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::ReadOnly => "readonly",
            Self::DenyOom => "denyoom",
            Self::Admin => "admin",
            Self::NoScript => "noscript",
            Self::Loading => "loading",
            Self::Stale => "stale",
            Self::Fast => "fast",
            Self::NoAuth => "no_auth",
            Self::NoMulti => "no_multi",
            Self::AllowBusy => "allow_busy",
            Self::PubSub => "pubsub",
            Self::SkipSlowlog => "skip_slowlog",
            Self::SkipMonitor => "skip_monitor",
            Self::NoMandatoryKeys => "no_mandatory_keys",
            Self::MovableKeys => "movablekeys",
        }
    }
}

/// The family of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Connection,
    String,
    Hash,
    Set,
    Generic,
    PubSub,
    Transactions,
    Scripting,
    Server,
    Tandem,
}

impl Group {
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::String => "string",
            Self::Hash => "hash",
            Self::Set => "set",
            Self::Generic => "generic",
            Self::PubSub => "pubsub",
            Self::Transactions => "transactions",
            Self::Scripting => "scripting",
            Self::Server => "server",
            Self::Tandem => "tandem",
        }
    }
}

/// Which arguments are keys: numbers of the first and the last one (negative: counted from the end) and the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keys {
    pub first: i64,
    pub last: i64,
    pub step: i64,
}

impl Keys {
    pub const NONE: Self = Self { first: 0, last: 0, step: 0 };
    pub const ONE: Self = Self { first: 1, last: 1, step: 1 };
    pub const ALL: Self = Self { first: 1, last: -1, step: 1 };
    pub const PAIRS: Self = Self { first: 1, last: -1, step: 2 };
}

/// What a command does with a key, in Redis' words: how it treats the value, then what it does with the data in it.
pub(crate) type Access = &'static [&'static str];

/// What most commands do with their keys.
pub(crate) mod access {
    use super::Access;

    pub const READ: Access = &["RO", "access"];
    /// Looks at what is known of the value, not at the data.
    pub const LOOK: Access = &["RO"];
    pub const OVERWRITE: Access = &["OW", "update"];
    pub const INSERT: Access = &["OW", "insert"];
    pub const ADD: Access = &["RW", "insert"];
    pub const CHANGE: Access = &["RW", "update"];
    pub const READ_AND_CHANGE: Access = &["RW", "access", "update"];
    pub const TAKE: Access = &["RW", "access", "delete"];
    pub const REMOVE_PART: Access = &["RW", "delete"];
    pub const REMOVE: Access = &["RM", "delete"];
}

/// What runs a command.
pub(crate) type Handler = fn(&mut Context<'_>, Args<'_>);

/// A class of commands for access rules, beyond those that follow from the flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {
    Keyspace,
    Set,
    SortedSet,
    List,
    Hash,
    String,
    Connection,
    PubSub,
    Transaction,
    Dangerous,
    Scripting,
}

/// One command.
#[derive(Clone, Copy)]
pub(crate) struct Command {
    /// Lower case; of a subcommand without its container's name.
    pub name: &'static str,
    /// As a person would write it, with its options.
    pub syntax: &'static str,
    /// One sentence without a full stop, as in Redis' documentation.
    pub summary: &'static str,
    /// Version of Redis that brought it; of an own command that of Tandem.
    pub since: &'static str,
    /// Cost in the size of what it works on.
    pub complexity: &'static str,
    /// Number of arguments, the name included; negative: at least so many.
    pub arity: i64,
    pub flags: &'static [Flag],
    pub categories: &'static [Category],
    pub keys: Keys,
    /// What it does with each of its keys; the last one holds for all further keys.
    pub access: &'static [Access],
    pub group: Group,
    pub run: Handler,
    /// Where not empty, the second argument chooses one of these, and `run` is for a call without one.
    pub subcommands: &'static [Command],
}

/// What most commands have in common: they look at one key, in constant time.
const BASE: Command = Command {
    name: "",
    syntax: "",
    summary: "",
    since: "1.0.0",
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    categories: &[],
    keys: Keys::ONE,
    access: &[access::READ],
    group: Group::Generic,
    run: refusal::container,
    subcommands: &[],
};

impl Command {
    /// Whether so many arguments, the name included, are allowed.
    pub fn accepts(&self, arguments: usize) -> bool {
        let arguments = arguments as i64;
        if self.arity >= 0 { arguments == self.arity } else { arguments >= -self.arity }
    }
}

/// The keys among the arguments.
#[inline]
pub(crate) fn keys_of<'a>(command: &Command, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let keys = command.keys;
    let last = if keys.last < 0 { args.len() } else { (keys.last as usize + 1).min(args.len()) };
    let count = if keys.first == 0 { 0 } else { last.saturating_sub(keys.first as usize) };
    args.skip(keys.first as usize).iter().take(count).step_by((keys.step as usize).max(1))
}

/// A family of commands, as the documentation shows it.
pub(crate) struct Family {
    pub title: &'static str,
    pub commands: &'static [Command],
}

/// Every family; the order is that of the documentation.
pub(crate) const FAMILIES: &[Family] = &[
    Family { title: "Connection", commands: connection::COMMANDS },
    Family { title: "Strings", commands: strings::COMMANDS },
    Family { title: "Strings, read and changed in one step", commands: update::COMMANDS },
    Family { title: "Parts of strings", commands: ranges::COMMANDS },
    Family { title: "Hashes", commands: hashes::COMMANDS },
    Family { title: "Sets", commands: sets::COMMANDS },
    Family { title: "Sets in order", commands: sort::COMMANDS },
    Family { title: "Strings of many keys", commands: many::COMMANDS },
    Family { title: "Keys", commands: keys::COMMANDS },
    Family { title: "Keys that change their name or database", commands: rename::COMMANDS },
    Family { title: "Entries, looked at from outside", commands: object::COMMANDS },
    Family { title: "Expiry", commands: expiry::COMMANDS },
    Family { title: "Keyspace", commands: keyspace::COMMANDS },
    Family { title: "Key gates", commands: gates::COMMANDS },
    Family { title: "Versions", commands: versions::COMMANDS },
    Family { title: "Publish and subscribe", commands: pubsub::COMMANDS },
    Family { title: "Transactions", commands: transactions::COMMANDS },
    Family { title: "Scripts", commands: scripts::COMMANDS },
    Family { title: "Hot keys and large keys", commands: largest::COMMANDS },
    Family { title: "Server", commands: server::COMMANDS },
];

/// Every command, without subcommands.
pub(crate) fn all() -> impl Iterator<Item = &'static Command> {
    FAMILIES.iter().flat_map(|family| family.commands)
}

#[cfg(test)]
mod tests;
