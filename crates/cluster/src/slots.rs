//! Keys to slots, slots to lanes.

use tandem_wire::replication::{LaneNumber, Slot};

/// Slots of a cluster, as in Redis Cluster.
pub const SLOTS: u16 = 16_384;
/// Lanes of a cluster.
pub const LANES: u16 = 64;

/// How many slots and lanes there are: the same for all workers of a cluster. Simulations use smaller ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    slots: u16,
    lanes: u16,
}

impl Default for Shape {
    fn default() -> Self {
        Self { slots: SLOTS, lanes: LANES }
    }
}

impl Shape {
    /// `slots` and `lanes` are powers of two, with at least one slot in each lane.
    ///
    /// # Panics
    /// If they are not.
    pub fn new(slots: u16, lanes: u16) -> Self {
        assert!(slots.is_power_of_two() && lanes.is_power_of_two() && lanes <= slots && slots <= SLOTS);
        Self { slots, lanes }
    }

    /// Number of slots.
    pub fn slots(self) -> u16 {
        self.slots
    }

    /// Number of lanes.
    pub fn lanes(self) -> u16 {
        self.lanes
    }

    /// Slots in each lane.
    pub fn slots_per_lane(self) -> u16 {
        self.slots / self.lanes
    }

    /// Slot of a key: CRC16 of the part between the first `{` and the next `}`, where that is not empty, or else of all.
    pub fn slot_of(self, key: &[u8]) -> Slot {
        let tagged = key.iter().position(|&byte| byte == b'{').and_then(|open| {
            let rest = &key[open + 1..];
            rest.iter().position(|&byte| byte == b'}').filter(|&length| length > 0).map(|length| &rest[..length])
        });
        crc16(tagged.unwrap_or(key)) & (self.slots - 1)
    }

    /// Lane of a slot.
    pub fn lane_of(self, slot: Slot) -> LaneNumber {
        slot & (self.lanes - 1)
    }

    /// The `place`-th slot of a lane.
    pub fn slot_at(self, lane: LaneNumber, place: u16) -> Slot {
        place * self.lanes + lane
    }

    /// Place of a slot within its lane.
    pub fn place_of(self, slot: Slot) -> u16 {
        slot / self.lanes
    }
}

/// CRC-16/XMODEM, as Redis Cluster uses it.
pub fn crc16(bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut crc = (index as u16) << 8;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 0x8000 != 0 { (crc << 1) ^ 0x1021 } else { crc << 1 };
                bit += 1;
            }
            table[index] = crc;
            index += 1;
        }
        table
    };
    bytes.iter().fold(0, |crc, &byte| (crc << 8) ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

/// Some of the slots of a lane, by their place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotSet {
    words: Vec<u64>,
    /// Slots in a lane.
    size: u16,
}

impl SlotSet {
    /// None of a lane's slots.
    pub fn none(shape: Shape) -> Self {
        let size = shape.slots_per_lane();
        Self { words: vec![0; usize::from(size).div_ceil(64)], size }
    }

    /// All of a lane's slots.
    pub fn all(shape: Shape) -> Self {
        let mut set = Self::none(shape);
        (0..set.size).for_each(|place| set.insert(place));
        set
    }

    /// A set that came over the wire; what lies beyond the lane is left out.
    pub fn from_words(shape: Shape, words: &[u64]) -> Self {
        let mut set = Self::none(shape);
        for (own, word) in set.words.iter_mut().zip(words) {
            *own = *word;
        }
        if !set.size.is_multiple_of(64) {
            set.words[0] &= (1 << set.size) - 1;
        }
        set
    }

    /// For the wire.
    pub fn to_words(&self) -> Vec<u64> {
        self.words.clone()
    }

    /// Adds the slot at `place`.
    pub fn insert(&mut self, place: u16) {
        debug_assert!(place < self.size);
        self.words[usize::from(place / 64)] |= 1 << (place % 64);
    }

    /// Takes the slot at `place` out.
    pub fn remove(&mut self, place: u16) {
        self.words[usize::from(place / 64)] &= !(1 << (place % 64));
    }

    /// Whether the slot at `place` is in it.
    pub fn contains(&self, place: u16) -> bool {
        self.words[usize::from(place / 64)] & (1 << (place % 64)) != 0
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(own, word)| *own |= word);
    }

    /// The first slot, if there is one.
    pub fn first(&self) -> Option<u16> {
        let word = self.words.iter().position(|&word| word != 0)?;
        Some(word as u16 * 64 + self.words[word].trailing_zeros() as u16)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_slots_that_redis_cluster_gives_them() {
        // From the specification of Redis Cluster, and of its `CLUSTER KEYSLOT`.
        assert_eq!(crc16(b"123456789"), 0x31C3);
        let shape = Shape::default();
        assert_eq!(shape.slot_of(b"foo"), 12_182);
        assert_eq!(shape.slot_of(b"{user1000}.following"), shape.slot_of(b"{user1000}.followers"));
        assert_eq!(shape.slot_of(b"foo{}{bar}"), crc16(b"foo{}{bar}") & 16_383);
        assert_eq!(shape.slot_of(b"foo{{bar}}zap"), shape.slot_of(b"{bar"));
        assert_eq!(shape.slot_of(b"foo{bar}{zap}"), shape.slot_of(b"bar"));
    }

    #[test]
    fn every_slot_has_one_place_in_one_lane() {
        let shape = Shape::default();
        for slot in 0..SLOTS {
            assert_eq!(shape.slot_at(shape.lane_of(slot), shape.place_of(slot)), slot);
        }
        let mut set = SlotSet::none(shape);
        assert!(set.is_empty());
        [0, 63, 64, 255].into_iter().for_each(|place| set.insert(place));
        assert_eq!((set.len(), set.first()), (4, Some(0)));
        set.remove(0);
        assert_eq!(SlotSet::from_words(shape, &set.to_words()), set);
        assert_eq!(SlotSet::all(Shape::new(8, 2)).len(), 4);
        assert_eq!(SlotSet::from_words(Shape::new(8, 2), &[u64::MAX]).len(), 4);
    }
}
