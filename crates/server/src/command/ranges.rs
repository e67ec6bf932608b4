//! Parts of strings.

use tandem_engine::{Error, Expiry, Found, Kind, ReadMode, Transform};
use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::lcs;
use super::strings::BASE;
use super::update::{push_shown, shown_len};
use super::{Command, Context, Flag, access, refusal};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "getrange",
        syntax: "GETRANGE key start end",
        summary: "Get a substring of the string stored at a key",
        since: "2.4.0",
        complexity: "O(N) where N is the length of the value.",
        arity: 4,
        flags: &[Flag::ReadOnly],
        run: getrange,
        ..BASE
    },
    Command {
        name: "substr",
        syntax: "SUBSTR key start end",
        summary: "Get a substring of the string stored at a key; the old name of GETRANGE",
        complexity: "O(N) where N is the length of the value.",
        arity: 4,
        flags: &[Flag::ReadOnly],
        run: getrange,
        ..BASE
    },
    Command {
        name: "setrange",
        syntax: "SETRANGE key offset value",
        summary: "Overwrite part of a string at key starting at the specified offset",
        since: "2.2.0",
        complexity: "O(N) where N is the length of the resulting value.",
        arity: 4,
        flags: &[Flag::Write, Flag::DenyOom],
        access: &[access::CHANGE],
        run: setrange,
        ..BASE
    },
    lcs::LCS,
];

/// Longest string that Redis has.
const MAX_STRING_BYTES: u64 = 512 << 20;

fn getrange(context: &mut Context<'_>, args: Args<'_>) {
    let (Some(start), Some(end)) = (parse_i64(&args[2]), parse_i64(&args[3])) else {
        return context.error(refusal::NOT_INTEGER);
    };
    let key = context.keys.stored(context.client.db, &args[1]);
    let output = &mut *context.output;
    output.reserve_value();
    let found = context.server.cache.read(key, ReadMode::Use, |found| {
        if found.kind.is_collection() {
            return Err(Error::WrongKind);
        }
        let mut digits = Vec::new();
        let bytes = match found.integer() {
            Some(_) => {
                push_shown(&mut digits, found);
                &digits
            }
            None => found.bytes,
        };
        reply::bulk(output.bytes(), part(bytes, start, end));
        Ok(())
    });
    match found {
        Some(Ok(())) => {}
        Some(Err(error)) => refusal::engine(context, &error),
        None => context.bulk(b""),
    }
}

/// The bytes from `start` to `end`, both included; negative positions count from the end.
fn part(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let length = bytes.len() as i64;
    if start < 0 && end < 0 && start > end {
        return b"";
    }
    let position = |number: i64| if number < 0 { (length + number).max(0) } else { number };
    let (start, end) = (position(start), position(end).min(length - 1));
    if start > end { b"" } else { &bytes[start as usize..=end as usize] }
}

fn setrange(context: &mut Context<'_>, args: Args<'_>) {
    let Some(offset) = parse_i64(&args[2]) else { return context.error(refusal::NOT_INTEGER) };
    let Ok(offset) = u64::try_from(offset) else { return context.error("ERR offset is out of range") };
    let patch = &args[3];
    let key = context.keys.stored(context.client.db, &args[1]);
    let limit = context.server.cache.options().max_value_bytes;
    let mut exceeds_redis = false;
    let length = context.server.cache.transform(key, |found| {
        if found.is_some_and(|found| found.kind.is_collection()) {
            return Err(Error::WrongKind);
        }
        if patch.is_empty() {
            return Ok(Transform::Keep(found.map_or(0, shown_len)));
        }
        let needed = offset.saturating_add(patch.len() as u64);
        exceeds_redis = needed > MAX_STRING_BYTES;
        if needed > limit {
            return Err(Error::TooLarge { what: "value bytes", size: needed, limit });
        }
        let (offset, needed) = (offset as usize, needed as usize);
        let mut bytes = Vec::with_capacity(needed.max(found.map_or(0, shown_len)));
        if let Some(found) = found {
            push_shown(&mut bytes, found);
        }
        if bytes.len() < needed {
            bytes.resize(needed, 0);
        }
        bytes[offset..needed].copy_from_slice(patch);
        let output = bytes.len();
        Ok(Transform::Store { kind: Kind::Wire, codec: 0, bytes, expiry: Expiry::Keep, output })
    });
    match length {
        Ok(length) => {
            context.server.trim.note(length);
            context.integer(length as i64);
        }
        Err(Error::TooLarge { .. }) if exceeds_redis => {
            context.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        }
        Err(error) => refusal::engine(context, &error),
    }
}

/// Copies what a client sees of `key`; nothing if it is not there.
///
/// # Errors
/// [`Error::WrongKind`] where it is no string.
pub(super) fn copy_shown(context: &mut Context<'_>, key: &[u8]) -> Result<Vec<u8>, Error> {
    let key = context.keys.stored(context.client.db, key);
    let copy = |found: &Found<'_>| {
        if found.kind.is_collection() {
            return Err(Error::WrongKind);
        }
        let mut bytes = Vec::with_capacity(shown_len(found));
        push_shown(&mut bytes, found);
        Ok(bytes)
    };
    context.server.cache.read(key, ReadMode::Use, copy).unwrap_or(Ok(Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn positions_count_from_either_end() {
        for (start, end, expected) in [
            (0, 2, "abc"),
            (0, -1, "abcde"),
            (-2, -1, "de"),
            (-100, 100, "abcde"),
            (3, 1, ""),
            (5, 9, ""),
            (-1, -2, ""),
            (0, -100, "a"),
            (i64::MIN, i64::MAX, "abcde"),
            (i64::MAX, i64::MIN, ""),
        ] {
            assert_eq!(part(b"abcde", start, end), expected.as_bytes(), "{start} {end}");
        }
        assert_eq!(part(b"", 0, -1), b"");
    }
}
