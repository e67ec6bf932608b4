//! Replies, written to the end of a byte buffer.

use std::fmt::Display;

use crate::number::push_i64;

/// The version of the protocol that a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// RESP2, what every connection begins with.
    #[default]
    Resp2,
    /// RESP3, after `HELLO 3`.
    Resp3,
}

impl Protocol {
    /// The number used by `HELLO`.
    pub fn version(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// `+text`. `text` must hold no line break.
pub fn simple(out: &mut Vec<u8>, text: &str) {
    out.push(b'+');
    out.extend_from_slice(text.as_bytes());
    end_line(out);
}

/// `-message`, with line breaks of the message turned into spaces. It begins with the error's code: `ERR ...`.
pub fn error(out: &mut Vec<u8>, message: impl Display) {
    use std::io::Write;
    out.push(b'-');
    let start = out.len();
    write!(out, "{message}").expect("writing to a Vec does not fail");
    for byte in &mut out[start..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    end_line(out);
}

/// `:number`.
pub fn integer(out: &mut Vec<u8>, number: i64) {
    header(out, b':', number);
}

/// A string of any bytes.
#[inline]
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    bulk_header(out, bytes.len());
    out.extend_from_slice(bytes);
    end_line(out);
}

/// The line in front of `len` bytes, which the caller writes, and [`end_line`] behind them.
#[inline]
pub fn bulk_header(out: &mut Vec<u8>, len: usize) {
    header(out, b'$', len as i64);
}

/// An integer as a string, which is how `GET` shows one.
pub fn bulk_integer(out: &mut Vec<u8>, number: i64) {
    bulk_header(out, crate::number::decimal_len(number));
    push_i64(out, number);
    end_line(out);
}

/// Text for people: a verbatim string in RESP3, a plain one in RESP2.
pub fn verbatim(out: &mut Vec<u8>, protocol: Protocol, text: &[u8]) {
    verbatim_as(out, protocol, b"txt", text);
}

/// A verbatim string of a format that is named by three bytes: a longer name is cut off, a shorter one filled up with
/// spaces. A plain string in RESP2.
pub fn verbatim_as(out: &mut Vec<u8>, protocol: Protocol, format: &[u8], text: &[u8]) {
    match protocol {
        Protocol::Resp2 => bulk(out, text),
        Protocol::Resp3 => {
            header(out, b'=', text.len() as i64 + 4);
            out.extend(format.iter().chain(b"   ").take(3));
            out.push(b':');
            out.extend_from_slice(text);
            end_line(out);
        }
    }
}

/// A truth value: one or zero in RESP2.
pub fn boolean(out: &mut Vec<u8>, protocol: Protocol, truth: bool) {
    match protocol {
        Protocol::Resp2 => integer(out, i64::from(truth)),
        Protocol::Resp3 => out.extend_from_slice(if truth { b"#t\r\n" } else { b"#f\r\n" }),
    }
}

/// A number with a fraction, written out by the caller: a string in RESP2.
pub fn double(out: &mut Vec<u8>, protocol: Protocol, digits: &[u8]) {
    match protocol {
        Protocol::Resp2 => bulk(out, digits),
        Protocol::Resp3 => {
            out.push(b',');
            out.extend_from_slice(digits);
            end_line(out);
        }
    }
}

/// No value.
#[inline]
pub fn null(out: &mut Vec<u8>, protocol: Protocol) {
    out.extend_from_slice(match protocol {
        Protocol::Resp2 => b"$-1\r\n",
        Protocol::Resp3 => b"_\r\n",
    });
}

/// Nothing, where an array was due.
pub fn null_array(out: &mut Vec<u8>, protocol: Protocol) {
    out.extend_from_slice(match protocol {
        Protocol::Resp2 => b"*-1\r\n",
        Protocol::Resp3 => b"_\r\n",
    });
}

/// The line in front of `len` elements.
pub fn array(out: &mut Vec<u8>, len: usize) {
    header(out, b'*', len as i64);
}

/// The line in front of `pairs` keys and values: a map in RESP3, a flat array in RESP2.
pub fn map(out: &mut Vec<u8>, protocol: Protocol, pairs: usize) {
    match protocol {
        Protocol::Resp2 => array(out, pairs * 2),
        Protocol::Resp3 => header(out, b'%', pairs as i64),
    }
}

/// The line in front of `len` distinct elements: a set in RESP3, an array in RESP2.
pub fn set(out: &mut Vec<u8>, protocol: Protocol, len: usize) {
    match protocol {
        Protocol::Resp2 => array(out, len),
        Protocol::Resp3 => header(out, b'~', len as i64),
    }
}

/// The line in front of the `len` elements of a push: what nobody asked for, between two replies. Only in RESP3.
pub fn push(out: &mut Vec<u8>, len: usize) {
    header(out, b'>', len as i64);
}

/// The end of every line and of every string.
#[inline]
pub fn end_line(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn header(out: &mut Vec<u8>, mark: u8, number: i64) {
    // Most numbers are small; one append is cheaper than three.
    if (0..10).contains(&number) {
        out.extend_from_slice(&[mark, b'0' + number as u8, b'\r', b'\n']);
    } else {
        out.push(mark);
        push_i64(out, number);
        end_line(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_type_has_its_form() {
        assert_eq!(written(|out| simple(out, "OK")), "+OK\r\n");
        assert_eq!(written(|out| integer(out, -42)), ":-42\r\n");
        assert_eq!(written(|out| integer(out, i64::MIN)), ":-9223372036854775808\r\n");
        assert_eq!(written(|out| bulk(out, b"")), "$0\r\n\r\n");
        assert_eq!(written(|out| bulk(out, b"a\r\nb")), "$4\r\na\r\nb\r\n");
        assert_eq!(written(|out| bulk_integer(out, -100)), "$4\r\n-100\r\n");
        assert_eq!(written(|out| array(out, 12)), "*12\r\n");
        assert_eq!(written(|out| push(out, 1)), ">1\r\n");
    }

    #[test]
    fn the_protocols_differ_where_they_should() {
        use Protocol::{Resp2, Resp3};
        assert_eq!(written(|out| null(out, Resp2)), "$-1\r\n");
        assert_eq!(written(|out| null(out, Resp3)), "_\r\n");
        assert_eq!(written(|out| map(out, Resp2, 3)), "*6\r\n");
        assert_eq!(written(|out| map(out, Resp3, 3)), "%3\r\n");
        assert_eq!(written(|out| set(out, Resp2, 3)), "*3\r\n");
        assert_eq!(written(|out| set(out, Resp3, 3)), "~3\r\n");
        assert_eq!(written(|out| verbatim(out, Resp2, b"hi")), "$2\r\nhi\r\n");
        assert_eq!(written(|out| verbatim(out, Resp3, b"hi")), "=6\r\ntxt:hi\r\n");
        assert_eq!(written(|out| verbatim_as(out, Resp3, b"m", b"hi")), "=6\r\nm  :hi\r\n");
        assert_eq!(written(|out| verbatim_as(out, Resp3, b"mkdn", b"hi")), "=6\r\nmkd:hi\r\n");
        assert_eq!(written(|out| boolean(out, Resp2, true)), ":1\r\n");
        assert_eq!(written(|out| boolean(out, Resp3, false)), "#f\r\n");
        assert_eq!(written(|out| double(out, Resp2, b"1.5")), "$3\r\n1.5\r\n");
        assert_eq!(written(|out| double(out, Resp3, b"1.5")), ",1.5\r\n");
    }

    #[test]
    fn an_error_stays_on_its_line() {
        assert_eq!(written(|out| error(out, "ERR a\r\n+OK\r\n")), "-ERR a  +OK  \r\n");
    }
}
