//! Decimal integers as the protocol writes them.

/// Longest decimal form of an `i64`, sign included.
const MAX_DIGITS: usize = 20;

/// Reads a 64-bit integer in its one canonical form: no spaces, no `+`, no leading zeros, no `-0`.
/// Anything else is `None`, as with Redis' own conversion, so that text and number map one to one.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > MAX_DIGITS {
        return None;
    }
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    let mut magnitude: u64 = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Appends the decimal form of `number`.
pub fn push_i64(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// How many bytes the decimal form of `number` has.
pub fn decimal_len(number: i64) -> usize {
    itoa::Buffer::new().format(number).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_integers_are_read() {
        for (text, number) in
            [("0", 0), ("7", 7), ("-1", -1), ("9223372036854775807", i64::MAX), ("-9223372036854775808", i64::MIN)]
        {
            assert_eq!(parse_i64(text.as_bytes()), Some(number), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "-",
            "+1",
            " 1",
            "1 ",
            "01",
            "-0",
            "00",
            "1.0",
            "0x10",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "99999999999999999999",
            "123456789012345678901",
            "1\0",
            "--1",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for number in [0, 1, -1, 10, 99, 100, -12345, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            push_i64(&mut out, number);
            assert_eq!(parse_i64(&out), Some(number));
            assert_eq!(decimal_len(number), out.len());
        }
    }
}
