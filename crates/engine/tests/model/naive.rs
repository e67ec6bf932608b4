//! The naive cache: a list in order of use. It learns from the change stream what went, and says whether it may.

use tandem_engine::{Change, ChangeKind, Kind};

use crate::steps::{Recipe, Ttl, When};

#[derive(Debug, Clone)]
pub struct Entry {
    pub key: u16,
    pub kind: Kind,
    pub codec: u8,
    pub bytes: Vec<u8>,
    pub version: u64,
    /// Absolute; `None` for never.
    pub expires_at: Option<u64>,
    /// Idle ttl and last use.
    pub idle: Option<(u64, u64)>,
    pub cost: u64,
}

impl Entry {
    pub fn deadline(&self) -> Option<u64> {
        let idle = self.idle.map(|(ttl, used)| used + ttl);
        self.expires_at.into_iter().chain(idle).min()
    }

    /// The integer `incr` sees, if there is one.
    pub fn integer(&self) -> Option<i64> {
        match self.kind {
            Kind::Integer => Some(i64::from_le_bytes(self.bytes.as_slice().try_into().unwrap())),
            Kind::Coded => None,
            _ => {
                let text = std::str::from_utf8(&self.bytes).ok()?;
                text.parse::<i64>().ok().filter(|value| value.to_string() == text)
            }
        }
    }
}

