//! Values that are stored compressed: whatever was written comes back, by every way of reading.

use std::sync::LazyLock;

use tandem_engine::{Cache, Compression, Kind, NewValue, Options, ReadMode, WriteOptions};

static CACHE: LazyLock<Cache> = LazyLock::new(|| {
    let compression = Compression::Lz4 { min_bytes: 1 };
    Cache::new(Options { max_bytes: 64 << 20, compression, ..Options::default() }).expect("the options are right")
});

/// Pairs of a length and a byte, then bytes as they are: what compresses, and what does not.
pub fn run(data: &[u8]) {
    let Some((&runs, mut rest)) = data.split_first() else { return };
    let mut value = Vec::new();
    for _ in 0..runs {
        let [length, byte, tail @ ..] = rest else { break };
        value.resize(value.len() + usize::from(*length) * usize::from(*length), *byte);
        rest = tail;
    }
    value.extend_from_slice(rest);
    value.truncate(1 << 20);
    for kind in [Kind::Wire, Kind::Text] {
        let new = NewValue { kind, codec: 0, bytes: &value };
        CACHE.set(b"key", new, &WriteOptions::default()).expect("there is room");
        for mode in [ReadMode::Use, ReadMode::Peek] {
            let back = CACHE.read(b"key", mode, |found| match found.shared {
                Some(large) => large.to_vec(),
                None => found.bytes.to_vec(),
            });
            assert!(back.as_ref() == Some(&value), "{} bytes came back changed", value.len());
        }
    }
}
