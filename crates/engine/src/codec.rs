//! LZ4 values: the block format with the raw length in front (u32, little endian), as `lz4-napi` and
//! `lz4_flex::compress_prepend_size` write it.

/// Most that a byte of a block can stand for.
const MAX_RATIO: usize = 255;

/// Bytes that are no block of this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoBlock;

/// Length from which on a value is sampled first: compressing all of it in vain would cost several times what storing it
/// does.
const SAMPLE_FROM: usize = 16 << 10;
/// Pieces of a value that are tried, and bytes of each.
const SAMPLES: usize = 4;
const SAMPLE_BYTES: usize = 2 << 10;

/// Compresses `raw` into `out`, which is overwritten; false where that saves less than a tenth, or seems to save nothing.
pub(crate) fn compress(raw: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    if raw.len() >= SAMPLE_FROM && !shrinks(raw) {
        return false;
    }
    out.resize(4 + lz4_flex::block::get_maximum_output_size(raw.len()), 0);
    out[..4].copy_from_slice(&(raw.len() as u32).to_le_bytes());
    let Ok(written) = lz4_flex::block::compress_into(raw, &mut out[4..]) else { return false };
    out.truncate(4 + written);
    out.len() <= raw.len() / 10 * 9
}

/// Whether pieces from all over `raw` get shorter at all, if only by a fiftieth: together they offer far fewer repetitions
/// than the whole does.
fn shrinks(raw: &[u8]) -> bool {
    const BYTES: usize = SAMPLES * SAMPLE_BYTES;
    let mut sample = [0; BYTES];
    let stride = (raw.len() - SAMPLE_BYTES) / (SAMPLES - 1);
    for (number, piece) in sample.chunks_exact_mut(SAMPLE_BYTES).enumerate() {
        piece.copy_from_slice(&raw[number * stride..][..SAMPLE_BYTES]);
    }
    let mut out = [0; lz4_flex::block::get_maximum_output_size(BYTES)];
    lz4_flex::block::compress_into(&sample, &mut out).is_ok_and(|written| written <= BYTES / 50 * 49)
}

/// Length of the value before compression, of a block that [`compress`] has made.
pub(crate) fn raw_len(stored: &[u8]) -> usize {
    u32::from_le_bytes(stored[..4].try_into().expect("compressed values have a length in front")) as usize
}

/// Appends the raw value to `out`, of any bytes: what they say about its length is believed as far as so short a block can
/// hold so much.
///
/// # Errors
/// [`NoBlock`] where [`compress`] has not made them; `out` is as it was.
pub(crate) fn decompress(stored: &[u8], out: &mut Vec<u8>) -> Result<(), NoBlock> {
    let (len, block) = stored.split_first_chunk::<4>().ok_or(NoBlock)?;
    let (start, len) = (out.len(), u32::from_le_bytes(*len) as usize);
    if len > block.len() * MAX_RATIO {
        return Err(NoBlock);
    }
    out.resize(start + len, 0);
    match lz4_flex::block::decompress_into(block, &mut out[start..]) {
        Ok(written) if written == len => Ok(()),
        _ => {
            out.truncate(start);
            Err(NoBlock)
        }
    }
}

/// The same of a block that [`compress`] has made.
pub(crate) fn decompress_own(stored: &[u8], out: &mut Vec<u8>) {
    decompress(stored, out).expect("the engine has compressed it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_only_what_pays() {
        let mut out = Vec::new();
        let text = b"the same words, the same words, ".repeat(40);
        assert!(compress(&text, &mut out));
        assert_eq!(raw_len(&out), text.len());
        let mut back = b"x".to_vec();
        decompress(&out, &mut back).unwrap();
        assert_eq!(&back[1..], &text[..]);
        assert_eq!(lz4_flex::block::decompress_size_prepended(&out).unwrap(), text);
        let mut state = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(1000)
        .collect();
        assert!(!compress(&noise, &mut out));
    }

    #[test]
    fn what_is_no_block_is_an_error() {
        let mut good = Vec::new();
        assert!(compress(&b"the same words, the same words, ".repeat(40), &mut good));
        let mut out = b"x".to_vec();
        for bad in [&[][..], &good[..3], &good[..good.len() - 1], &[255, 255, 255, 255, 0], &[1, 0, 0, 0]] {
            assert_eq!(decompress(bad, &mut out), Err(NoBlock), "{bad:?}");
            assert_eq!((&out[..], out.capacity() < 1 << 20), (&b"x"[..], true), "nothing is left of {bad:?}");
        }
        let mut state = 1usize;
        let mut refused = 0;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut changed = good.clone();
            changed[(state >> 40) % good.len()] = (state >> 32) as u8;
            changed.truncate(good.len() - (state >> 60));
            // Bytes that happen to be a block of that length are one.
            refused += usize::from(decompress(&changed, &mut Vec::new()).is_err());
        }
        assert!(refused > 10_000, "{refused}");
    }

    #[test]
    fn tries_a_large_value_on_pieces_of_it() {
        let mut state = 1u64;
        let mut noise = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        let mut out = Vec::new();
        let incompressible: Vec<u8> = std::iter::repeat_with(&mut noise).take(100_000).collect();
        assert!(!compress(&incompressible, &mut out));
        assert_eq!(out.capacity(), 0, "the whole value was tried");
        // A header that does not compress says nothing of the rest, nor does a tail.
        let text = b"the same words, the same words, ".repeat(2_000);
        for parts in [[&incompressible[..10_000], &text], [&text, &incompressible[..10_000]]] {
            assert!(compress(&parts.concat(), &mut out));
        }
    }

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        let digit = |at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).expect("two digits");
        (0..hexadecimal.len()).step_by(2).map(digit).collect()
    }

    /// The other direction, what `lz4-napi` makes of our bytes, is tested in TypeScript on the same vectors.
    #[test]
    fn writes_and_reads_what_lz4_napi_does() {
        let vectors = include_str!("../../../__test__/vectors/lz4.txt");
        let lines: Vec<&str> = vectors.lines().skip(1).collect();
        assert!(lines.len() >= 12);
        for vector in lines.chunks(4) {
            let [name, raw, engine, lz4_napi] = vector else { panic!("four lines a vector") };
            let mut out = Vec::new();
            assert!(compress(&bytes(raw), &mut out), "{name}");
            assert_eq!(out, bytes(engine), "{name}: the vector is not what the engine writes");
            for stored in [engine, lz4_napi] {
                let mut back = Vec::new();
                decompress(&bytes(stored), &mut back).unwrap();
                assert_eq!(back, bytes(raw), "{name}");
            }
        }
    }
}
