//! Entries under another key: every form of value, under short and long keys, under other entries, and undone.

use std::sync::Arc;

use tandem_engine::{
    Cache, Condition, Element, Error, Expiry, Found, Growth, Kind, ManualClock, Moved, NewValue, Options, PolicyKind,
    ReadMode, Scope, WriteOptions,
};

const NOW_MS: u64 = 1_000_000;

fn cache(policy: PolicyKind) -> Cache {
    let clock = Arc::new(ManualClock::new(NOW_MS));
    Cache::new(Options { max_bytes: 32 << 20, policy, clock, shards: Some(2), ..Options::default() }).unwrap()
}

fn put(cache: &Cache, key: &[u8], kind: Kind, names: impl Iterator<Item = String>) {
    let names: Vec<String> = names.collect();
    let value = (kind == Kind::Hash).then_some(&b"value"[..]);
    let elements = names.iter().map(|name| Element { name: name.as_bytes(), value });
    let growth = Growth::from_iter(elements.clone());
    let put = cache.change_collection(key, kind, true, growth, |all| {
        elements.clone().for_each(|element| {
            all.put(element);
        });
        Ok(())
    });
    put.unwrap();
}

/// What can be seen of an entry, elements in order.
#[derive(Debug, PartialEq)]
struct Seen {
    kind: Kind,
    expires_at: Option<u64>,
    idle_ttl_ms: Option<u64>,
    cost: u64,
    bytes: Vec<u8>,
    elements: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    hashtable: bool,
}

fn see(cache: &Cache, key: &[u8]) -> Option<Seen> {
    let of = |found: &Found<'_>| Seen {
        kind: found.kind,
        expires_at: found.expires_at,
        idle_ttl_ms: found.idle_ttl_ms,
        cost: found.cost,
        bytes: if found.kind.is_collection() { Vec::new() } else { found.bytes.to_vec() },
        elements: Vec::new(),
        hashtable: false,
    };
    let mut seen = cache.read(key, ReadMode::Peek, of)?;
    if seen.kind.is_collection() {
        cache
            .read_whole(key, seen.kind, ReadMode::Peek, |all| {
                all.for_each(|one| seen.elements.push((one.name.to_vec(), one.value.map(<[u8]>::to_vec))));
                seen.hashtable = all.is_hashtable();
            })
            .unwrap();
        seen.elements.sort();
    }
    Some(seen)
}

