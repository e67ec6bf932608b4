//! Naive simulators that count hits: obviously right rather than fast.

use std::collections::{BTreeMap, HashMap, VecDeque};

/// Hits of an exact least-recently-used cache of `capacity` objects.
pub fn lru(trace: &[u64], capacity: usize) -> u64 {
    let (mut used_at, mut by_use) = (HashMap::new(), BTreeMap::new());
    let mut hits = 0;
    for (now, &key) in trace.iter().enumerate() {
        match used_at.insert(key, now) {
            Some(before) => {
                by_use.remove(&before);
                hits += 1;
            }
            None if by_use.len() == capacity => {
                let (_, oldest) = by_use.pop_first().unwrap();
                used_at.remove(&oldest);
            }
            None => {}
        }
        by_use.insert(now, key);
    }
    hits
}

/// Hits of S3-FIFO: small queue of a tenth, ghosts as many as main, promotion at two uses.
pub fn s3_fifo(trace: &[u64], capacity: usize) -> u64 {
    let small_capacity = (capacity / 10).max(1);
    let ghost_capacity = capacity - small_capacity;
    let (mut small, mut main) = (VecDeque::new(), VecDeque::new());
    let (mut ghosts, mut ghost_order) = (HashMap::new(), VecDeque::new());
    let mut uses: HashMap<u64, u8> = HashMap::new();
    let mut hits = 0;
    for (now, &key) in trace.iter().enumerate() {
        if let Some(count) = uses.get_mut(&key) {
            *count = 3.min(*count + 1);
            hits += 1;
            continue;
        }
        let had_ghost = ghosts.remove(&key).is_some();
        while uses.len() >= capacity {
            let from_small = small.len() >= small_capacity || main.is_empty();
            let oldest: u64 = if from_small { small.pop_front() } else { main.pop_front() }.unwrap();
            match uses[&oldest] {
                count if from_small && count >= 2 => {
                    uses.insert(oldest, 0);
                    main.push_back(oldest);
                }
                count if !from_small && count > 0 => {
                    uses.insert(oldest, count - 1);
                    main.push_back(oldest);
                }
                _ => {
                    uses.remove(&oldest);
                    if from_small {
                        ghosts.insert(oldest, now);
                        ghost_order.push_back((oldest, now));
                    }
                }
            }
            if ghost_order.len() > ghost_capacity {
                let (oldest, since) = ghost_order.pop_front().unwrap();
                if ghosts.get(&oldest) == Some(&since) {
                    ghosts.remove(&oldest);
                }
            }
        }
        uses.insert(key, 0);
        if had_ghost { main.push_back(key) } else { small.push_back(key) }
    }
    hits
}
