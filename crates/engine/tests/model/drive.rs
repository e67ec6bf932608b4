//! Runs a program on the engine and on the naive cache, side by side.

use std::collections::HashMap;
use std::sync::Arc;

use tandem_engine::{
    Cache, ChangeKind, ChangeLimits, ChangeStream, Clock, Condition, Error, Expiry, Found, Kind, ManualClock, NewValue,
    Options, PolicyKind, ReadMode, ScanEntry, Transform, WriteOptions, Written,
};

use crate::naive::{Defaults, Entry, Intent, Naive};
use crate::steps::{Answer, Recipe, Step, Ttl, When, key_bytes};

const START_MS: u64 = 1_700_000_000_000;
const IMPOSSIBLE_VERSION: u64 = 1 << 63;

struct Pair {
    cache: Cache,
    clock: Arc<ManualClock>,
    stream: ChangeStream,
    naive: Naive,
    key_numbers: HashMap<Vec<u8>, u16>,
    max_bytes: u64,
    sets: u64,
    hits: u64,
    misses: u64,
}

/// Runs `program`; panics at the first difference.
pub fn run(options: Options, program: &[Step]) {
    let clock = Arc::new(ManualClock::new(START_MS));
    let one_shard = options.shards == Some(1);
    let defaults = Defaults {
        ttl: options.default_ttl_ms,
        idle: options.default_idle_ttl_ms,
        max_entries: options.max_entries,
        max_cost: options.max_cost,
        exact: options.policy == PolicyKind::Lru && one_shard,
        roomy: options.max_bytes > 32 << 20,
        one_shard,
    };
    let max_bytes = options.max_bytes;
    let shared_clock: Arc<dyn Clock> = clock.clone();
    let cache = Cache::new(Options { clock: shared_clock, ..options }).unwrap();
    let stream = cache.changes(ChangeLimits { changes: 1 << 20, bytes: usize::MAX }, true);
    let mut pair = Pair {
        cache,
        clock,
        stream,
        naive: Naive { now: START_MS, defaults, ..Naive::default() },
        key_numbers: (0..1_000).map(|key| (key_bytes(key), key)).collect(),
        max_bytes,
        sets: 0,
        hits: 0,
        misses: 0,
    };
    for step in program {
        pair.step(*step);
        pair.check();
    }
}

impl Pair {
    fn step(&mut self, step: Step) {
        match step {
            Step::Set { key, value, ttl, idle, cost, when } => self.set(key, value, ttl, idle, cost, when),
            Step::Fill { first, count, value } => {
                for key in 0..count {
                    self.set((first + key) % 700, value, Ttl::Never, None, None, When::Always);
                }
            }
            Step::Read(key, mode) => self.read(key, mode),
            Step::Contains(key) => {
                let there = self.cache.contains(&key_bytes(key));
                assert_eq!(there, self.naive.live(key).is_some());
                self.replay(&Intent::default());
            }
            Step::Delete(key, when) => self.delete(key, when),
            Step::Take(key) => self.take(key),
            Step::Incr(key, delta) => self.incr(key, delta),
            Step::Transform(key, answer) => self.transform(key, answer),
            Step::SetExpiry(key, ttl) => self.set_expiry(key, ttl),
            Step::Advance(ms) => {
                self.clock.advance(ms);
                self.naive.now += ms;
            }
            Step::Maintain(steps) => {
                for _ in 0..steps {
                    self.cache.maintain();
                    self.replay(&Intent::default());
                }
            }
            Step::Scan => self.scan(),
            Step::Recency { limit, newest_first } => self.recency(usize::from(limit), newest_first),
            Step::Clear => self.clear(),
            Step::Resize(kib) => self.resize(u64::from(kib) << 10),
        }
    }

    /// What must hold between any two operations.
    fn check(&mut self) {
        self.cache.verify().unwrap();
        let stats = self.cache.stats();
        assert!(stats.bytes <= self.max_bytes, "{} of {} bytes", stats.bytes, self.max_bytes);
        let parts = stats.key_bytes + stats.value_bytes + stats.dead_bytes + stats.reserve_bytes + stats.overhead_bytes;
        assert_eq!(stats.bytes, parts);
        let naive = &self.naive;
        let cost: u64 = naive.entries.iter().map(|entry| entry.cost).sum();
        let keys: u64 = naive.entries.iter().map(|entry| key_bytes(entry.key).len() as u64).sum();
        let values: u64 = naive.entries.iter().map(|entry| entry.bytes.len() as u64).sum();
        assert_eq!(
            (stats.entries, stats.cost, stats.key_bytes, stats.raw_value_bytes),
            (naive.entries.len() as u64, cost, keys, values)
        );
        assert_eq!(
            (stats.hits, stats.misses, stats.sets, stats.deletes, stats.evictions, stats.expirations),
            (self.hits, self.misses, self.sets, naive.deletes, naive.evictions, naive.expirations)
        );
        assert!(naive.defaults.max_entries.is_none_or(|max| stats.entries <= max), "{} entries", stats.entries);
        assert!(naive.defaults.max_cost.is_none_or(|max| stats.cost <= max), "cost {}", stats.cost);
        assert_eq!(self.cache.len(), stats.entries);
    }

