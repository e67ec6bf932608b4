//! Keyspace events: what `notify-keyspace-events` asks for is published on `__keyspace@N__` and `__keyevent@N__`.
//!
//! A change says what happened to a key; with the command that caused it, it has the name that Redis gives it.

use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use tandem_engine::{Change, ChangeKind};
use tandem_wire::Args;

use crate::command::{Entry, full_name};
use crate::shared::Shared;

/// Classes of events, and the letters for them.
const LETTERS: [(char, u16); 12] = [
    ('g', GENERIC),
    ('$', STRING),
    ('l', 1 << 2),
    ('s', SET),
    ('h', HASH),
    ('z', 1 << 5),
    ('x', EXPIRED),
    ('e', EVICTED),
    ('t', 1 << 8),
    ('d', 1 << 9),
    ('K', KEYSPACE),
    ('E', KEYEVENT),
];
const GENERIC: u16 = 1;
const STRING: u16 = 1 << 1;
const SET: u16 = 1 << 3;
const HASH: u16 = 1 << 4;
const EXPIRED: u16 = 1 << 6;
const EVICTED: u16 = 1 << 7;
/// What `A` stands for.
const ALL: u16 = (1 << 10) - 1;
const KEYSPACE: u16 = 1 << 10;
const KEYEVENT: u16 = 1 << 11;
/// A key that was not there; not in `A`.
const NEW: u16 = 1 << 12;

/// Which events are published.
#[derive(Debug, Default)]
pub(crate) struct Notify(AtomicU16);

impl Notify {
    /// Whether any event is.
    pub fn is_on(&self) -> bool {
        let classes = self.0.load(Relaxed);
        classes & (KEYSPACE | KEYEVENT) != 0 && classes & !(KEYSPACE | KEYEVENT) != 0
    }

    /// Reads what `CONFIG SET` was given.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn parse(text: &[u8]) -> Result<u16, &'static str> {
        text.iter().try_fold(0, |classes, &letter| {
            Ok(classes
                | match letter {
                    b'A' => ALL,
                    b'n' => NEW,
                    b'm' => return Err("The class m is not offered: there are no events for keys that are not found."),
                    letter => {
                        let known = LETTERS.iter().find(|(one, _)| *one == char::from(letter));
                        known.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?.1
                    }
                })
        })
    }

    pub fn set(&self, classes: u16) {
        self.0.store(classes, Relaxed);
    }

    /// As `CONFIG GET` shows it.
    pub fn letters(&self) -> String {
        let classes = self.0.load(Relaxed);
        let has_all = classes & ALL == ALL;
        let mut letters = String::from(if has_all { "A" } else { "" });
        let shown = LETTERS.iter().filter(|(_, class)| classes & class != 0 && !(has_all && ALL & class != 0));
        let (keys, others): (Vec<_>, Vec<_>) = shown.partition(|(_, class)| class & (KEYSPACE | KEYEVENT) != 0);
        letters.extend(others.iter().map(|(letter, _)| letter));
        if classes & NEW != 0 && !has_all {
            letters.push('n');
        }
        letters.extend(keys.iter().map(|(letter, _)| letter));
        letters
    }
}

/// Beside the number of the command: it gives a time to live.
const EXPIRES: u32 = 1 << 16;
/// It takes the time to live away.
const PERSISTS: u32 = 1 << 17;

/// What an origin says of a request: its command, and what is to be known of its arguments.
pub(crate) fn cause(entry: &Entry, args: Args<'_>) -> u32 {
    let has = |words: &[&str], from: usize| {
        let mut rest = args.iter().skip(from);
        rest.any(|arg| words.iter().any(|word| arg.eq_ignore_ascii_case(word.as_bytes())))
    };
    let times = &["ex", "px", "exat", "pxat"];
    let more = match entry.command.name {
        "set" if has(times, 3) => EXPIRES,
        "setex" | "psetex" => EXPIRES,
        "getex" if has(&["persist"], 2) => PERSISTS,
        "persist" => PERSISTS,
        _ => 0,
    };
    // 0 is nobody's.
    (u32::from(entry.number) + 1) | more
}

