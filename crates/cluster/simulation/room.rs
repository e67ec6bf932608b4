//! A worker makes room, and removes what has ended.

use tandem_cluster::{Now, Output, Service, Store};
use tandem_wire::replication::LaneNumber;

use super::process::{Deed, Key, Process};
use super::random::mix;

impl Process {
    /// Evicts until there is room for so many records; false if that is not possible.
    pub(super) fn make_room(
        &mut self,
        at: Now,
        records: usize,
        spared: &[usize],
        keys: &[Key],
        out: &mut Vec<Output>,
        deeds: &mut Vec<Deed>,
    ) -> bool {
        // The partner has as much room, and needs some of it for what is under way.
        let aim = (self.node.capacity() as usize).min(self.copy.room).saturating_sub(8);
        while self.copy.len() + records > aim {
            let lanes = (0..self.shape.lanes()).filter(|&lane| self.node.service(lane, true, at.at) == Service::Here);
            let victim = lanes.flat_map(|lane| self.copy.live_of(lane)).filter_map(|record| {
                let key = keys.iter().position(|key| key.name == record.key)?;
                (!spared.contains(&key)).then_some((record.version, key))
            });
            // Any of them, so that what was just written goes, too.
            let Some((_, victim)) = victim.min_by_key(|&(version, _)| mix(version)) else {
                return self.copy.len() + records <= self.copy.room;
            };
            self.evict(at, victim, keys, out, deeds);
        }
        true
    }

    fn evict(&mut self, at: Now, victim: usize, keys: &[Key], out: &mut Vec<Output>, deeds: &mut Vec<Deed>) {
        let key = &keys[victim];
        let record = self.record(at, key, None, 0);
        self.copy.evict(key.slot, &key.name);
        self.node.commit(at, &mut self.copy, vec![(key.lane, vec![record])], None, out);
        deeds.push(Deed::Evicted(victim));
    }

    /// The partner is short of memory.
    pub fn make_room_in(
        &mut self,
        at: Now,
        lane: LaneNumber,
        keys: &[Key],
        out: &mut Vec<Output>,
        deeds: &mut Vec<Deed>,
    ) {
        for _ in 0..2 {
            let oldest = self.copy.live_of(lane).min_by_key(|record| record.version);
            let Some(victim) = oldest.and_then(|record| keys.iter().position(|key| key.name == record.key)) else {
                return;
            };
            self.evict(at, victim, keys, out, deeds);
        }
    }

    /// Removes what has expired.
    pub fn expire(&mut self, at: Now, keys: &[Key], out: &mut Vec<Output>) {
        let time = self.node.time_ms(at.wall);
        for lane in 0..self.shape.lanes() {
            if self.node.service(lane, true, at.at) != Service::Here {
                continue;
            }
            let over = self.copy.live_of(lane).find(|record| record.expires_at != 0 && record.expires_at <= time);
            let Some(key) = over.and_then(|record| keys.iter().find(|key| key.name == record.key)).cloned() else {
                continue;
            };
            let record = self.record(at, &key, None, 0);
            self.copy.apply(&record).expect("a removal needs no room");
            self.node.commit(at, &mut self.copy, vec![(lane, vec![record])], None, out);
        }
    }
}
