//! Hashes and sets against naive ones, through every size, with the byte bound checked after every step.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tandem_engine::{
    Cache, Condition, Element, Error, Expiry, Growth, Kind, ManualClock, NewValue, Options, PolicyKind, Put, ReadMode,
    WriteOptions,
};

type Naive = BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Vec<u8>>>;

fn cache(max_bytes: u64, policy: PolicyKind) -> (Cache, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(1_000_000));
    let options = Options { max_bytes, policy, clock: Arc::clone(&clock) as _, seed: Some(7), ..Options::default() };
    (Cache::new(options).unwrap(), clock)
}

fn put(cache: &Cache, key: &[u8], name: &[u8], value: &[u8]) -> Result<Put, Error> {
    let element = Element { name, value: Some(value) };
    let growth = Growth::from_iter([element]);
    Ok(cache.change_collection(key, Kind::Hash, true, growth, |hash| Ok(hash.put(element)))?.expect("it is created"))
}

fn remove(cache: &Cache, key: &[u8], name: &[u8]) -> Option<bool> {
    cache.change_collection(key, Kind::Hash, false, Growth::default(), |hash| Ok(hash.remove(name))).unwrap()
}

fn whole(cache: &Cache, key: &[u8]) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    let all = cache.read_whole(key, Kind::Hash, ReadMode::Peek, |hash| {
        let mut all = BTreeMap::new();
        hash.for_each(|element| {
            assert!(all.insert(element.name.to_vec(), element.value.unwrap().to_vec()).is_none(), "twice");
        });
        assert_eq!(hash.len(), all.len() as u64);
        all
    });
    all.unwrap()
}

#[derive(Debug, Clone)]
enum Action {
    /// Puts so many fields from a number on, each with a value of so many bytes.
    Put {
        key: u8,
        from: u16,
        count: u16,
        bytes: u16,
    },
    Remove {
        key: u8,
        from: u16,
        count: u16,
    },
    Get {
        key: u8,
        field: u16,
    },
    All {
        key: u8,
    },
    Scan {
        key: u8,
        count: usize,
    },
    Expire {
        key: u8,
    },
    Delete {
        key: u8,
    },
    Overwrite {
        key: u8,
    },
    Clear,
    Advance,
}

fn action() -> impl Strategy<Value = Action> {
    let key = 0u8..3;
    let bytes = prop_oneof![6 => 0u16..40, 2 => 40u16..900, 1 => 1_000u16..9_000];
    prop_oneof![
        8 => (key.clone(), 0u16..400, 1u16..8, bytes.clone())
            .prop_map(|(key, from, count, bytes)| Action::Put { key, from, count, bytes }),
        3 => (key.clone(), 0u16..400, 50u16..300, 0u16..60)
            .prop_map(|(key, from, count, bytes)| Action::Put { key, from, count, bytes }),
        3 => (key.clone(), 0u16..400, 1u16..300).prop_map(|(key, from, count)| Action::Remove { key, from, count }),
        4 => (key.clone(), 0u16..500).prop_map(|(key, field)| Action::Get { key, field }),
        2 => key.clone().prop_map(|key| Action::All { key }),
        2 => (key.clone(), 1usize..50).prop_map(|(key, count)| Action::Scan { key, count }),
        1 => key.clone().prop_map(|key| Action::Expire { key }),
        1 => key.clone().prop_map(|key| Action::Delete { key }),
        1 => key.prop_map(|key| Action::Overwrite { key }),
        1 => Just(Action::Clear),
        1 => Just(Action::Advance),
    ]
}

/// A short key, and one too long for a record.
fn key_bytes(key: u8) -> Vec<u8> {
    if key == 2 { vec![b'k'; 40_000] } else { vec![b'a' + key] }
}

fn field(number: u16) -> Vec<u8> {
    format!("field:{number}").into_bytes()
}