/// What an operation is about to do, for judging the changes it leaves.
#[derive(Debug, Clone, Default)]
pub struct Intent {
    pub key: Option<u16>,
    /// The one change of its own that the operation has to leave.
    pub change: Option<ChangeKind>,
    /// The entry as it has to be afterwards (its version comes from the change).
    pub entry: Option<Entry>,
    /// Whether other keys may be evicted meanwhile.
    pub may_evict: bool,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Defaults {
    pub ttl: Option<u64>,
    pub idle: Option<u64>,
    pub max_entries: Option<u64>,
    pub max_cost: Option<u64>,
    /// Evictions follow the exact order of use.
    pub exact: bool,
    /// Nothing is ever evicted for its bytes.
    pub roomy: bool,
    /// One shard: versions rise from change to change.
    pub one_shard: bool,
}

#[derive(Debug, Default)]
pub struct Naive {
    /// Least recently used first.
    pub entries: Vec<Entry>,
    pub now: u64,
    pub defaults: Defaults,
    pub evictions: u64,
    pub expirations: u64,
    pub deletes: u64,
    pub last_version: u64,
}

impl Naive {
    pub fn position(&self, key: u16) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key == key)
    }

    pub fn has_expired(&self, entry: &Entry) -> bool {
        entry.deadline().is_some_and(|deadline| deadline <= self.now)
    }

    /// The live entry under `key`.
    pub fn live(&self, key: u16) -> Option<&Entry> {
        self.position(key).map(|at| &self.entries[at]).filter(|entry| !self.has_expired(entry))
    }

    pub fn use_entry(&mut self, key: u16) {
        let at = self.position(key).unwrap();
        let mut entry = self.entries.remove(at);
        if let Some((_, used)) = &mut entry.idle {
            *used = self.now;
        }
        self.entries.push(entry);
    }

    pub fn holds(&self, when: When, key: u16) -> bool {
        match when {
            When::Always | When::ThisVersion => true,
            When::Absent | When::VersionZero => self.live(key).is_none(),
            When::Present => self.live(key).is_some(),
            // Version 2^63 was never given out.
            When::OlderVersion => false,
        }
    }

    /// The entry a write of `value` leaves, and whether it has expired already.
    pub fn draft(&self, key: u16, value: Recipe, ttl: Ttl, idle: Option<u64>, cost: u64) -> (Entry, bool) {
        let expires_at = self.expiry(key, ttl);
        let entry = Entry {
            key,
            kind: value.kind(),
            codec: value.codec(),
            bytes: value.bytes(),
            version: 0,
            expires_at,
            idle: idle.or(self.defaults.idle).map(|ttl| (ttl, self.now)),
            cost,
        };
        (entry, expires_at.is_some_and(|at| at <= self.now))
    }

    pub fn expiry(&self, key: u16, ttl: Ttl) -> Option<u64> {
        let default = self.defaults.ttl.map(|ttl| self.now + ttl);
        match ttl {
            Ttl::Default => default,
            Ttl::Never | Ttl::AtEnd => None,
            Ttl::In(ms) => Some(self.now + ms),
            Ttl::At(ms) => Some(self.now.strict_add_signed(ms)),
            Ttl::Keep => self.live(key).map_or(default, |entry| entry.expires_at),
        }
    }

    /// Replays what an operation left in the stream; panics where it was not allowed.
    pub fn replay(&mut self, changes: Vec<Change>, intent: &Intent, key_of: impl Fn(&[u8]) -> u16) {
        let mut own = None;
        for change in changes {
            let last = if self.defaults.one_shard {
                self.last_version
            } else {
                let key = (!change.key.is_empty()).then(|| key_of(&change.key));
                key.and_then(|key| self.position(key)).map_or(0, |at| self.entries[at].version)
            };
            assert!(change.version > last, "version {} after {last}: {change:?}", change.version);
            self.last_version = change.version;
            match change.kind {
                ChangeKind::Expired => {
                    let entry = self.remove(&change, key_of(&change.key));
                    assert!(self.has_expired(&entry), "expired early: {entry:?}");
                    self.expirations += 1;
                }
                ChangeKind::Evicted => self.evict(&change, key_of(&change.key), intent),
                kind => {
                    assert_eq!(own, None, "a second change: {change:?}");
                    assert_eq!(Some(kind), intent.change, "{change:?} by {intent:?}");
                    own = Some(kind);
                    self.apply(&change, &key_of, intent);
                }
            }
        }
        assert_eq!(own, intent.change, "by {intent:?}");
    }

    fn apply(&mut self, change: &Change, key_of: &impl Fn(&[u8]) -> u16, intent: &Intent) {
        if change.kind == ChangeKind::Cleared {
            self.entries.clear();
            return;
        }
        let key = key_of(&change.key);
        assert_eq!(Some(key), intent.key);
        match change.kind {
            ChangeKind::Added | ChangeKind::Replaced => {
                if change.kind == ChangeKind::Replaced {
                    self.remove(change, key);
                }
                assert_eq!(self.position(key), None, "added twice");
                let entry = intent.entry.clone().expect("a write has an entry");
                self.entries.push(Entry { version: change.version, ..entry });
            }
            ChangeKind::Deleted => {
                self.remove(change, key);
                self.deletes += 1;
            }
            ChangeKind::ExpiryChanged => {
                let at = self.position(key).expect("its expiry changed");
                self.entries[at].version = change.version;
                self.entries[at].expires_at = intent.entry.as_ref().expect("with an expiry").expires_at;
            }
            other => panic!("{other:?} in a test without overflow or panic"),
        }
    }

    fn evict(&mut self, change: &Change, key: u16, intent: &Intent) {
        assert!(intent.may_evict, "{key} evicted by {intent:?}");
        assert_ne!(Some(key), intent.key, "the written key was its own victim");
        if self.defaults.exact {
            let oldest = self.entries.iter().find(|entry| Some(entry.key) != intent.key).map(|entry| entry.key);
            assert_eq!(oldest, Some(key), "evicted out of order");
        }
        if self.defaults.roomy {
            let entry = intent.entry.as_ref().expect("only writes evict");
            let old = intent.key.and_then(|key| self.position(key)).map(|at| self.entries[at].cost);
            let entries = self.entries.len() as u64 + u64::from(old.is_none());
            let cost = self.entries.iter().map(|entry| entry.cost).sum::<u64>() + entry.cost - old.unwrap_or(0);
            assert!(
                self.defaults.max_entries.is_some_and(|max| entries > max)
                    || self.defaults.max_cost.is_some_and(|max| cost > max),
                "{key} evicted without need"
            );
        }
        let entry = self.remove(change, key);
        assert!(!self.has_expired(&entry), "it expired: {entry:?}");
        self.evictions += 1;
    }

    /// Takes out the entry a change says is gone, and compares the value it had.
    fn remove(&mut self, change: &Change, key: u16) -> Entry {
        let at = self.position(key).unwrap_or_else(|| panic!("{change:?} of an absent key"));
        let entry = self.entries.remove(at);
        let old = change.old.as_ref().expect("the stream is open with values");
        assert_eq!((old.kind, old.codec), (entry.kind, entry.codec));
        assert!(old.bytes == entry.bytes, "a wrong old value of key {key}");
        entry
    }
}
