use std::collections::HashMap;

use super::*;
use crate::memory::Budget;

fn mix(key: u32) -> u64 {
    u64::from(key)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

fn directory() -> Directory {
    Directory::reserve(&Arc::new(SmallDirectories::new(1).unwrap())).unwrap()
}

fn index(skip_bits: u32) -> Index {
    let budget = Arc::new(Budget::new(1 << 30));
    Index::new(Arc::new(Pages::new(4096, budget).unwrap()), directory(), skip_bits).unwrap()
}

#[test]
fn grows_and_shrinks_like_a_map() {
    let mut index = index(0);
    let mut model = HashMap::new();
    for key in 0..100_000u32 {
        let hash = mix(key);
        assert!(index.make_room(hash, mix, |_| {}));
        index.insert(hash, key);
        model.insert(key, ());
        if key % 3 == 0 {
            let victim = key / 2;
            if model.remove(&victim).is_some() {
                let position = index.position_of(mix(victim), victim).expect("is there");
                index.remove(position);
            }
        }
    }
    assert_eq!(index.len(), model.len() as u64);
    for key in 0..100_000 {
        assert_eq!(index.position_of(mix(key), key).is_some(), model.contains_key(&key), "key {key}");
    }
    let mut found: Vec<u32> = index.addresses().collect();
    found.sort_unstable();
    let mut expected: Vec<u32> = model.into_keys().collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn a_walk_by_pages_covers_a_shards_slice_once() {
    for skip_bits in [0, 1, 3] {
        let mut index = index(skip_bits);
        let slice = |key: u32| skip_bits == 0 || mix(key) >> (64 - skip_bits) == 0;
        for key in (0..200_000).filter(|&key| slice(key)) {
            assert!(index.make_room(mix(key), mix, |_| {}));
            index.insert(mix(key), key);
        }
        let mut seen = Vec::new();
        let mut cursor = Some(0);
        while let Some(hash) = cursor {
            let (addresses, next) = index.page_at(hash);
            assert!(addresses.iter().all(|&key| mix(key) >= hash && next.is_none_or(|next| mix(key) < next)));
            seen.extend(addresses);
            cursor = next;
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..200_000).filter(|&key| slice(key)).collect::<Vec<_>>());
    }
}

#[test]
fn gives_every_page_back() {
    let budget = Arc::new(Budget::new(1 << 30));
    let pages = Arc::new(Pages::new(4096, Arc::clone(&budget)).unwrap());
    let mut index = Index::new(pages, directory(), 0).unwrap();
    for key in 0..50_000 {
        assert!(index.make_room(mix(key), mix, |_| {}));
        index.insert(mix(key), key);
    }
    assert_eq!(budget.used(), index.page_bytes());
    let mut retired = index.retire();
    while retired.free_some(7, drop).is_none() {}
    assert_eq!((retired.bytes(), budget.used()), (0, 0));
}
