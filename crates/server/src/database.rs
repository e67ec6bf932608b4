//! The sixteen numbered databases, kept apart in one cache by their keys.
//!
//! Database 0 is the cache itself: its keys are stored as they are, so that an embedded `Cache` and a client see the
//! same ones. A key of database n is stored behind a prefix that names n. A key of database 0 that happens to begin
//! with that prefix is stored behind one that names 0: no two keys ever meet, and database 0 pays one comparison.

use std::borrow::Cow;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tandem_engine::Cache;

/// Number of databases.
pub(crate) const DATABASES: u8 = 16;

/// What stored keys of a numbered database begin with; the byte behind it is the number.
/// 0xFF is in no UTF-8, so a key made of text never begins with it.
const PREFIX: &[u8] = b"\xFFtandem:db\xFF";

/// Bytes by which a key of a numbered database is longer than the client's.
pub(crate) const PREFIX_BYTES: usize = PREFIX.len() + 1;

/// Turns keys of a database into keys of the cache.
#[derive(Debug, Default)]
pub(crate) struct KeySpace {
    scratch: Vec<u8>,
}

impl KeySpace {
    /// The key under which `key` of database `db` is stored.
    #[inline]
    pub fn stored<'a>(&'a mut self, db: u8, key: &'a [u8]) -> &'a [u8] {
        if db == 0 && key.first() != Some(&PREFIX[0]) {
            return key;
        }
        self.prefixed(db, key)
    }

    fn prefixed<'a>(&'a mut self, db: u8, key: &'a [u8]) -> &'a [u8] {
        if db == 0 && !key.starts_with(PREFIX) {
            return key;
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(PREFIX);
        self.scratch.push(db);
        self.scratch.extend_from_slice(key);
        &self.scratch
    }
}

/// The key under which `key` of database `db` is stored, where several are needed at once.
pub(crate) fn stored_key(db: u8, key: &[u8]) -> Cow<'_, [u8]> {
    if db == 0 && !key.starts_with(PREFIX) {
        return Cow::Borrowed(key);
    }
    Cow::Owned([PREFIX, &[db], key].concat())
}

/// The database and the key that belong to a stored key; the reverse of [`KeySpace::stored`].
pub(crate) fn split(stored: &[u8]) -> (u8, &[u8]) {
    match stored.strip_prefix(PREFIX) {
        Some([db, key @ ..]) => (*db, key),
        _ => (0, stored),
    }
}

/// Whether a database other than 0 of `cache` was ever selected, here or by another server of the process. Until then
/// they need not be told apart.
pub(crate) fn numbered(cache: &Arc<Cache>) -> Arc<AtomicBool> {
    static CACHES: Mutex<Vec<(Weak<Cache>, Arc<AtomicBool>)>> = Mutex::new(Vec::new());
    let mut caches = CACHES.lock();
    caches.retain(|(known, _)| known.strong_count() > 0);
    if let Some((_, numbered)) = caches.iter().find(|(known, _)| Weak::as_ptr(known) == Arc::as_ptr(cache)) {
        return Arc::clone(numbered);
    }
    let numbered = Arc::default();
    caches.push((Arc::downgrade(cache), Arc::clone(&numbered)));
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_database_0_are_stored_as_they_are() {
        let mut space = KeySpace::default();
        for key in [&b""[..], b"a", b"\xFF", b"\xFFtandem"] {
            assert_eq!(space.stored(0, key), key);
        }
    }

    #[test]
    fn no_two_keys_meet() {
        let mut space = KeySpace::default();
        let hostile = [PREFIX, &[1], b"a"].concat();
        let keys = [&b"a"[..], b"", b"\xFF", PREFIX, &hostile];
        let mut stored = std::collections::HashMap::new();
        for db in 0..DATABASES {
            for key in keys {
                let at = space.stored(db, key).to_vec();
                assert_eq!(split(&at), (db, key));
                assert_eq!(stored.insert(at, (db, key)), None);
            }
        }
    }
}
