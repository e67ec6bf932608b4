//! Hashes in transactions, small and large.

use std::collections::BTreeMap;

use tandem_engine::{Cache, Condition, Element, Error, Growth, Kind, ReadMode, Scope};

use super::{cache, footprint, set};

fn put(cache: &Cache, key: &[u8], fields: std::ops::Range<u32>, value: &[u8]) {
    for field in fields {
        let name = field.to_le_bytes();
        let element = Element { name: &name, value: Some(value) };
        let growth = Growth::from_iter([element]);
        cache.change_collection(key, Kind::Hash, true, growth, |hash| Ok(hash.put(element))).unwrap();
    }
}

fn remove(cache: &Cache, key: &[u8], fields: std::ops::Range<u32>) {
    for field in fields {
        let name = field.to_le_bytes();
        cache.change_collection(key, Kind::Hash, false, Growth::default(), |hash| Ok(hash.remove(&name))).unwrap();
    }
}

fn whole(cache: &Cache, key: &[u8]) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    let all = cache.read_whole(key, Kind::Hash, ReadMode::Peek, |hash| {
        let mut all = BTreeMap::new();
        hash.for_each(|element| drop(all.insert(element.name.to_vec(), element.value.unwrap().to_vec())));
        all
    });
    all.unwrap()
}

#[test]
fn elements_come_back() {
    let cache = cache(4, 32 << 20);
    let (small, large, long) = (&b"small"[..], &b"large"[..], vec![b'k'; 50_000]);
    put(&cache, small, 0..20, b"old");
    put(&cache, large, 0..5_000, b"old");
    put(&cache, &long, 0..1_000, b"old");
    let keys = [small, large, &long];
    let state = || (keys.map(|key| whole(&cache, key)), footprint(&cache.stats()));
    let (before, bytes) = (state(), cache.stats().bytes);
    for change in 0..5 {
        let undone = cache.transaction(Scope::All, |_| {
            for key in keys {
                match change {
                    0 => put(&cache, key, 10..300, b"new"),
                    1 => remove(&cache, key, 0..15),
                    2 => remove(&cache, key, 0..5_000),
                    3 => assert!(cache.delete(key, Condition::Always).unwrap()),
                    _ => set(&cache, key, b"a string"),
                }
            }
            Err::<(), _>(Error::Timeout)
        });
        undone.unwrap_err();
        cache.verify().unwrap();
        assert_eq!(state(), before);
    }
    // What was put back is whole: it changes as it did before.
    keys.iter().for_each(|key| put(&cache, key, 0..1, b"newer"));
    assert_eq!(whole(&cache, large).unwrap()[&0u32.to_le_bytes().to_vec()], b"newer");
    while cache.maintain() {}
    assert!(cache.stats().bytes < bytes * 2);
    cache.verify().unwrap();
    let committed = cache.transaction(Scope::All, |_| {
        keys.iter().for_each(|key| remove(&cache, key, 0..5_000));
        Ok::<_, Error>(())
    });
    assert_eq!((committed, keys.map(|key| whole(&cache, key))), (Ok(()), [None, None, None]));
}