    fn replay(&mut self, intent: &Intent) {
        let changes = self.stream.drain(usize::MAX);
        let numbers = &self.key_numbers;
        self.naive.replay(changes, intent, |key| numbers[key]);
    }

    fn condition(&self, when: When, key: u16) -> Condition {
        match when {
            When::Always => Condition::Always,
            When::Absent => Condition::IfAbsent,
            When::Present => Condition::IfPresent,
            When::ThisVersion => Condition::IfVersion(self.naive.live(key).map_or(0, |entry| entry.version)),
            When::OlderVersion => Condition::IfVersion(IMPOSSIBLE_VERSION),
            When::VersionZero => Condition::IfVersion(0),
        }
    }

    fn set(&mut self, key: u16, value: Recipe, ttl: Ttl, idle: Option<u64>, cost: Option<u64>, when: When) {
        let bytes = value.bytes();
        let options = WriteOptions {
            expiry: self.engine_expiry(ttl),
            idle_ttl_ms: idle,
            cost,
            condition: self.condition(when, key),
        };
        let new = NewValue { kind: value.kind(), codec: value.codec(), bytes: &bytes };
        let written = self.cache.set(&key_bytes(key), new, &options);
        if self.was_refused(key, bytes.len(), idle, cost, written.as_ref().err()) {
            return self.replay(&Intent::default());
        }
        let written = written.unwrap();
        let (entry, expired) = self.naive.draft(key, value, ttl, idle, cost.unwrap_or(1));
        let holds = self.naive.holds(when, key);
        let before = self.naive.live(key).map(|entry| entry.version);
        self.replay(&self.write_intent(key, entry, holds, expired, holds));
        if !holds {
            assert_eq!(written, Written::ConditionFailed { version: before.unwrap_or(0) });
            return;
        }
        let Written::Stored { version, replaced } = written else { panic!("{written:?}") };
        assert_eq!(replaced, before.is_some());
        if expired {
            return;
        }
        self.sets += 1;
        assert_eq!(self.naive.live(key).map(|entry| entry.version), Some(version));
    }

    /// The change a write leaves.
    fn write_intent(&self, key: u16, entry: Entry, holds: bool, expired: bool, may_evict: bool) -> Intent {
        let there = self.naive.live(key).is_some();
        let change = match (holds, expired, there) {
            (false, ..) | (true, true, false) => None,
            (true, true, true) => Some(ChangeKind::Deleted),
            (true, false, true) => Some(ChangeKind::Replaced),
            (true, false, false) => Some(ChangeKind::Added),
        };
        Intent { key: Some(key), change, entry: Some(entry), may_evict }
    }

    /// Whether the write is one that must be refused, and was, for the right reason.
    fn was_refused(&self, key: u16, len: usize, idle: Option<u64>, cost: Option<u64>, error: Option<&Error>) -> bool {
        let bytes = (key_bytes(key).len() + len) as u64;
        match error {
            None => {
                assert!(
                    cost != Some(0)
                        && idle != Some(0)
                        && cost.unwrap_or(1) <= self.naive.defaults.max_cost.unwrap_or(u64::MAX)
                );
                assert!(bytes <= self.max_bytes);
                false
            }
            Some(Error::BadCost) => cost == Some(0),
            Some(Error::BadOption { option: "idleTtl", .. }) => idle == Some(0),
            Some(Error::TooLarge { what: "cost", .. }) => cost > self.naive.defaults.max_cost,
            // A quarter is left for index pages, the reserve and a segment in use per shard.
            Some(Error::TooLarge { what: "entry bytes", .. }) => bytes > self.max_bytes / 4 * 3,
            Some(other) => panic!("{other:?} for a value of {len} bytes"),
        }
    }

