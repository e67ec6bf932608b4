//! From a name to a command.

use std::sync::LazyLock;

use super::{Command, all};

/// Slots of the table: a power of two, several times the number of commands.
const SLOTS: usize = 512;

/// Open addressing over a hash that ignores case. Built once, never changed.
static TABLE: LazyLock<[Option<&'static Command>; SLOTS]> = LazyLock::new(|| {
    let mut table = [None; SLOTS];
    for command in all() {
        let mut slot = hash(command.name.as_bytes());
        while table[slot].is_some() {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = Some(command);
    }
    table
});

/// Finds a command by its name in any case.
#[inline]
pub(crate) fn find(name: &[u8]) -> Option<&'static Command> {
    let table = &*TABLE;
    let mut slot = hash(name);
    while let Some(command) = table[slot] {
        if command.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(command);
        }
        slot = (slot + 1) % SLOTS;
    }
    None
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
            assert_eq!(find(command.name.as_bytes()).unwrap().name, command.name);
            assert_eq!(find(command.name.to_uppercase().as_bytes()).unwrap().name, command.name);
        }
        assert!(all().count() * 4 < SLOTS, "the table is too full to be quick");
    }

    #[test]
    fn other_names_are_not() {
        for name in [&b""[..], b"g", b"ge", b"gett", b"g\x05t", b"GET ", &[0xFF; 100]] {
            assert!(find(name).is_none(), "{name:?}");
        }
    }
}
