//! The invariant walker of the tests: log, index, policy and counters must tell the same story.

use std::collections::HashSet;

use super::Shard;
use crate::log::QUEUES;
use crate::record::flag;

impl Shard {
    /// Checks everything that must hold between two operations.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let mut live = HashSet::new();
        let (mut key_bytes, mut value_bytes) = (0, 0);
        for queue in 0..QUEUES {
            let expected = self.log.queues[queue];
            let (mut segments, mut bytes, mut large, mut entries, mut cost) = (0, 0, 0, 0, 0);
            let mut older = crate::memory::NONE;
            for segment in self.log.walk(queue) {
                let entry = *self.log.segment(segment);
                segments += 1;
                check(entry.queue as usize == queue, || format!("segment {segment} thinks it is in {}", entry.queue))?;
                check(entry.older == older, || format!("segment {segment} has a wrong older neighbour"))?;
                older = segment;
                let (mut at, mut live_bytes, mut live_large) = (entry.start, 0, 0);
                while at < entry.end {
                    let address = self.shared.segments.address(segment, at);
                    let record = self.log.record(address);
                    let size = self.log.bytes_of(record);
                    check(size > 0, || format!("a record of no bytes at {segment}:{at}"))?;
                    at += size;
                    if record.is_filler() || record.is_dead() {
                        continue;
                    }
                    live.insert(address);
                    live_bytes += size;
                    live_large += u32::from(record.has_flag(flag::LARGE));
                    entries += 1;
                    cost += u128::from(record.cost());
                    key_bytes += record.key_len() as u64;
                    value_bytes += record.value_len() as u64;
                    large += record.large_charge();
                    if let Some(table) = record.table() {
                        table.verify()?;
                    }
                    if record.can_expire() {
                        let deadline = record.deadline(self.shared.now_ms()).unwrap_or(u64::MAX);
                        // An idle time that was restarted leaves a deadline that is too early: that is fine.
                        check(self.next_deadline <= deadline.max(entry.next_deadline), || {
                            format!("the sweep would miss a record at {segment}:{at}")
                        })?;
                    }
                }
                check(at == entry.end, || format!("segment {segment} does not end at a record"))?;
                check(live_bytes == entry.live, || {
                    format!("segment {segment}: {live_bytes} live, not {}", entry.live)
                })?;
                check(live_large == entry.large, || {
                    format!("segment {segment}: {live_large} large, not {}", entry.large)
                })?;
                bytes += u64::from(live_bytes);
            }
            check(older == expected.newest, || format!("queue {queue} does not end at its newest segment"))?;
            check(
                (segments, bytes, large, entries, cost)
                    == (expected.segments, expected.bytes, expected.large_bytes, expected.entries, expected.cost),
                || format!("queue {queue}: {segments} {bytes} {entries} {cost}, not {expected:?}"),
            )?;
        }
        let indexed: Vec<u32> = self.index.addresses().collect();
        check(indexed.len() == live.len(), || format!("{} indexed, {} live", indexed.len(), live.len()))?;
        check(self.index.len() == live.len() as u64, || format!("the index counts {}", self.index.len()))?;
        for &address in &indexed {
            check(live.contains(&address), || format!("the index points to a dead record at {address}"))?;
            let hash = self.hash_of(address);
            check(self.index.position_of(hash, address).is_some(), || format!("{address} is in a wrong page"))?;
        }
        check(self.reserved == (0, 0) && !self.keeps_evicted, || format!("{:?} still set aside", self.reserved))?;
        check(key_bytes == self.counters.key_bytes, || format!("{key_bytes} key bytes"))?;
        check(value_bytes == self.counters.value_bytes, || format!("{value_bytes} value bytes"))?;
        self.verify_recency(&live)
    }

    fn verify_recency(&self, live: &HashSet<u32>) -> Result<(), String> {
        let crate::eviction::Policy::Lru(lru) = &self.policy else { return Ok(()) };
        let (mut at, mut newer_of_at, mut seen) = (lru.newest(), crate::memory::NONE, 0);
        while at != crate::memory::NONE {
            check(live.contains(&at), || format!("the list holds a dead record at {at}"))?;
            let (newer, older) = crate::eviction::Lru::neighbours(&self.log, at);
            check(newer == newer_of_at, || format!("the list is broken at {at}"))?;
            (newer_of_at, at) = (at, older);
            seen += 1;
        }
        check(lru.oldest() == newer_of_at, || "the list does not end at its oldest record".into())?;
        check(seen == live.len(), || format!("the list holds {seen} of {}", live.len()))
    }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