    fn engine_expiry(&self, ttl: Ttl) -> Expiry {
        match ttl {
            Ttl::Default => Expiry::Default,
            Ttl::Never => Expiry::Never,
            Ttl::Keep => Expiry::Keep,
            Ttl::In(ms) => Expiry::In(ms),
            Ttl::At(ms) => Expiry::At(self.naive.now.strict_add_signed(ms)),
            Ttl::AtEnd => Expiry::At(u64::MAX),
        }
    }

    fn read(&mut self, key: u16, mode: ReadMode) {
        let expected = self.naive.live(key).is_some();
        let counts = mode == ReadMode::Use;
        self.hits += u64::from(counts && expected);
        self.misses += u64::from(counts && !expected);
        let found = self.cache.read(&key_bytes(key), mode, Seen::of);
        self.replay(&Intent::default());
        if counts && expected {
            self.naive.use_entry(key);
        }
        self.compare(key, found);
    }

    fn compare(&self, key: u16, found: Option<Seen>) {
        let expected = self.naive.live(key).map(Seen::expected);
        assert!(found == expected, "key {key}: found {found:?}, not {expected:?}");
    }

    fn delete(&mut self, key: u16, when: When) {
        let there = self.naive.live(key).is_some();
        let expected = there && self.naive.holds(when, key);
        let deleted = self.cache.delete(&key_bytes(key), self.condition(when, key)).unwrap();
        assert_eq!(deleted, expected);
        let change = expected.then_some(ChangeKind::Deleted);
        self.replay(&Intent { key: Some(key), change, ..Intent::default() });
    }

    fn take(&mut self, key: u16) {
        let taken = self.cache.take(&key_bytes(key), Seen::of).unwrap();
        self.compare(key, taken.clone());
        let change = taken.map(|_| ChangeKind::Deleted);
        self.replay(&Intent { key: Some(key), change, ..Intent::default() });
    }

    fn incr(&mut self, key: u16, delta: i64) {
        let live = self.naive.live(key).cloned();
        let old = live.as_ref().map_or(Some(0), Entry::integer);
        let expected = match old {
            None => Err(Error::NotInteger),
            Some(old) => old.checked_add(delta).ok_or(Error::Overflow),
        };
        let answer = self.cache.incr(&key_bytes(key), delta);
        assert_eq!(answer, expected);
        let Ok(new) = answer else { return self.replay(&Intent::default()) };
        let (idle, cost) = live.map_or((None, 1), |entry| (entry.idle.map(|(ttl, _)| ttl), entry.cost));
        let (entry, expired) = self.naive.draft(key, Recipe::Integer(new), Ttl::Keep, idle, cost);
        self.replay(&self.write_intent(key, entry, true, expired, true));
        self.sets += 1;
    }

    fn transform(&mut self, key: u16, answer: Answer) {
        let live = self.naive.live(key).cloned();
        let mut seen = None;
        let done = self.cache.transform(key_bytes(key).as_slice(), |found| {
            seen = found.map(Seen::of);
            Ok(match answer {
                Answer::Keep => Transform::Keep(1),
                Answer::Delete => Transform::Delete(2),
                Answer::Store(value, ttl) => Transform::Store {
                    kind: value.kind(),
                    codec: value.codec(),
                    bytes: value.bytes(),
                    expiry: self.engine_expiry(ttl),
                    output: 3,
                },
            })
        });
        self.compare(key, seen);
        match answer {
            Answer::Keep => {
                assert_eq!(done, Ok(1));
                self.replay(&Intent::default());
            }
            Answer::Delete => {
                assert_eq!(done, Ok(2));
                let change = live.map(|_| ChangeKind::Deleted);
                self.replay(&Intent { key: Some(key), change, ..Intent::default() });
            }
            Answer::Store(value, ttl) => {
                let (idle, cost) = live.map_or((None, 1), |entry| (entry.idle.map(|(ttl, _)| ttl), entry.cost));
                if self.was_refused(key, value.bytes().len(), None, None, done.as_ref().err()) {
                    return self.replay(&Intent::default());
                }
                assert_eq!(done, Ok(3));
                let (entry, expired) = self.naive.draft(key, value, ttl, idle, cost);
                self.replay(&self.write_intent(key, entry, true, expired, true));
                self.sets += u64::from(!expired);
            }
        }
    }

