//! Values that no codec can shrink and that are the same in every run.

/// Makes values: the same seed, key and length give the same bytes.
pub(crate) struct Payloads {
    seed: u64,
    buffer: Vec<u8>,
}

impl Payloads {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, buffer: Vec::new() }
    }

    /// `length` pseudo-random bytes (SplitMix64) that depend on the key.
    pub(crate) fn of(&mut self, key: &[u8], length: usize) -> &[u8] {
        // FNV-1a is enough to tell keys apart; quality comes from the generator.
        let mut state = key.iter().fold(self.seed ^ 0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        let target = &mut self.buffer[..length];
        for chunk in target.chunks_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depend_on_seed_key_and_nothing_else() {
        let mut payloads = Payloads::new(1);
        let first = payloads.of(b"a", 1000).to_vec();
        assert_eq!(payloads.of(b"a", 20), &first[..20]);
        assert_ne!(payloads.of(b"b", 1000), first);
        assert_eq!(Payloads::new(1).of(b"a", 1000), first);
        assert_ne!(Payloads::new(2).of(b"a", 1000), first);
    }

    #[test]
    fn cannot_be_shrunk() {
        let bytes = Payloads::new(7).of(b"key", 64 << 10).to_vec();
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &bytes).unwrap();
        assert!(encoder.finish().unwrap().len() >= bytes.len());
    }
}
