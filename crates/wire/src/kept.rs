//! Requests that are kept to be run later.

use crate::request::{Args, Span};

/// Bytes from which on the buffer grows by a quarter instead of twofold: all of it counts as memory of its client.
const LARGE: usize = 64 << 10;

/// Requests in order, copied out of the read buffer into one of their own.
#[derive(Debug, Default)]
pub struct KeptRequests {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// Where the bytes and the spans of each request end.
    ends: Vec<(usize, usize)>,
}

impl KeptRequests {
    /// Adds a copy of a request.
    pub fn push(&mut self, args: Args<'_>) {
        let from = self.ends.last().map_or(0, |end| end.0);
        self.make_room(args.iter().map(<[u8]>::len).sum());
        for argument in args.iter() {
            self.spans.push(Span::new(self.bytes.len() - from, argument.len()));
            self.bytes.extend_from_slice(argument);
        }
        self.ends.push((self.bytes.len(), self.spans.len()));
    }

    fn make_room(&mut self, bytes: usize) {
        let len = self.bytes.len();
        if len >= LARGE && self.bytes.capacity() - len < bytes {
            self.bytes.reserve_exact(bytes.max(len / 4));
        }
    }

    /// Number of requests.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Memory in bytes.
    pub fn memory(&self) -> usize {
        self.bytes.capacity()
            + self.spans.capacity() * size_of::<Span>()
            + self.ends.capacity() * size_of::<(usize, usize)>()
    }

    /// The requests in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Args<'_>> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// Request `number`, counted from 0.
    ///
    /// # Panics
    /// Where there are not so many.
    pub fn get(&self, number: usize) -> Args<'_> {
        let start = if number == 0 { (0, 0) } else { self.ends[number - 1] };
        let end = self.ends[number];
        Args { bytes: &self.bytes[start.0..end.0], spans: &self.spans[start.1..end.1] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Progress, RequestParser};

    #[test]
    fn requests_come_back_as_they_were() {
        let mut kept = KeptRequests::default();
        let mut parser = RequestParser::default();
        let input = b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\nSET a b\r\n";
        let mut at = 0;
        while at < input.len() {
            let Ok(Progress::Complete { consumed }) = parser.parse(&input[at..], &Limits::default()) else { panic!() };
            kept.push(parser.args(&input[at..]));
            at += consumed;
        }
        let words: Vec<Vec<&[u8]>> = kept.iter().map(|args| args.iter().collect()).collect();
        assert_eq!(words, [vec![&b"GET"[..], b""], vec![b"PING"], vec![b"SET", b"a", b"b"]]);
        assert!(kept.memory() >= 15);
    }

    #[test]
    fn large_requests_take_little_more_than_their_bytes() {
        let mut kept = KeptRequests::default();
        let mut parser = RequestParser::default();
        let input = [b"*2\r\n$4\r\nECHO\r\n$65536\r\n", vec![b'x'; 65_536].as_slice(), b"\r\n"].concat();
        let Ok(Progress::Complete { .. }) = parser.parse(&input, &Limits::default()) else { panic!() };
        for number in 1..=200 {
            kept.push(parser.args(&input));
            assert!(kept.memory() <= number * input.len() * 13 / 10 + 4_096, "{number}: {}", kept.memory());
        }
    }
}
