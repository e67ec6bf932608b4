//! LZ4 values: the block format with the raw length in front (u32, little endian), as `lz4-napi` and
//! `lz4_flex::compress_prepend_size` write it. Bytes are made by [`compress`] only, so decoding cannot fail.

/// Compresses `raw` into `out`, which is overwritten; false where that saves less than a tenth.
pub(crate) fn compress(raw: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    out.resize(4 + lz4_flex::block::get_maximum_output_size(raw.len()), 0);
    out[..4].copy_from_slice(&(raw.len() as u32).to_le_bytes());
    let Ok(written) = lz4_flex::block::compress_into(raw, &mut out[4..]) else { return false };
    out.truncate(4 + written);
    out.len() <= raw.len() / 10 * 9
}

/// Length of the value before compression.
pub(crate) fn raw_len(stored: &[u8]) -> usize {
    u32::from_le_bytes(stored[..4].try_into().expect("compressed values have a length in front")) as usize
}

/// Appends the raw value to `out`.
pub(crate) fn decompress(stored: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + raw_len(stored), 0);
    let written = lz4_flex::block::decompress_into(&stored[4..], &mut out[start..]).expect("we compressed it");
    assert_eq!(written, out.len() - start, "we compressed it");
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
        decompress(&out, &mut back);
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
                decompress(&bytes(stored), &mut back);
                assert_eq!(back, bytes(raw), "{name}");
            }
        }
    }
}
