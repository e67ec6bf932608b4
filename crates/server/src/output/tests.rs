use super::*;

use std::sync::Arc;
use tandem_engine::{Cache, NewValue, Options, ReadMode, WriteOptions};

/// Takes `portion` bytes a call, and refuses every other call.
struct Slow {
    taken: Vec<u8>,
    portion: usize,
    ready: bool,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.ready = !self.ready;
        if !self.ready {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let before = self.taken.len();
        let bytes = pieces.iter().flat_map(|piece| piece.iter().copied());
        self.taken.extend(bytes.take(self.portion));
        Ok(self.taken.len() - before)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A cache with raw values of some sizes under their number.
fn cache(sizes: &[usize]) -> Arc<Cache> {
    let cache = Cache::new(Options { compression: tandem_engine::Compression::None, ..Options::default() }).unwrap();
    for (number, &size) in sizes.iter().enumerate() {
        let bytes: Vec<u8> = (0..size).map(|at| (at * 31 + number) as u8).collect();
        let value = NewValue { kind: Kind::Wire, codec: 0, bytes: &bytes };
        cache.set(&[number as u8], value, &WriteOptions::default()).unwrap();
    }
    Arc::new(cache)
}

/// The output of all values, and what it must come to on the wire.
fn filled(sizes: &[usize]) -> (Output, Vec<u8>) {
    let cache = cache(sizes);
    let (mut output, mut expected) = (Output::default(), Vec::new());
    for number in 0..sizes.len() {
        output.reserve_value();
        cache.read(&[number as u8], ReadMode::Use, |found| {
            output.value(found);
            reply::bulk(&mut expected, found.bytes);
        });
    }
    (output, expected)
}

#[test]
fn any_portions_arrive_in_order() {
    let sizes = [10, 300_000, 70_000, 0, 5_000, 200_000];
    for portion in [1_000, 4_096, 99_991, 1 << 20] {
        let (mut output, expected) = filled(&sizes);
        assert_eq!(output.pending(), expected.len());
        assert!(output.memory() < 200_000, "large values are not copied");
        let mut slow = Slow { taken: Vec::new(), portion, ready: false };
        let mut left = output.pending();
        while !output.send(&mut slow).unwrap() {
            assert!(output.pending() < left);
            left = output.pending();
            assert_eq!(left, expected.len() - slow.taken.len());
        }
        assert!(slow.taken == expected, "portions of {portion}");
        assert_eq!(output.pending(), 0);
    }
}

#[test]
fn more_values_than_one_gathered_write_takes() {
    let (mut output, expected) = filled(&[100_000; 60]);
    let mut slow = Slow { taken: Vec::new(), portion: usize::MAX, ready: false };
    while !output.send(&mut slow).unwrap() {}
    assert!(slow.taken == expected);
}

#[test]
fn what_comes_while_the_peer_is_slow_goes_behind() {
    let (mut output, mut expected) = filled(&[150_000, 90_000]);
    let mut slow = Slow { taken: Vec::new(), portion: 70_000, ready: false };
    for round in 0..20 {
        let _ = output.send(&mut slow).unwrap();
        let (more, bytes) = filled(&[round * 100, 80_000]);
        output.append(more);
        expected.extend(bytes);
    }
    while !output.send(&mut slow).unwrap() {}
    assert!(slow.taken == expected);
}

#[test]
fn a_reply_can_be_taken_back() {
    let (mut output, expected) = filled(&[10, 300_000]);
    let mark = output.mark();
    output.append(filled(&[100_000, 5]).0);
    output.rewind(mark);
    let mut slow = Slow { taken: Vec::new(), portion: usize::MAX, ready: false };
    while !output.send(&mut slow).unwrap() {}
    assert!(slow.taken == expected);
}

#[test]
fn large_buffers_are_given_back_when_sent() {
    let mut output = Output::default();
    output.bytes().resize(2 << 20, b'x');
    let mut slow = Slow { taken: Vec::new(), portion: usize::MAX, ready: false };
    assert!(output.send(&mut slow).unwrap());
    assert_eq!(output.memory(), 0);
}
