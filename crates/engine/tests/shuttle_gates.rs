//! Gates and shard together under explored schedules: `cargo test -p tandem-engine --features shuttle --test shuttle_gates`.
#![cfg(feature = "shuttle")]

use std::sync::Arc;

use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;
use tandem_engine::gates::{Acquired, Cancelled, GateKind, Outcome, Request, Wake};
use tandem_engine::{
    Cache, Condition, Error, Fill, Filled, Kind, Lease, LeaseMode, NewValue, Options, ReadMode, Stable, WriteOptions,
};

const SCHEDULES: usize = 2_000;
const KEY: &[u8] = b"key";

#[derive(Default)]
struct Inbox {
    posts: Mutex<Vec<Outcome>>,
    posted: Condvar,
}

impl Wake for Inbox {
    fn wake(&self, _ticket: u64, outcome: Outcome) {
        self.posts.lock().unwrap().push(outcome);
        self.posted.notify_all();
    }
}

/// One asker, whose requests all bear ticket 0: it makes one at a time.
struct Asker {
    cache: Arc<Cache>,
    owner: u64,
    inbox: Arc<Inbox>,
}

impl Asker {
    fn new(cache: &Arc<Cache>, owner: u64) -> Self {
        Self { cache: Arc::clone(cache), owner, inbox: Arc::default() }
    }

    fn request(&self, kind: GateKind) -> Request {
        Request { kind, owner: self.owner, ticket: 0, hold_ms: None, wake: self.inbox.clone() }
    }

    /// Waits for the next outcome; a schedule in which none comes is a deadlock, which shuttle reports.
    fn next(&self) -> Outcome {
        let mut posts = self.inbox.posts.lock().unwrap();
        while posts.is_empty() {
            posts = self.inbox.posted.wait(posts).unwrap();
        }
        posts.remove(0)
    }

    /// Like `getOrSet`: the value, and whether this asker loaded it.
    fn get_or_set(&self, load: impl Fn(u64) -> Result<Filled, Error>) -> (Option<i64>, bool) {
        loop {
            let token = match self.cache.lease(KEY, self.request(GateKind::Load), LeaseMode::IfMissing) {
                Ok(Lease::Hit) => match read(&self.cache) {
                    Some(value) => return (Some(value), false),
                    None => continue,
                },
                Ok(Lease::Won { token }) => token,
                Ok(Lease::Queued) => match self.next() {
                    Outcome::Granted { token } => token,
                    Outcome::Value(Some(value)) => return (Some(number(&value.bytes)), false),
                    Outcome::Value(None) => continue,
                    Outcome::Ended(Error::Closed) => return (None, false),
                    other => panic!("{other:?}"),
                },
                Ok(Lease::Busy) => panic!("busy without a refresh"),
                Err(Error::Closed) => return (None, false),
                Err(error) => panic!("{error}"),
            };
            match load(token) {
                Ok(Filled::Stored { .. } | Filled::NotStored) => return (Some(self.owner as i64), true),
                Ok(Filled::Fenced) => match self.next() {
                    Outcome::Value(Some(value)) => return (Some(number(&value.bytes)), true),
                    Outcome::Ended(Error::Closed) => return (None, true),
                    other => panic!("{other:?}"),
                },
                Err(Error::Closed) => return (None, true),
                other => panic!("{other:?}"),
            }
        }
    }

    fn load(&self) -> (Option<i64>, bool) {
        self.get_or_set(|token| store(&self.cache, token, self.owner as i64))
    }