    fn set_expiry(&mut self, key: u16, ttl: Ttl) {
        let live = self.naive.live(key).cloned();
        let done = self.cache.set_expiry(&key_bytes(key), self.engine_expiry(ttl)).unwrap();
        assert_eq!(done, live.is_some());
        let expires_at = self.naive.expiry(key, ttl);
        let change = match live {
            None => None,
            Some(_) if ttl == Ttl::Keep => None,
            Some(_) if expires_at.is_some_and(|at| at <= self.naive.now) => Some(ChangeKind::Deleted),
            Some(_) => Some(ChangeKind::ExpiryChanged),
        };
        let entry = live.map(|entry| Entry { expires_at, ..entry });
        // A record gets longer with its first expiry.
        let may_evict = !self.naive.defaults.roomy;
        self.replay(&Intent { key: Some(key), change, entry, may_evict });
    }

    fn scan(&mut self) {
        let (mut cursor, mut found) = (0, Vec::new());
        loop {
            cursor = self.cache.scan(cursor, &mut found);
            assert!(cursor < 1 << 53);
            if cursor == 0 {
                break;
            }
        }
        let mut keys: Vec<u16> = found.iter().map(|entry| self.key_numbers[&entry.key]).collect();
        keys.sort_unstable();
        let live = self.naive.entries.iter().filter(|entry| !self.naive.has_expired(entry));
        let mut expected: Vec<u16> = live.map(|entry| entry.key).collect();
        expected.sort_unstable();
        assert_eq!(keys, expected);
        for ScanEntry { key, kind, version, expires_at, bytes } in found {
            let entry = self.naive.live(self.key_numbers[&key]).unwrap();
            assert_eq!((kind, version, expires_at), (entry.kind, entry.version, entry.deadline()));
            assert_eq!(Some(bytes), self.cache.describe_entry(&key).map(|entry| entry.bytes));
        }
    }

    fn recency(&mut self, limit: usize, newest_first: bool) {
        let (mut keys, mut after) = (Vec::new(), None::<Vec<u8>>);
        loop {
            let page = self.cache.keys_by_recency(after.as_deref(), limit, newest_first);
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            keys.extend(page.iter().map(|key| self.key_numbers[key]));
        }
        if !self.naive.defaults.exact {
            return;
        }
        let live = self.naive.entries.iter().filter(|entry| !self.naive.has_expired(entry));
        let mut expected: Vec<u16> = live.map(|entry| entry.key).collect();
        if newest_first {
            expected.reverse();
        }
        assert_eq!(keys, expected);
    }

    fn clear(&mut self) {
        self.cache.clear();
        let shards = self.cache.options().shards.unwrap();
        let changes = self.stream.drain(usize::MAX);
        assert_eq!(changes.len(), shards);
        for change in changes {
            let intent = Intent { change: Some(ChangeKind::Cleared), ..Intent::default() };
            self.naive.replay(vec![change], &intent, |_| unreachable!());
        }
        assert!(self.cache.is_empty());
    }

    fn resize(&mut self, max_bytes: u64) {
        let done = self.cache.resize(max_bytes).unwrap();
        self.max_bytes = max_bytes;
        let evicting = Intent { may_evict: true, ..Intent::default() };
        if done {
            assert!(self.cache.stats().bytes <= max_bytes);
        }
        while self.cache.maintain() {
            self.replay(&evicting);
        }
        self.replay(&evicting);
        assert!(self.cache.stats().bytes <= max_bytes, "the bound holds once maintenance has nothing to do");
    }
}

/// Everything a reader is told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    kind: Kind,
    codec: u8,
    ascii: bool,
    version: u64,
    expires_at: Option<u64>,
    idle_ttl_ms: Option<u64>,
    cost: u64,
    bytes: Vec<u8>,
}

impl Seen {
    fn of(found: &Found<'_>) -> Self {
        if let Some(shared) = found.shared {
            assert!(shared[..] == *found.bytes);
        }
        Self {
            kind: found.kind,
            codec: found.codec,
            ascii: found.ascii,
            version: found.version,
            expires_at: found.expires_at,
            idle_ttl_ms: found.idle_ttl_ms,
            cost: found.cost,
            bytes: found.bytes.to_vec(),
        }
    }

    fn expected(entry: &Entry) -> Self {
        Self {
            kind: entry.kind,
            codec: entry.codec,
            ascii: entry.kind == Kind::Text && entry.bytes.is_ascii(),
            version: entry.version,
            expires_at: entry.deadline(),
            idle_ttl_ms: entry.idle.map(|(ttl, _)| ttl),
            cost: entry.cost,
            bytes: entry.bytes.clone(),
        }
    }
}