/// An event: its class and its name.
type Event = (u16, &'static str);
const DEL: Event = (GENERIC, "del");

/// The events that a change stands for, other than those of a key that goes elsewhere.
fn events_of(kind: ChangeKind, command: &str, cause: u32) -> Vec<Event> {
    let of_collection = match command {
        "hset" | "hmset" | "hsetnx" => Some((HASH, "hset")),
        "hincrby" => Some((HASH, "hincrby")),
        "hincrbyfloat" => Some((HASH, "hincrbyfloat")),
        "hdel" => Some((HASH, "hdel")),
        "sadd" => Some((SET, "sadd")),
        "srem" => Some((SET, "srem")),
        "spop" => Some((SET, "spop")),
        _ => None,
    };
    match kind {
        ChangeKind::Expired => vec![(EXPIRED, "expired")],
        ChangeKind::Evicted => vec![(EVICTED, "evicted")],
        ChangeKind::Deleted => match command {
            "flushall" | "flushdb" => Vec::new(),
            _ => of_collection.into_iter().chain([DEL]).collect(),
        },
        ChangeKind::ExpiryChanged if cause & PERSISTS != 0 => vec![(GENERIC, "persist")],
        ChangeKind::ExpiryChanged if command == "copy" => Vec::new(),
        ChangeKind::ExpiryChanged => vec![(GENERIC, "expire")],
        ChangeKind::Added | ChangeKind::Replaced => {
            let new = (kind == ChangeKind::Added).then_some((NEW, "new"));
            let stored = of_collection.unwrap_or(match command {
                "incr" | "decr" | "incrby" | "decrby" => (STRING, "incrby"),
                "incrbyfloat" => (STRING, "incrbyfloat"),
                "append" => (STRING, "append"),
                "setrange" => (STRING, "setrange"),
                "copy" => (GENERIC, "copy_to"),
                _ => (STRING, "set"),
            });
            let expires = (cause & EXPIRES != 0).then_some((GENERIC, "expire"));
            new.into_iter().chain([stored]).chain(expires).collect()
        }
        ChangeKind::Cleared | ChangeKind::Gap | ChangeKind::Reset => Vec::new(),
    }
}

/// The names for the two ends of a key's way.
fn way_of(command: &str) -> Option<[Event; 2]> {
    match command {
        "rename" | "renamenx" => Some([(GENERIC, "rename_from"), (GENERIC, "rename_to")]),
        "move" => Some([(GENERIC, "move_from"), (GENERIC, "move_to")]),
        _ => None,
    }
}

/// Publishes the events of changes, in their order.
pub(crate) fn tell(shared: &Shared, changes: &[Change]) {
    let classes = shared.observer.notify.0.load(Relaxed);
    let publish = |key: &[u8], (class, name): Event| {
        if classes & class == 0 {
            return;
        }
        let (db, key) = shared.databases.split(key);
        if classes & KEYSPACE != 0 {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            shared.pubsub.publish(shared, Shared::NO_LOOP, &channel, name.as_bytes());
        }
        if classes & KEYEVENT != 0 {
            shared.pubsub.publish(shared, Shared::NO_LOOP, format!("__keyevent@{db}__:{name}").as_bytes(), key);
        }
    };
    // Where a key has gone that is still to leave its old place: the engine stores first.
    let mut arrived: Option<&Change> = None;
    for change in changes {
        let cause = change.origin.cause;
        let number = (cause & 0xFFFF).checked_sub(1).map(|number| number as u16);
        let command = number.and_then(full_name).unwrap_or_default();
        let by_itself = matches!(change.kind, ChangeKind::Expired | ChangeKind::Evicted);
        match (way_of(command).filter(|_| !by_itself), change.kind) {
            (None, kind) => events_of(kind, command, cause).into_iter().for_each(|event| publish(&change.key, event)),
            (Some(_), ChangeKind::Added | ChangeKind::Replaced) => arrived = Some(change),
            (Some([from, to]), ChangeKind::Deleted) => {
                // One without an arrival makes room for it.
                if let Some(arrived) = arrived.take() {
                    publish(&change.key, from);
                    if arrived.kind == ChangeKind::Added {
                        publish(&arrived.key, (NEW, "new"));
                    }
                    publish(&arrived.key, to);
                }
            }
            (Some(_), _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_read_and_shown_as_redis_does() {
        for (given, shown) in [
            ("", ""),
            ("KEA", "AKE"),
            ("Kg$lshzxetd", "AK"),
            ("xKE", "xKE"),
            ("E$g", "g$E"),
            ("KEAn", "AKE"),
            ("nKx", "xnK"),
        ] {
            let notify = Notify::default();
            notify.set(Notify::parse(given.as_bytes()).unwrap());
            assert_eq!(notify.letters(), shown, "{given}");
            assert_eq!(notify.is_on(), given.len() > 1, "{given}");
        }
        assert!(Notify::parse(b"Kq").is_err() && Notify::parse(b"m").is_err());
    }
}