    /// Like `upsert`, adding one; says how it ended.
    fn add_one(&self) -> Result<(), Error> {
        let token = match self.cache.gate(KEY, self.request(GateKind::Upsert))? {
            Acquired::Granted { token } => token,
            Acquired::Queued => match self.next() {
                Outcome::Granted { token } => token,
                Outcome::Ended(error) => return Err(error),
                other => panic!("{other:?}"),
            },
        };
        let current = read(&self.cache).unwrap_or(0);
        match store(&self.cache, token, current + 1)? {
            Filled::Stored { .. } => Ok(()),
            Filled::Fenced => match self.next() {
                Outcome::Ended(error) => Err(error),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
}

fn cache() -> Arc<Cache> {
    let options = Options { max_bytes: 1 << 20, shards: Some(1), seed: Some(1), ..Options::default() };
    Arc::new(Cache::new(options).unwrap())
}

fn number(bytes: &[u8]) -> i64 {
    i64::from_le_bytes(bytes.try_into().unwrap())
}

fn read(cache: &Cache) -> Option<i64> {
    cache.read(KEY, ReadMode::Peek, |found| number(found.bytes))
}

fn store(cache: &Cache, token: u64, value: i64) -> Result<Filled, Error> {
    let value = NewValue { kind: Kind::Integer, codec: 0, bytes: &value.to_le_bytes() };
    cache.fill(KEY, token, Fill::Store { value, options: &WriteOptions::default() })
}

fn set(cache: &Cache, value: i64) {
    let value = NewValue { kind: Kind::Integer, codec: 0, bytes: &value.to_le_bytes() };
    cache.set(KEY, value, &WriteOptions::default()).unwrap();
}

fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::spawn(f)
}

#[test]
fn misses_at_once_run_one_load() {
    shuttle::check_random(
        || {
            let cache = cache();
            let askers: Vec<_> = (1..=4).map(|owner| Asker::new(&cache, owner)).collect();
            let threads: Vec<_> = askers.into_iter().map(|asker| spawn(move || asker.load())).collect();
            let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert_eq!(results.iter().filter(|(_, loaded)| *loaded).count(), 1);
            assert!(results.iter().all(|(value, _)| *value == results[0].0 && value.is_some()));
            assert_eq!(cache.stats().gates, 0);
        },
        SCHEDULES,
    );
}

#[test]
fn upserts_are_one_sequence() {
    shuttle::check_random(
        || {
            let cache = cache();
            let askers: Vec<_> = (1..=4).map(|owner| Asker::new(&cache, owner)).collect();
            let threads: Vec<_> = askers.into_iter().map(|asker| spawn(move || asker.add_one())).collect();
            for thread in threads {
                thread.join().unwrap().unwrap();
            }
            assert_eq!(read(&cache), Some(4));
        },
        SCHEDULES,
    );
}

#[test]
fn what_commits_overtakes_upserts_and_no_late_result_is_stored() {
    shuttle::check_random(
        || {
            let cache = cache();
            let askers: Vec<_> = (1..=2).map(|owner| Asker::new(&cache, owner)).collect();
            let threads: Vec<_> = askers.into_iter().map(|asker| spawn(move || asker.add_one())).collect();
            let setter = spawn({
                let cache = Arc::clone(&cache);
                move || set(&cache, 100)
            });
            let added = threads.into_iter().map(|thread| thread.join().unwrap());
            let outcomes: Vec<_> = added.collect();
            setter.join().unwrap();
            // Each upsert either counted before or after the set, or was overtaken by it.
            assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(Error::Preempted))));
            let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as i64;
            let value = read(&cache).unwrap();
            assert!((100..=100 + stored).contains(&value), "{value} after {stored}");
            assert_eq!(cache.stats().gates, 0);
        },
        SCHEDULES,
    );
}

#[test]
fn loads_between_deletes_and_sets_always_answer() {
    shuttle::check_random(
        || {
            let cache = cache();
            let askers: Vec<_> = (1..=3).map(|owner| Asker::new(&cache, owner)).collect();
            let threads: Vec<_> = askers.into_iter().map(|asker| spawn(move || asker.load())).collect();
            let changer = spawn({
                let cache = Arc::clone(&cache);
                move || {
                    cache.delete(KEY, Condition::Always).unwrap();
                    set(&cache, 100);
                    cache.delete(KEY, Condition::Always).unwrap();
                }
            });
            for thread in threads {
                let (value, _) = thread.join().unwrap();
                assert!(value.is_some_and(|value| value == 100 || (1..=3).contains(&value)));
            }
            changer.join().unwrap();
            assert_eq!(cache.stats().gates, 0);
        },
        SCHEDULES,
    );
}