/// One entry of every form, under keys of this length: their names.
fn fill(cache: &Cache, key_bytes: usize) -> Vec<Vec<u8>> {
    let key = |name: &str| [name.as_bytes(), &vec![b'.'; key_bytes]].concat();
    let options = |cost| WriteOptions { expiry: Expiry::At(NOW_MS + 500), cost: Some(cost), ..WriteOptions::default() };
    let text = |bytes| NewValue { kind: Kind::Text, codec: 0, bytes };
    let incompressible: Vec<u8> = (0..300_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    cache.set(&key("short"), text(b"a value"), &options(7)).unwrap();
    cache.set(&key("packed"), text(&[b'x'; 5_000]), &options(1)).unwrap();
    cache.set(&key("large"), text(&incompressible), &options(1)).unwrap();
    cache.set(&key("large, packed"), text(&[&incompressible[..], &[b'x'; 900_000]].concat()), &options(1)).unwrap();
    cache.incr(&key("number"), 42).unwrap();
    put(cache, &key("hash"), Kind::Hash, (0..20).map(|n| n.to_string()));
    put(cache, &key("set"), Kind::Set, (0..20).map(|n| n.to_string()));
    put(cache, &key("large hash"), Kind::Hash, (0..3_000).map(|n| format!("field {n}")));
    put(cache, &key("large set"), Kind::Set, (0..300).map(|n| n.to_string()));
    cache.set_expiry(&key("large hash"), Expiry::At(NOW_MS + 900)).unwrap();
    // A set that was a hash table once.
    put(cache, &key("was large"), Kind::Set, ["x".to_owned(), "1".to_owned()].into_iter());
    cache
        .change_collection(&key("was large"), Kind::Set, false, Growth::default(), |all| Ok(all.remove(b"x")))
        .unwrap();
    ["short", "packed", "large", "large, packed", "number", "hash", "set", "large hash", "large set", "was large"]
        .map(key)
        .to_vec()
}

#[test]
fn everything_moves_and_is_copied_whole() {
    for policy in [PolicyKind::Default, PolicyKind::Lru] {
        for (from_bytes, to_bytes) in [(4, 4), (4, 20_000), (20_000, 4), (20_000, 65_000)] {
            let cache = cache(policy);
            for (number, from) in fill(&cache, from_bytes).into_iter().enumerate() {
                let to = vec![b'0' + number as u8; to_bytes];
                let other = vec![b'a' + number as u8; to_bytes];
                let before = see(&cache, &from);
                let label = (policy, from_bytes, to_bytes, String::from_utf8_lossy(&from[..6]).into_owned());
                assert_eq!(cache.copy(&from, &other, false), Ok(Moved::Done), "{label:?}");
                assert_eq!(see(&cache, &other), before, "{label:?}");
                assert_eq!(see(&cache, &from), before, "{label:?}");
                assert_eq!(cache.rename(&from, &to, false), Ok(Moved::Done), "{label:?}");
                assert_eq!(see(&cache, &from), None);
                assert_eq!(see(&cache, &to), before, "{label:?}");
                // The two share nothing.
                cache.delete(&other, Condition::Always).unwrap();
                assert_eq!(see(&cache, &to), before, "{label:?}");
                cache.verify().unwrap();
            }
        }
    }
}

#[test]
fn what_is_in_the_way_is_replaced_only_if_wanted() {
    let cache = cache(PolicyKind::Default);
    let names = fill(&cache, 4);
    for from in &names {
        for to in names.iter().filter(|to| *to != from) {
            let (before, there) = (see(&cache, from), see(&cache, to));
            assert_eq!(cache.copy(from, to, false), Ok(Moved::Occupied));
            assert_eq!(cache.rename(from, to, false), Ok(Moved::Occupied));
            assert_eq!((see(&cache, from), see(&cache, to)), (before, there));
            assert_eq!(cache.copy(from, to, true), Ok(Moved::Done));
            assert_eq!(see(&cache, to), see(&cache, from));
            assert_eq!(cache.rename(to, b"aside", true), Ok(Moved::Done));
            assert_eq!(see(&cache, b"aside"), see(&cache, from));
            fill(&cache, 4);
        }
    }
    assert_eq!(cache.rename(b"none", b"aside", true), Ok(Moved::Missing));
    assert_eq!(cache.copy(b"none", b"aside", true), Ok(Moved::Missing));
    assert!(cache.contains(b"aside"));
    assert_eq!(cache.rename(b"aside", &[0; 65_536], true), Err(Error::KeyTooLong { bytes: 65_536 }));
    cache.verify().unwrap();
}

#[test]
fn it_is_undone_with_its_transaction() {
    let cache = cache(PolicyKind::Default);
    for from in fill(&cache, 4) {
        let before = see(&cache, &from);
        cache.set(b"there", NewValue { kind: Kind::Text, codec: 0, bytes: b"old" }, &WriteOptions::default()).unwrap();
        let there = see(&cache, b"there");
        let outcome = cache.transaction(Scope::All, |_| {
            cache.rename(&from, b"there", true)?;
            cache.copy(b"there", b"third", true)?;
            Err::<(), Error>(Error::Closed)
        });
        assert_eq!(outcome, Err(Error::Closed));
        assert_eq!((see(&cache, &from), see(&cache, b"there"), see(&cache, b"third")), (before, there, None));
        cache.verify().unwrap();
    }
}

#[test]
fn a_large_value_moves_where_there_is_no_room_for_two() {
    let cache = cache(PolicyKind::Default);
    let value = vec![7; 20 << 20];
    let options = WriteOptions::default();
    cache.set(b"a", NewValue { kind: Kind::Wire, codec: 0, bytes: &value[..16 << 20] }, &options).unwrap();
    cache.set(b"kept", NewValue { kind: Kind::Wire, codec: 0, bytes: &value[..10 << 20] }, &options).unwrap();
    assert_eq!(cache.rename(b"a", b"b", true), Ok(Moved::Done));
    assert!(cache.contains(b"kept"), "nothing had to make room");
    assert_eq!(cache.read(b"b", ReadMode::Peek, |found| found.bytes.len()), Some(16 << 20));
    cache.delete(b"b", Condition::Always).unwrap();
    assert!(cache.stats().bytes < 12 << 20, "{}", cache.stats().bytes);
}
