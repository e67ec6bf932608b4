//! The sixteen numbered databases, kept apart in one cache by their keys.
//!
//! Database 0 is the cache itself: its keys are stored as they are, so that an embedded `Cache` and a client see the
//! same ones. A key of database n is stored behind a prefix that names n. A key of database 0 that happens to begin
//! with that prefix is stored behind one that names 0: no two keys ever meet, and database 0 pays one comparison.
//!
//! `SWAPDB` moves no key: it exchanges which part of the cache two databases are. To an embedded `Cache`, keys without
//! a prefix then are what clients see as the other database.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tandem_engine::{Cache, Held};

/// Number of databases.
pub(crate) const DATABASES: u8 = 16;

/// What stored keys of a numbered database begin with; the byte behind it is the number.
/// 0xFF is in no UTF-8, so a key made of text never begins with it.
const PREFIX: &[u8] = b"\xFFtandem:db\xFF";

/// Bytes by which a key of a numbered database is longer than the client's.
pub(crate) const PREFIX_BYTES: usize = PREFIX.len() + 1;

/// Which part of a cache each database is. Shared by all servers of the cache.
#[derive(Debug)]
pub(crate) struct Databases {
    /// Whether a database other than 0 was ever selected. Until then they need not be told apart.
    numbered: AtomicBool,
    /// The number in the prefix of a database's keys: its own, until `SWAPDB` exchanges it for another one's.
    parts: [AtomicU8; DATABASES as usize],
    /// How often each database was exchanged.
    swaps: [AtomicU32; DATABASES as usize],
}

impl Default for Databases {
    fn default() -> Self {
        Self {
            numbered: AtomicBool::default(),
            parts: std::array::from_fn(|db| AtomicU8::new(db as u8)),
            swaps: std::array::from_fn(|_| AtomicU32::default()),
        }
    }
}

impl Databases {
    /// Those of `cache`.
    pub fn of(cache: &Arc<Cache>) -> Arc<Self> {
        static CACHES: Mutex<Vec<(Weak<Cache>, Arc<Databases>)>> = Mutex::new(Vec::new());
        let mut caches = CACHES.lock();
        caches.retain(|(known, _)| known.strong_count() > 0);
        if let Some((_, databases)) = caches.iter().find(|(known, _)| Weak::as_ptr(known) == Arc::as_ptr(cache)) {
            return Arc::clone(databases);
        }
        let databases = Arc::default();
        caches.push((Arc::downgrade(cache), Arc::clone(&databases)));
        databases
    }

    /// Notes that a database other than 0 is in use.
    pub fn note_numbered(&self) {
        self.numbered.store(true, Relaxed);
    }

    /// Whether every key there is belongs to database 0.
    pub fn is_single(&self) -> bool {
        !self.numbered.load(Relaxed)
    }

    #[inline(always)]
    fn part(&self, db: u8) -> u8 {
        self.parts[db as usize].load(Relaxed)
    }

    /// The key under which `key` of database `db` is stored, where several are needed at once.
    pub fn stored<'k>(&self, db: u8, key: &'k [u8]) -> Cow<'k, [u8]> {
        match self.part(db) {
            0 if !key.starts_with(PREFIX) => Cow::Borrowed(key),
            part => Cow::Owned([PREFIX, &[part], key].concat()),
        }
    }

    /// The database and the key that belong to a stored key; the reverse of [`Databases::stored`]. A part that is no
    /// database's, which only an embedded cache can write to, is its own number.
    pub fn split<'k>(&self, stored: &'k [u8]) -> (u8, &'k [u8]) {
        let (part, key) = split(stored);
        let is = |db: &u8| self.part(*db) == part;
        let db = Some(part).filter(|db| *db < DATABASES && is(db)).or_else(|| (0..DATABASES).find(is));
        (db.unwrap_or(part), key)
    }

    /// How often `db` was exchanged for another one.
    pub fn swaps(&self, db: u8) -> u32 {
        self.swaps[db as usize].load(Relaxed)
    }

    /// Exchanges two databases. Only while the whole cache is held: nobody looks up half of a group of keys before, and
    /// half of it behind.
    pub fn swap(&self, one: u8, other: u8) {
        self.note_numbered();
        let part = self.part(one);
        self.parts[one as usize].store(self.part(other), Relaxed);
        self.parts[other as usize].store(part, Relaxed);
        for db in [one, other] {
            self.swaps[db as usize].fetch_add(1, Relaxed);
        }
    }

    /// Which part each database is now.
    pub fn layout(&self) -> Layout {
        Layout(std::array::from_fn(|db| self.part(db as u8)))
    }

    /// Makes each database the part that it was. Only while the whole cache is held, or where nothing has changed.
    pub fn restore(&self, layout: &Layout) {
        self.parts.iter().zip(layout.0).for_each(|(part, before)| part.store(before, Relaxed));
    }
}

/// Which part of a cache each database is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout([u8; DATABASES as usize]);

/// Puts exchanged databases back when what exchanged them is undone: dropped without [`Restore::keep`], by a panic for
/// one. To be dropped inside the transaction.
pub(crate) struct Restore<'d>(&'d Databases, Option<Layout>);

impl<'d> Restore<'d> {
    /// To be made in the transaction that `held` is of.
    pub fn new(databases: &'d Databases, held: &Held<'_>) -> Self {
        Self(databases, held.holds_all().then(|| databases.layout()))
    }

    /// It is not undone.
    pub fn keep(mut self) {
        self.1 = None;
    }
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        if let Some(layout) = self.1.filter(|layout| *layout != self.0.layout()) {
            self.0.restore(&layout);
        }
    }
}

/// Turns keys of a database into keys of the cache.
#[derive(Debug, Default)]
pub(crate) struct KeySpace {
    databases: Arc<Databases>,
    scratch: Vec<u8>,
}

impl KeySpace {
    pub fn new(databases: Arc<Databases>) -> Self {
        Self { databases, scratch: Vec::new() }
    }

    /// The key under which `key` of database `db` is stored.
    #[inline]
    pub fn stored<'a>(&'a mut self, db: u8, key: &'a [u8]) -> &'a [u8] {
        let part = self.databases.part(db);
        if part == 0 && key.first() != Some(&PREFIX[0]) {
            return key;
        }
        self.prefixed(part, key)
    }

    fn prefixed<'a>(&'a mut self, part: u8, key: &'a [u8]) -> &'a [u8] {
        if part == 0 && !key.starts_with(PREFIX) {
            return key;
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(PREFIX);
        self.scratch.push(part);
        self.scratch.extend_from_slice(key);
        &self.scratch
    }
}

/// The part of the cache and the key that belong to a stored key.
fn split(stored: &[u8]) -> (u8, &[u8]) {
    match stored.strip_prefix(PREFIX) {
        Some([part, key @ ..]) => (*part, key),
        _ => (0, stored),
    }
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

    #[test]
    fn exchanged_databases_show_each_other_s_keys() {
        let databases = Databases::default();
        let (zero, one) = (databases.stored(0, b"a").into_owned(), databases.stored(1, b"a").into_owned());
        databases.swap(0, 1);
        assert_eq!((&*databases.stored(1, b"a"), &*databases.stored(0, b"a")), (&zero[..], &one[..]));
        assert_eq!((databases.split(&zero), databases.split(&one)), ((1, &b"a"[..]), (0, &b"a"[..])));
        assert_eq!((databases.swaps(0), databases.swaps(1), databases.swaps(2)), (1, 1, 0));
    }
}
