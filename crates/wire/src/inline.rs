//! Inline commands: one line typed by a person, split at spaces, with shell-like quotes.

use crate::request::Span;

/// Splits `line` into words. Each word is appended to `words` with its escapes resolved and gets a span into it.
/// `None` where a quote is not closed, or is followed by something other than a space.
///
/// `"..."` knows `\n \r \t \b \a \xHH` and takes any other escaped byte as it is; `'...'` knows only `\'`.
pub(crate) fn split(line: &[u8], words: &mut Vec<u8>, spans: &mut Vec<Span>) -> Option<()> {
    // Redis handles the line as a C string: a NUL ends it.
    let end = line.iter().position(|&byte| byte == 0).unwrap_or(line.len());
    let mut rest = trim_spaces(&line[..end]);
    while !rest.is_empty() {
        let start = words.len();
        rest = word(rest, words)?;
        spans.push(Span::new(start, words.len() - start));
        rest = trim_spaces(rest);
    }
    Some(())
}

/// Takes one word off the front of `rest`.
fn word<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] => return Some(rest),
            [b'"', tail @ ..] => return closed(double_quoted(tail, words)?),
            [b'\'', tail @ ..] => return closed(single_quoted(tail, words)?),
            [byte, ..] if is_space(*byte) => return Some(rest),
            [byte, tail @ ..] => {
                words.push(*byte);
                rest = tail;
            }
        }
    }
}

/// What follows a closing quote must be a space or the end.
fn closed(rest: &[u8]) -> Option<&[u8]> {
    rest.first().is_none_or(|&byte| is_space(byte)).then_some(rest)
}

fn double_quoted<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] => return None,
            [b'"', tail @ ..] => return Some(tail),
            [b'\\', b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                words.push(hex(*high) << 4 | hex(*low));
                rest = tail;
            }
            [b'\\', escaped, tail @ ..] => {
                words.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                rest = tail;
            }
            [byte, tail @ ..] => {
                words.push(*byte);
                rest = tail;
            }
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] => return None,
            [b'\\', b'\'', tail @ ..] => {
                words.push(b'\'');
                rest = tail;
            }
            [b'\'', tail @ ..] => return Some(tail),
            [byte, tail @ ..] => {
                words.push(*byte);
                rest = tail;
            }
        }
    }
}

/// Spaces between words, as C's `isspace` counts them.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn trim_spaces(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&byte| !is_space(byte)).unwrap_or(bytes.len());
    &bytes[start..]
}

fn hex(digit: u8) -> u8 {
    (digit as char).to_digit(16).map_or(0, |value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<Vec<u8>>> {
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        split(line.as_bytes(), &mut bytes, &mut spans)?;
        Some(spans.iter().map(|span| span.of(&bytes).to_vec()).collect())
    }

    #[test]
    fn words_are_split_at_spaces() {
        assert_eq!(words("  GET \t key  ").unwrap(), [b"GET".to_vec(), b"key".to_vec()]);
        assert_eq!(words("").unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(words("a b\0c").unwrap(), [b"a", b"b"]);
        assert_eq!(words(" \t\x0b\r ").unwrap(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn quotes_and_escapes_are_resolved() {
        assert_eq!(words(r#"SET "a b" 'c d'"#).unwrap(), [&b"SET"[..], b"a b", b"c d"]);
        assert_eq!(words(r#""\x41\n\r\t\b\a\q\"""#).unwrap(), [b"A\n\r\t\x08\x07q\""]);
        assert_eq!(words(r#"'it\'s' '\n'"#).unwrap(), [&b"it's"[..], b"\\n"]);
        assert_eq!(words(r#""""#).unwrap(), [b""]);
        assert_eq!(words(r#"a"b c""#).unwrap(), [b"ab c"]);
        assert_eq!(words(r#""\xZZ""#).unwrap(), [b"xZZ"]);
    }

    #[test]
    fn open_quotes_are_refused() {
        for line in [r#""abc"#, "'abc", r#""a"b"#, "'a'b", r#"""""#, r#""a\""#] {
            assert_eq!(words(line), None, "{line}");
        }
    }
}