/// Everything that starting at 0 and going on until 0 shows.
fn scanned(cache: &Cache, key: &[u8], count: usize) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let (mut seen, mut cursor) = (BTreeMap::new(), 0);
    loop {
        let next = cache.read_collection(key, Kind::Hash, ReadMode::Peek, |hash| {
            hash.scan(cursor, count, |element| {
                seen.insert(element.name.to_vec(), element.value.unwrap().to_vec());
            })
        });
        cursor = next.unwrap().unwrap_or(0);
        if cursor == 0 {
            return seen;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn hashes_are_those_of_a_map(actions in proptest::collection::vec(action(), 1..60), lru in any::<bool>()) {
        let (cache, clock) = cache(64 << 20, if lru { PolicyKind::Lru } else { PolicyKind::Default });
        let mut naive = Naive::new();
        let mut deadlines = BTreeMap::new();
        let mut now = 1_000_000;
        for action in actions {
            match action {
                Action::Put { key, from, count, bytes } => {
                    let fields: Vec<_> = (from..from + count).map(|n| (field(n), vec![n as u8; bytes.into()])).collect();
                    let elements = || fields.iter().map(|(name, value)| Element { name, value: Some(value) });
                    let growth = Growth::from_iter(elements());
                    let key = key_bytes(key);
                    let added = cache.change_collection(&key, Kind::Hash, true, growth, |hash| {
                        Ok(elements().filter(|&element| hash.put(element) == Put::Added).count())
                    });
                    let there = naive.entry(key).or_default();
                    let before = there.len();
                    there.extend(fields);
                    prop_assert_eq!(added.unwrap(), Some(there.len() - before));
                }
                Action::Remove { key, from, count } => {
                    let key = key_bytes(key);
                    let removed = cache.change_collection(&key, Kind::Hash, false, Growth::default(), |hash| {
                        Ok((from..from + count).filter(|&n| hash.remove(&field(n))).count())
                    });
                    let expected = naive.get_mut(&key).map(|there| {
                        (from..from + count).filter(|&n| there.remove(&field(n)).is_some()).count()
                    });
                    prop_assert_eq!(removed.unwrap(), expected);
                    if naive.get(&key).is_some_and(BTreeMap::is_empty) {
                        naive.remove(&key);
                        deadlines.remove(&key);
                    }
                }
                Action::Get { key, field: number } => {
                    let key = key_bytes(key);
                    let got = cache.read_collection(&key, Kind::Hash, ReadMode::Use, |hash| {
                        hash.get(&field(number)).map(|element| element.value.unwrap().to_vec())
                    });
                    let expected = naive.get(&key).map(|there| there.get(&field(number)).cloned());
                    prop_assert_eq!(got.unwrap(), expected);
                }
                Action::All { key } => {
                    let key = key_bytes(key);
                    prop_assert_eq!(whole(&cache, &key), naive.get(&key).cloned());
                }
                Action::Scan { key, count } => {
                    let key = key_bytes(key);
                    prop_assert_eq!(scanned(&cache, &key, count), naive.get(&key).cloned().unwrap_or_default());
                }
                Action::Expire { key } => {
                    let key = key_bytes(key);
                    let there = cache.set_expiry(&key, Expiry::In(500)).unwrap();
                    prop_assert_eq!(there, naive.contains_key(&key));
                    if there {
                        deadlines.insert(key, now + 500);
                    }
                }
                Action::Delete { key } => {
                    let key = key_bytes(key);
                    deadlines.remove(&key);
                    prop_assert_eq!(cache.delete(&key, Condition::Always).unwrap(), naive.remove(&key).is_some());
                }
                Action::Overwrite { key } => {
                    let key = key_bytes(key);
                    let value = NewValue { kind: Kind::Wire, codec: 0, bytes: b"text" };
                    cache.set(&key, value, &WriteOptions::default()).unwrap();
                    prop_assert_eq!(put(&cache, &key, b"f", b"v"), Err(Error::WrongKind));
                    let read = cache.read_collection(&key, Kind::Hash, ReadMode::Peek, |_| ());
                    prop_assert_eq!(read, Err(Error::WrongKind));
                    cache.delete(&key, Condition::Always).unwrap();
                    naive.remove(&key);
                    deadlines.remove(&key);
                }
                Action::Clear => {
                    cache.clear();
                    naive.clear();
                    deadlines.clear();
                }
                Action::Advance => {
                    now += 200;
                    clock.set(now);
                    naive.retain(|key, _| deadlines.get(key).is_none_or(|&at| at > now));
                    deadlines.retain(|_, at| *at > now);
                    cache.maintain();
                }
            }
            cache.verify().unwrap();
        }
        let empty = Cache::new(cache.options().clone()).unwrap().stats().bytes;
        cache.clear();
        while cache.maintain() {}
        prop_assert!(cache.stats().bytes <= empty + (2 << 20), "{} bytes are left", cache.stats().bytes);
    }

    /// What is there from the first step of a scan to the last is shown, whatever comes and goes meanwhile.
    #[test]
    fn a_scan_shows_what_stays(
        stay in 1u16..600,
        changes in proptest::collection::vec((0u16..3_000, any::<bool>()), 0..400),
    ) {
        let (cache, _) = cache(16 << 20, PolicyKind::Default);
        for number in 0..stay {
            put(&cache, b"k", format!("stay:{number}").as_bytes(), b"some value of a field").unwrap();
        }
        let (mut seen, mut cursor, mut changes) = (std::collections::HashSet::new(), 0, changes.into_iter());
        loop {
            let next = cache.read_collection(b"k", Kind::Hash, ReadMode::Peek, |hash| {
                hash.scan(cursor, 10, |element| { seen.insert(element.name.to_vec()); })
            });
            cursor = next.unwrap().unwrap();
            if cursor == 0 {
                break;
            }
            for (number, add) in changes.by_ref().take(40) {
                for name in (number..number + 20).map(|number| format!("come and go:{number}").into_bytes()) {
                    if add { put(&cache, b"k", &name, b"a value").map(drop).unwrap() } else { remove(&cache, b"k", &name); }
                }
            }
        }
        for number in 0..stay {
            prop_assert!(seen.contains(format!("stay:{number}").as_bytes()), "{} of {}", number, stay);
        }
    }
}

#[test]
fn the_byte_bound_holds_while_hashes_of_all_sizes_come_and_go() {
    for policy in [PolicyKind::Default, PolicyKind::Lru] {
        let (cache, _) = cache(4 << 20, policy);
        let max = cache.options().max_bytes;
        let mut random = 88_172_645_463_325_252_u64;
        let mut next = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        for _ in 0..60_000 {
            let key = next(400).to_le_bytes();
            // A hundredth of the keys grow to thousands of fields.
            let fields = if key[0].is_multiple_of(100) { 5_000 } else { 1 + u64::from(key[0]) };
            let name = next(fields).to_le_bytes();
            if next(10) == 0 {
                remove(&cache, &key, &name);
            } else {
                put(&cache, &key, &name, &vec![7; next(300) as usize]).unwrap();
            }
            assert!(cache.stats().bytes <= max, "{} of {max}", cache.stats().bytes);
        }
        assert!(cache.stats().evictions > 0, "the test is to fill the cache");
        cache.verify().unwrap();
    }
}

#[test]
fn a_hash_that_cannot_fit_is_refused_and_stays_as_it_is() {
    let (cache, _) = cache(2 << 20, PolicyKind::Default);
    let refused = (0..100_000u32).find_map(|number| put(&cache, b"k", &number.to_le_bytes(), &[1; 100]).err());
    assert!(matches!(refused, Some(Error::TooLarge { what: "entry bytes", .. })), "{refused:?}");
    let before = whole(&cache, b"k").unwrap();
    assert!(before.len() > 1_000);
    put(&cache, b"k", b"one more", &[1; 100]).unwrap_err();
    assert_eq!(whole(&cache, b"k").unwrap(), before);
    assert!(matches!(
        put(&cache, b"k", b"long", &vec![0; 300 << 20]),
        Err(Error::TooLarge { what: "value bytes", .. })
    ));
}

#[test]
fn a_reader_of_everything_sees_one_moment() {
    let (cache, _) = cache(32 << 20, PolicyKind::Default);
    for number in 0..5_000u32 {
        put(&cache, b"k", &number.to_le_bytes(), b"before").unwrap();
    }
    let all = cache.read_whole(b"k", Kind::Hash, ReadMode::Use, |hash| {
        for number in 0..10_000u32 {
            put(&cache, b"k", &number.to_le_bytes(), b"after").unwrap();
        }
        let mut before = 0;
        hash.for_each(|element| before += usize::from(element.value == Some(b"before")));
        (before, hash.len())
    });
    assert_eq!(all, Ok(Some((5_000, 5_000))));
    cache.verify().unwrap();
    assert_eq!(whole(&cache, b"k").unwrap().len(), 10_000);
}

#[test]
fn random_elements_are_about_as_likely_as_each_other() {
    let (cache, _) = cache(16 << 20, PolicyKind::Default);
    for members in [10u32, 100, 3_000] {
        for number in 0..members {
            put(&cache, &members.to_le_bytes(), &number.to_le_bytes(), &vec![1; (number % 40) as usize]).unwrap();
        }
        let mut state = 1u64;
        let mut below = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        };
        let mut counts = BTreeMap::<Vec<u8>, u32>::new();
        let draws = members * 100;
        cache
            .read_collection(&members.to_le_bytes(), Kind::Hash, ReadMode::Peek, |hash| {
                for _ in 0..draws {
                    *counts.entry(hash.random(&mut below).unwrap().name.to_vec()).or_default() += 1;
                }
            })
            .unwrap();
        assert_eq!(counts.len() as u32, members, "every one is drawn");
        assert!(*counts.values().max().unwrap() < 250, "{members}: {:?}", counts.values().max());
    }
}

