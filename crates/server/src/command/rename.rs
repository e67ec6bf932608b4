//! Entries that go to another key or database.

use tandem_engine::{Error, Moved, Scope};
use tandem_wire::Args;
use tandem_wire::number::parse_i64;

use super::keys::BASE;
use super::{Category, Command, Context, Flag, Group, Keys, access, refusal};
use crate::atomic::with_keys;
use crate::database::DATABASES;

const TWO: Keys = Keys { first: 1, last: 2, step: 1 };

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "rename",
        syntax: "RENAME key newkey",
        summary: "Rename a key",
        arity: 3,
        flags: &[Flag::Write],
        keys: TWO,
        access: &[access::TAKE, access::OVERWRITE],
        run: |context, args| rename(context, args, true),
        ..BASE
    },
    Command {
        name: "renamenx",
        syntax: "RENAMENX key newkey",
        summary: "Rename a key, only if the new key does not exist",
        arity: 3,
        flags: &[Flag::Write, Flag::Fast],
        keys: TWO,
        access: &[access::TAKE, access::INSERT],
        run: |context, args| rename(context, args, false),
        ..BASE
    },
    Command {
        name: "copy",
        syntax: "COPY source destination [DB destination-db] [REPLACE]",
        summary: "Copy a key",
        since: "6.2.0",
        complexity: "O(N) where N is the size of the value.",
        arity: -3,
        flags: &[Flag::Write, Flag::DenyOom],
        keys: TWO,
        access: &[access::READ, access::OVERWRITE],
        run: copy,
        ..BASE
    },
    Command {
        name: "move",
        syntax: "MOVE key db",
        summary: "Move a key to another database",
        arity: 3,
        flags: &[Flag::Write, Flag::Fast],
        access: &[access::READ_AND_CHANGE],
        run: move_key,
        ..BASE
    },
    Command {
        name: "swapdb",
        syntax: "SWAPDB index1 index2",
        summary: "Swap two databases; no key is moved",
        since: "4.0.0",
        arity: 3,
        flags: &[Flag::Write, Flag::Fast],
        categories: &[Category::Keyspace, Category::Dangerous],
        keys: Keys::NONE,
        group: Group::Server,
        run: swapdb,
        ..BASE
    },
];

const SAME: &str = "ERR source and destination objects are the same";
const NO_DATABASE: &str = "ERR DB index is out of range";
const NO_INT: &str = "ERR value is out of range, value must between -2147483648 and 2147483647";

/// Reads the number of a database. `Err` is the answer to a client that got it wrong.
fn database(text: &[u8]) -> Result<u8, &'static str> {
    let number = parse_i64(text).ok_or(refusal::NOT_INTEGER)?;
    in_range(i32::try_from(number).map_err(|_| NO_INT)?)
}

fn in_range(number: i32) -> Result<u8, &'static str> {
    u8::try_from(number).ok().filter(|&db| db < DATABASES).ok_or(NO_DATABASE)
}

fn rename(context: &mut Context<'_>, args: Args<'_>, replace: bool) {
    let (server, db) = (context.server, context.client.db);
    let is_same = args[1] == args[2];
    let moved = with_keys(server, &[(db, &args[1]), (db, &args[2])], |keys| {
        if !is_same {
            return server.cache.rename(keys[0], keys[1], replace);
        }
        Ok(match server.cache.contains(keys[0]) {
            false => Moved::Missing,
            true if replace => Moved::Done,
            true => Moved::Occupied,
        })
    });
    match moved {
        Ok(Moved::Missing) => context.error("ERR no such key"),
        Ok(Moved::Done) if replace => context.ok(),
        Ok(moved) => context.integer(i64::from(moved == Moved::Done)),
        Err(error) => refusal::engine(context, &error),
    }
}

fn copy(context: &mut Context<'_>, args: Args<'_>) {
    let (server, from_db) = (context.server, context.client.db);
    let (mut db, mut replace, mut at) = (from_db, false, 3);
    while at < args.len() {
        if args[at].eq_ignore_ascii_case(b"replace") {
            replace = true;
        } else if args[at].eq_ignore_ascii_case(b"db") && at + 1 < args.len() {
            at += 1;
            db = match database(&args[at]) {
                Ok(db) => db,
                Err(message) => return context.error(message),
            };
        } else {
            return context.error(refusal::SYNTAX);
        }
        at += 1;
    }
    if db == from_db && args[1] == args[2] {
        return context.error(SAME);
    }
    note_use(context, db);
    let moved =
        with_keys(server, &[(from_db, &args[1]), (db, &args[2])], |keys| server.cache.copy(keys[0], keys[1], replace));
    answer(context, moved);
}

fn move_key(context: &mut Context<'_>, args: Args<'_>) {
    let (server, from_db) = (context.server, context.client.db);
    let db = match database(&args[2]) {
        Ok(db) => db,
        Err(message) => return context.error(message),
    };
    if db == from_db {
        return context.error(SAME);
    }
    note_use(context, db);
    let moved =
        with_keys(server, &[(from_db, &args[1]), (db, &args[1])], |keys| server.cache.rename(keys[0], keys[1], false));
    answer(context, moved);
}

/// A key may be about to appear in a database that nobody has selected.
fn note_use(context: &Context<'_>, db: u8) {
    if db > 0 {
        context.server.databases.note_numbered();
    }
}

fn answer(context: &mut Context<'_>, moved: Result<Moved, Error>) {
    match moved {
        Ok(moved) => context.integer(i64::from(moved == Moved::Done)),
        Err(error) => refusal::engine(context, &error),
    }
}

fn swapdb(context: &mut Context<'_>, args: Args<'_>) {
    let server = context.server;
    // That both are numbers is looked at before the first is found out of range.
    let index = |text: &[u8]| parse_i64(text).and_then(|number| i32::try_from(number).ok());
    let Some(one) = index(&args[1]) else { return context.error("ERR invalid first DB index") };
    let Some(other) = index(&args[2]) else { return context.error("ERR invalid second DB index") };
    let (Ok(one), Ok(other)) = (in_range(one), in_range(other)) else { return context.error(NO_DATABASE) };
    let swapped = server.cache.transaction(Scope::All, |_| {
        if one != other {
            server.databases.swap(one, other);
            // Copies that clients keep are those of keys, not of databases.
            server.observer.tracking.invalidate_all(server);
        }
        Ok::<_, Error>(())
    });
    match swapped {
        Ok(()) => context.ok(),
        Err(error) => refusal::engine(context, &error),
    }
}