#[test]
fn when_a_loader_dies_another_loads() {
    shuttle::check_random(
        || {
            let cache = cache();
            let dying = Asker::new(&cache, 9);
            let dead = spawn(move || {
                // Wins, waits or misses its chance, and is gone.
                let _ = dying.cache.lease(KEY, dying.request(GateKind::Load), LeaseMode::IfMissing).unwrap();
                dying.cache.owner_gone(dying.owner);
            });
            let askers: Vec<_> = (1..=2).map(|owner| Asker::new(&cache, owner)).collect();
            let threads: Vec<_> = askers.into_iter().map(|asker| spawn(move || asker.load())).collect();
            let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            dead.join().unwrap();
            assert_eq!(results.iter().filter(|(_, loaded)| *loaded).count(), 1);
            assert_eq!(cache.stats().gates, 0);
        },
        SCHEDULES,
    );
}

#[test]
fn cancelling_races_with_the_answer_and_loses_nothing() {
    shuttle::check_random(
        || {
            let cache = cache();
            let (leaving, staying) = (Asker::new(&cache, 1), Asker::new(&cache, 2));
            let left = spawn(move || {
                let lease = leaving.cache.lease(KEY, leaving.request(GateKind::Load), LeaseMode::IfMissing).unwrap();
                match (lease, leaving.cache.cancel(KEY, 1, 0)) {
                    (Lease::Hit, Cancelled::Unknown) | (Lease::Won { .. } | Lease::Queued, Cancelled::Left) => {}
                    (Lease::Won { token }, Cancelled::StillLoading) => {
                        assert_eq!(leaving.cache.fill(KEY, token, Fill::Abandon), Ok(Filled::Ended));
                    }
                    (Lease::Queued, Cancelled::StillLoading) => match leaving.next() {
                        Outcome::Granted { token } => {
                            assert_eq!(leaving.cache.fill(KEY, token, Fill::Abandon), Ok(Filled::Ended));
                        }
                        other => panic!("{other:?}"),
                    },
                    (Lease::Queued, Cancelled::Unknown) => assert!(matches!(leaving.next(), Outcome::Value(Some(_)))),
                    other => panic!("{other:?}"),
                }
            });
            let stayed = spawn(move || staying.load());
            left.join().unwrap();
            assert_eq!(stayed.join().unwrap(), (Some(2), true));
            assert_eq!(cache.stats().gates, 0);
        },
        SCHEDULES,
    );
}

#[test]
fn stable_sees_a_committed_value_at_rest() {
    shuttle::check_random(
        || {
            let cache = cache();
            let (upserting, reading) = (Asker::new(&cache, 1), Asker::new(&cache, 2));
            let upserted = spawn(move || upserting.add_one());
            let read = spawn(move || match reading.cache.stable(KEY, reading.request(GateKind::Stable)).unwrap() {
                Stable::Value(value) => number(&value.bytes),
                Stable::Queued => match reading.next() {
                    Outcome::Value(Some(value)) => number(&value.bytes),
                    other => panic!("{other:?}"),
                },
            });
            upserted.join().unwrap().unwrap();
            assert_eq!(read.join().unwrap(), 1);
        },
        SCHEDULES,
    );
}

#[test]
fn close_answers_everybody() {
    shuttle::check_random(
        || {
            let cache = cache();
            let (loading, upserting) = (Asker::new(&cache, 1), Asker::new(&cache, 2));
            let threads = [
                spawn(move || {
                    loading.load();
                }),
                spawn(move || assert!(matches!(upserting.add_one(), Ok(()) | Err(Error::Closed)))),
            ];
            cache.close();
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(cache.stats().gates, 0);
        },
        SCHEDULES,
    );
}