#[test]
fn a_long_field_costs_what_a_long_string_costs() {
    let (cache, _) = cache(256 << 20, PolicyKind::Default);
    for number in 0..200_000u32 {
        put(&cache, b"k", &number.to_le_bytes(), b"a value").unwrap();
    }
    // Nothing that compression makes less of.
    let mut long: Vec<u8> = (0..15u32 << 20).map(|at| (at.wrapping_mul(at ^ 2_654_435_761) >> 13) as u8).collect();
    let milliseconds = |write: &dyn Fn()| {
        let start = std::time::Instant::now();
        write();
        start.elapsed().as_secs_f64() * 1e3
    };
    // The best of several rounds in turn: what else the machine does only ever adds, to the one as to the other.
    let (mut string, mut field) = (f64::MAX, f64::MAX);
    for round in 0..10 {
        long[0] = round;
        string = string.min(milliseconds(&|| {
            let value = NewValue { kind: Kind::Bytes, codec: 0, bytes: &long };
            cache.set(b"string", value, &WriteOptions::default()).unwrap();
        }));
        field = field.min(milliseconds(&|| {
            put(&cache, b"k", b"long", &long).unwrap();
        }));
    }
    println!("15 MiB: a string {string:.2} ms, a field among 200,000 {field:.2} ms");
    assert!(field < 4.0 * string, "a field {field} ms, a string {string} ms");
    let found = cache.read_collection(b"k", Kind::Hash, ReadMode::Use, |hash| {
        hash.get(b"long").map(|element| element.value == Some(&long[..]))
    });
    assert_eq!(found, Ok(Some(Some(true))));
    cache.verify().unwrap();
    // Short again: its memory returns.
    let before = cache.stats().bytes;
    put(&cache, b"k", b"long", b"short").unwrap();
    assert!(cache.stats().bytes + (14 << 20) < before);
    cache.verify().unwrap();
}

#[test]
fn a_field_costs_about_the_same_in_a_small_and_in_a_large_hash() {
    let (cache, _) = cache(64 << 20, PolicyKind::Default);
    let mut small = 0.0f64;
    for fields in [10u32, 100, 10_000] {
        for number in 0..fields {
            put(&cache, &fields.to_le_bytes(), &number.to_le_bytes(), b"a value").unwrap();
        }
        // The best of several rounds: what else the machine does only ever adds.
        let best = (0..20)
            .map(|round| {
                let start = std::time::Instant::now();
                for number in 0..500u32 {
                    let name = (number % fields).to_le_bytes();
                    put(&cache, &fields.to_le_bytes(), &name, &[round; 7]).unwrap();
                }
                start.elapsed().as_nanos() as f64 / 500.0
            })
            .fold(f64::MAX, f64::min);
        if fields == 10 {
            small = best;
        }
        println!("{fields} fields: {best:.0} ns, {:.1} times as much as with 10", best / small);
        assert!(best < 20.0 * small, "{fields} fields: {best} ns against {small}");
    }
}
