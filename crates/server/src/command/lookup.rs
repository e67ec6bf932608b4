//! From a name to a command.

use std::sync::LazyLock;

use super::{Command, all};

/// Slots of the table: a power of two, several times the number of commands.
const SLOTS: usize = 1024;

/// A command as the table has it.
pub(crate) struct Entry {
    pub command: Command,
    /// Its place among all commands and subcommands, from 0 on without gaps: what is counted for each command is kept
    /// under it.
    pub number: u16,
    /// Whether it has no subcommands, and its time does not grow with what it works on.
    pub simple: bool,
    pub subcommands: Box<[Entry]>,
}

impl Entry {
    /// Finds a subcommand by its name in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&Self> {
        self.subcommands.iter().find(|one| name.eq_ignore_ascii_case(one.command.name.as_bytes()))
    }
}

/// All commands in the order of the families, each followed by its subcommands in the numbering.
static ENTRIES: LazyLock<Box<[Entry]>> = LazyLock::new(|| {
    let mut next = 0;
    let mut number = || {
        next += 1;
        next - 1
    };
    let mut entry = |command: &Command| {
        let own = number();
        let new = |command: &Command, number, subcommands| Entry {
            command: *command,
            number,
            simple: command.subcommands.is_empty() && command.complexity.starts_with("O(1)"),
            subcommands,
        };
        let nested = command.subcommands.iter().map(|one| new(one, number(), Box::default())).collect();
        new(command, own, nested)
    };
    all().map(&mut entry).collect()
});

/// Open addressing over a hash that ignores case. Built once, never changed.
static TABLE: LazyLock<[Option<&'static Entry>; SLOTS]> = LazyLock::new(|| {
    let mut table = [None; SLOTS];
    for entry in &**ENTRIES {
        let mut slot = hash(entry.command.name.as_bytes());
        while table[slot].is_some() {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = Some(entry);
    }
    table
});

/// Finds a command by its name in any case.
#[inline]
pub(crate) fn find(name: &[u8]) -> Option<&'static Entry> {
    let table = &*TABLE;
    let mut slot = hash(name);
    while let Some(entry) = table[slot] {
        if entry.command.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(entry);
        }
        slot = (slot + 1) % SLOTS;
    }
    None
}

/// Full names by [`Entry::number`].
static NAMES: LazyLock<Box<[String]>> = LazyLock::new(|| {
    let of = |command: &'static Command| {
        let nested = command.subcommands.iter().map(|one| format!("{}|{}", command.name, one.name));
        std::iter::once(command.name.to_owned()).chain(nested)
    };
    all().flat_map(of).collect()
});

/// The full name of the command of this number: `get`, `client|list`.
pub(crate) fn full_name(number: u16) -> Option<&'static str> {
    NAMES.get(number as usize).map(String::as_str)
}

/// Number of commands and subcommands.
pub(crate) fn count() -> usize {
    NAMES.len()
}

/// Clearing bit 5 makes upper and lower case one; that some other bytes become one, too, costs a comparison.
/// Only as many bytes are looked at as the longest name has.
#[inline]
fn hash(name: &[u8]) -> usize {
    let mixed =
        name.iter().take(16).fold(name.len() as u32, |hash, &byte| hash.wrapping_mul(31) + u32::from(byte & !0x20));
    (mixed ^ (mixed >> 11)) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_in_any_case() {
        for command in all() {
            assert_eq!(find(command.name.as_bytes()).unwrap().command.name, command.name);
            assert_eq!(find(command.name.to_uppercase().as_bytes()).unwrap().command.name, command.name);
        }
        assert!(all().count() * 4 < SLOTS, "the table is too full to be quick");
    }

    #[test]
    fn numbers_have_no_gaps() {
        let entries = ENTRIES.iter().flat_map(|entry| std::iter::once(entry).chain(&entry.subcommands));
        for (place, entry) in entries.enumerate() {
            assert_eq!(entry.number as usize, place);
            assert!(full_name(entry.number).unwrap().ends_with(entry.command.name));
        }
        assert_eq!(full_name(u16::MAX), None);
    }

    #[test]
    fn other_names_are_not() {
        for name in [&b""[..], b"g", b"ge", b"gett", b"g\x05t", b"GET ", &[0xFF; 100]] {
            assert!(find(name).is_none(), "{name:?}");
        }
    }
}
