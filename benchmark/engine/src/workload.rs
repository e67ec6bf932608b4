//! Keys, values and the order of requests: seeded, built before the clock starts, the same for both sides.

/// Bytes of a key in the speed and memory suites.
pub const KEY_BYTES: usize = 16;
/// Bytes of a value in the speed and memory suites.
pub const VALUE_BYTES: usize = 100;

/// A key of the speed and memory suites.
pub type Key = [u8; KEY_BYTES];

/// SplitMix64 (Steele, Lea, Flood, OOPSLA'14): small, seeded, passes BigCrush.
pub struct Random(u64);

impl Random {
    /// A sequence of its own for every seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is at least 1. The bias is below 2^-32 for bounds below 2^32.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Fills `bytes` with noise no codec can shorten.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// The key with this number: a name an application could use.
pub fn key(number: u64) -> Key {
    let mut key = *b"key:000000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// The numbers of `count` requests over `keys` keys, Zipf-distributed with exponent `theta`; which keys are the
/// popular ones is shuffled.
pub fn zipf(keys: usize, theta: f64, count: usize, random: &mut Random) -> Vec<u32> {
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=keys)
        .map(|rank| {
            sum += (rank as f64).powf(-theta);
            sum
        })
        .collect();
    let mut names: Vec<u32> = (0..keys as u32).collect();
    for index in (1..keys).rev() {
        names.swap(index, random.below(index as u64 + 1) as usize);
    }
    (0..count)
        .map(|_| {
            let at = random.unit() * sum;
            names[cumulative.partition_point(|below| *below <= at).min(keys - 1)]
        })
        .collect()
}

/// A request of the speed suites.
#[derive(Clone, Copy)]
pub struct Request {
    /// The key.
    pub key: Key,
    /// Whether it writes.
    pub write: bool,
}

/// `count` Zipf(0.99) requests over `keys` keys, `writes_percent` of them writes. The keys lie in the order of their
/// use, so that the harness adds no cache misses of its own.
pub fn requests(keys: usize, count: usize, writes_percent: u64, seed: u64) -> Vec<Request> {
    let mut random = Random::new(seed);
    zipf(keys, 0.99, count, &mut random)
        .into_iter()
        .map(|number| Request { key: key(u64::from(number)), write: random.below(100) < writes_percent })
        .collect()
}
