//! A racing record that nobody races with says what the record says.

use super::*;
use crate::record::{Draft, Record};
use crate::shard::describe;
use proptest::prelude::*;

const KINDS: [Kind; 4] = [Kind::Text, Kind::Bytes, Kind::Coded, Kind::Wire];

proptest! {
    #[test]
    fn agrees_with_the_record_under_the_lock(
        kind in proptest::sample::select(&KINDS[..]),
        codec in 0u8..3,
        ascii in any::<bool>(),
        key in proptest::collection::vec(any::<u8>(), 0..40),
        value in proptest::collection::vec(any::<u8>(), 0..300),
        expires_at in proptest::option::of(any::<u64>()),
        cost in 1u64..3,
        links in any::<bool>(),
        version in 1u64..,
    ) {
        let draft = Draft {
            kind, codec, flags: if ascii { flag::ASCII } else { 0 }, key: &key, value: &value,
            value_len: value.len() as u32, large: None, expires_at, idle_ttl_ms: None, cost, links,
        };
        let mut memory = vec![0u64; 60];
        // SAFETY: the longest draft takes less than the 480 bytes.
        let record = unsafe { draft.write(memory.as_mut_ptr().cast(), version, 0) };
        record.set_uses(2);
        let Record(at) = record;
        // SAFETY: the record is whole and lies in `memory`.
        let racing = unsafe { RacingRecord::load(at) };
        prop_assert_eq!((racing.key_len(), racing.value_len(), racing.uses()), (key.len(), value.len(), 2));
        prop_assert_eq!(racing.bytes_with_key(), record.bytes(1) - value.len() as u32);
        prop_assert_eq!(racing.bytes_with_value(), record.bytes(1));
        let mut buffer = [MaybeUninit::uninit(); 300];
        // SAFETY: as above.
        let (equal, copied, described) =
            unsafe { (racing.key_equals(&key), racing.copy_value(&mut buffer), racing.describe()) };
        prop_assert!(equal);
        prop_assert_eq!(copied, &value[..]);
        prop_assert_eq!(format!("{described:?}"), format!("{:?}", describe(record, || 0)));
    }
}

#[test]
fn keys_that_differ_in_any_byte_are_told_apart() {
    for len in 1..40 {
        let key: Vec<u8> = (0..len).collect();
        for place in 0..key.len() {
            let mut other = key.clone();
            other[place] ^= 0x80;
            let mut memory = [u32::MAX; 10];
            let at = memory.as_mut_ptr().cast::<u8>();
            for (bytes, expected) in [(&key, true), (&other, false)] {
                // SAFETY: the 40 bytes are enough for all of them.
                unsafe {
                    copy_nonoverlapping(bytes.as_ptr(), at, bytes.len());
                    assert_eq!(equals(at, &key), expected, "byte {place} of {len}");
                }
            }
        }
    }
}
