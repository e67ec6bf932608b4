//! Counts replies in a stream of bytes that may be cut anywhere.

/// Longest line that a reply may have.
const MAX_LINE_BYTES: usize = 64 << 10;
/// Elements of arrays that one reply may have in all.
const MAX_ELEMENTS: u64 = 1 << 32;

/// What a reply says, as far as a load is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply<'a> {
    /// Anything but the others.
    Value,
    /// There is no such key.
    Null,
    /// An error, without the sign in front of it.
    Error(&'a [u8]),
}

/// The stream holds something that is not RESP; these bytes of it show it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotResp(pub Vec<u8>);

/// Where the stream is between two looks at it.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// Bytes to pass over: the rest of a string and its line end.
    skip: u64,
    /// Values that are to come before the present reply is complete; 0 between replies.
    elements: u64,
    /// The beginning of a line that was cut off.
    line: Vec<u8>,
}

impl Replies {
    /// Looks at the next bytes, and tells `each` of every reply that ends in them.
    pub fn read(&mut self, mut bytes: &[u8], mut each: impl FnMut(Reply<'_>)) -> Result<(), NotResp> {
        loop {
            if self.skip > 0 {
                let passed = self.skip.min(bytes.len() as u64);
                self.skip -= passed;
                bytes = &bytes[passed as usize..];
                if self.skip > 0 {
                    return Ok(());
                }
                self.end_value(Reply::Value, &mut each);
            }
            let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
                if self.line.len() + bytes.len() > MAX_LINE_BYTES {
                    return Err(NotResp(bytes[..bytes.len().min(40)].to_vec()));
                }
                self.line.extend_from_slice(bytes);
                return Ok(());
            };
            let (head, rest) = bytes.split_at(end + 1);
            bytes = rest;
            if self.line.is_empty() {
                self.on_line(head, &mut each)?;
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(head);
                self.on_line(&line, &mut each)?;
                line.clear();
                self.line = line;
            }
        }
    }

    fn on_line(&mut self, line: &[u8], each: &mut impl FnMut(Reply<'_>)) -> Result<(), NotResp> {
        let wrong = || NotResp(line[..line.len().min(40)].to_vec());
        let [sign, body @ .., b'\r', b'\n'] = line else { return Err(wrong()) };
        let length = || tandem_wire::number::parse_i64(body).ok_or_else(wrong);
        match sign {
            b'+' | b':' | b'#' | b',' | b'(' => self.end_value(Reply::Value, each),
            b'-' => self.end_value(Reply::Error(body), each),
            b'_' => self.end_value(Reply::Null, each),
            b'$' | b'=' | b'!' => match u64::try_from(length()?) {
                Ok(length) => self.skip = length.checked_add(2).ok_or_else(wrong)?,
                Err(_) => self.end_value(Reply::Null, each),
            },
            b'*' | b'%' | b'~' => match u64::try_from(length()?) {
                Ok(0) => self.end_value(Reply::Value, each),
                Ok(count) => {
                    let values = if *sign == b'%' { count.checked_mul(2) } else { Some(count) };
                    let open = self.elements.max(1) - 1;
                    self.elements = values
                        .and_then(|values| values.checked_add(open))
                        .filter(|elements| *elements <= MAX_ELEMENTS)
                        .ok_or_else(wrong)?;
                }
                Err(_) => self.end_value(Reply::Null, each),
            },
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// A value has ended, and with it the reply unless it is an element of one.
    fn end_value(&mut self, reply: Reply<'_>, each: &mut impl FnMut(Reply<'_>)) {
        match self.elements {
            0 => each(reply),
            1 => {
                self.elements = 0;
                each(Reply::Value);
            }
            _ => self.elements -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"+OK\r\n$5\r\na\r\nbc\r\n$-1\r\n:12\r\n-ERR no\r\n*2\r\n$1\r\na\r\n*1\r\n$-1\r\n*0\r\n_\r\n\
        *-1\r\n%1\r\n+a\r\n:1\r\n$0\r\n\r\n*1\r\n-ERR inside\r\n";

    fn replies(parts: &[&[u8]]) -> Vec<String> {
        let mut replies = Replies::default();
        let mut seen = Vec::new();
        for part in parts {
            replies.read(part, |reply| seen.push(format!("{reply:?}"))).unwrap();
        }
        seen
    }

    #[test]
    fn every_reply_counts_once_wherever_the_stream_is_cut() {
        let whole = replies(&[STREAM]);
        let error = format!("{:?}", Reply::Error(b"ERR no"));
        let expected =
            ["Value", "Value", "Null", "Value", &error, "Value", "Value", "Null", "Null", "Value", "Value", "Value"];
        assert_eq!(whole, expected);
        for at in 0..=STREAM.len() {
            assert_eq!(replies(&[&STREAM[..at], &STREAM[at..]]), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(replies(&bytes), whole);
    }

    #[test]
    fn other_protocols_are_noticed() {
        for bytes in
            [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"\r\n", b"$x\r\n", b"+no carriage return\n", b"*9999999999999\r\n"]
        {
            assert!(Replies::default().read(bytes, |_| {}).is_err(), "{:?}", bytes.escape_ascii());
        }
        assert!(Replies::default().read(&[b'+'; MAX_LINE_BYTES + 1], |_| {}).is_err());
    }
}
