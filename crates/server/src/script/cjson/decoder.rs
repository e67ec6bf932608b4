//! From JSON to Lua values.

use mlua::{Lua, Table, Value};

use super::settings::Settings;

/// Reads JSON into Lua values.
pub(super) struct Decoder<'d> {
    settings: &'d Settings,
    lua: &'d Lua,
    text: &'d [u8],
    at: usize,
    late: &'d dyn Fn() -> bool,
}

/// What stands at a place, for the words of an error. `lenient`: numbers may be what JSON has no words for.
fn token_name(rest: &[u8], lenient: bool) -> &'static str {
    match rest {
        [] => "T_END",
        [b'{', ..] => "T_OBJ_BEGIN",
        [b'}', ..] => "T_OBJ_END",
        [b'[', ..] => "T_ARR_BEGIN",
        [b']', ..] => "T_ARR_END",
        [b'"', ..] => "T_STRING",
        [b',', ..] => "T_COMMA",
        [b':', ..] => "T_COLON",
        _ if rest.starts_with(b"true") || rest.starts_with(b"false") => "T_BOOLEAN",
        _ if rest.starts_with(b"null") => "T_NULL",
        // JSON has no number that begins with this.
        [b'+', ..] if !lenient => "invalid token",
        [b'-' | b'+' | b'0'..=b'9', ..] if number_at(rest, lenient).is_none() => "invalid number",
        [b'-' | b'+' | b'0'..=b'9', ..] => "T_NUMBER",
        _ if lenient && named_number(rest).is_some() => "T_NUMBER",
        _ => "invalid token",
    }
}

/// The number in front, as C's `strtod` reads it, and its length in bytes; unless `lenient`, none that JSON does not have.
fn number_at(text: &[u8], lenient: bool) -> Option<(usize, f64)> {
    if !lenient && !may_be_json(text) {
        return None;
    }
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let as_text = |from: usize, to: usize| std::str::from_utf8(&digits[from..to]).ok();
    let (length, number) = if let Some(named) = named_number(digits) {
        named
    } else if let [b'0', b'x' | b'X', ..] = digits {
        let length = 2 + digits[2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        (length, u64::from_str_radix(as_text(2, length)?, 16).ok()? as f64)
    } else {
        let length = decimal_length(digits);
        (length, as_text(0, length)?.parse().ok()?)
    };
    Some((text.len() - digits.len() + length, if text[0] == b'-' { -number } else { number }))
}

/// Whether the number in front has neither a plus sign, a leading zero, hexadecimal digits nor a name.
fn may_be_json(text: &[u8]) -> bool {
    match text.strip_prefix(b"-").unwrap_or(text) {
        [b'+', ..] | [b'0', b'x' | b'X' | b'0'..=b'9', ..] => false,
        digits => named_number(digits).is_none(),
    }
}

/// How long the decimal number in front is.
fn decimal_length(digits: &[u8]) -> usize {
    let run = |from: usize| digits[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut length = run(0);
    if digits.get(length) == Some(&b'.') {
        length += 1 + run(length + 1);
    }
    if let Some(b'e' | b'E') = digits.get(length) {
        let sign = usize::from(matches!(digits.get(length + 1), Some(b'+' | b'-')));
        let exponent = run(length + 1 + sign);
        length += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    length
}

/// The number that is named in front, and how long its name is.
fn named_number(text: &[u8]) -> Option<(usize, f64)> {
    let named = [("infinity", f64::INFINITY), ("inf", f64::INFINITY), ("nan", f64::NAN)];
    let stands = |name: &str| text.get(..name.len()).is_some_and(|front| front.eq_ignore_ascii_case(name.as_bytes()));
    named.into_iter().find(|(name, _)| stands(name)).map(|(name, number)| (name.len(), number))
}

impl<'d> Decoder<'d> {
    pub fn new(settings: &'d Settings, lua: &'d Lua, text: &'d [u8], late: &'d dyn Fn() -> bool) -> Self {
        Self { settings, lua, text, at: 0, late }
    }

    /// The value that the text is.
    ///
    /// # Errors
    /// What is wrong with it, in Redis' words, or Lua's: too much memory.
    pub fn run(mut self) -> Result<Value, String> {
        if let [0, _, ..] | [_, 0, ..] = self.text {
            return Err("JSON parser does not support UTF-16 or UTF-32".into());
        }
        let value = self.value(0)?;
        self.skip_spaces();
        if self.at < self.text.len() { self.expected("the end") } else { Ok(value) }
    }

    fn expected<T>(&self, wanted: &str) -> Result<T, String> {
        Err(self.wrong(wanted, token_name(&self.text[self.at..], self.settings.decode_invalid_numbers), self.at))
    }

    fn wrong(&self, wanted: &str, found: &str, at: usize) -> String {
        format!("Expected {wanted} but found {found} at character {}", at + 1)
    }

    fn skip_spaces(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if (self.late)() {
            return Err("not enough time".into());
        }
        self.skip_spaces();
        match self.text.get(self.at) {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => {
                let text = self.string("value")?;
                self.lua.create_string(text).map(Value::String).map_err(|error| error.to_string())
            }
            Some(b'-' | b'+' | b'0'..=b'9') => self.number(),
            Some(b'n' | b'N' | b'i' | b'I')
                if self.settings.decode_invalid_numbers && named_number(&self.text[self.at..]).is_some() =>
            {
                self.number()
            }
            _ => {
                for (literal, value) in
                    [("true", Value::Boolean(true)), ("false", Value::Boolean(false)), ("null", Value::NULL)]
                {
                    if self.text[self.at..].starts_with(literal.as_bytes()) {
                        self.at += literal.len();
                        return Ok(value);
                    }
                }
                self.expected("value")
            }
        }
    }

    fn descend(&mut self, depth: usize) -> Result<Table, String> {
        if depth > self.settings.decode_max_depth {
            return Err(format!("Found too many nested data structures ({depth}) at character {}", self.at + 1));
        }
        self.at += 1;
        self.skip_spaces();
        self.lua.create_table().map_err(|error| error.to_string())
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        let table = self.descend(depth)?;
        if self.text.get(self.at) == Some(&b']') {
            self.at += 1;
            return Ok(Value::Table(table));
        }
        for index in 1_usize.. {
            let element = self.value(depth)?;
            table.raw_set(index, element).map_err(|error| error.to_string())?;
            self.skip_spaces();
            match self.text.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.expected("comma or array end"),
            }
        }
        self.at += 1;
        Ok(Value::Table(table))
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        let table = self.descend(depth)?;
        if self.text.get(self.at) == Some(&b'}') {
            self.at += 1;
            return Ok(Value::Table(table));
        }
        loop {
            self.skip_spaces();
            if self.text.get(self.at) != Some(&b'"') {
                return self.expected("object key string");
            }
            let name = self.string("object key string")?;
            let name = self.lua.create_string(name).map_err(|error| error.to_string())?;
            self.skip_spaces();
            if self.text.get(self.at) != Some(&b':') {
                return self.expected("colon");
            }
            self.at += 1;
            let value = self.value(depth)?;
            table.raw_set(name, value).map_err(|error| error.to_string())?;
            self.skip_spaces();
            match self.text.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.expected("comma or object end"),
            }
        }
        self.at += 1;
        Ok(Value::Table(table))
    }

    /// A number as C's `strtod` reads it, which takes more than JSON has.
    fn number(&mut self) -> Result<Value, String> {
        match number_at(&self.text[self.at..], self.settings.decode_invalid_numbers) {
            Some((length, number)) => {
                self.at += length;
                Ok(Value::Number(number))
            }
            None => self.expected("value"),
        }
    }

    fn string(&mut self, wanted: &str) -> Result<Vec<u8>, String> {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let Some(&byte) = self.text.get(self.at) else {
                return Err(self.wrong(wanted, "unexpected end of string", self.at));
            };
            self.at += 1;
            match byte {
                b'"' => return Ok(text),
                b'\\' => self.escape(wanted, &mut text)?,
                _ => text.push(byte),
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self, wanted: &str, text: &mut Vec<u8>) -> Result<(), String> {
        let backslash = self.at - 1;
        let escaped = match self.text.get(self.at) {
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0C,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.unicode(wanted, text),
            _ => return Err(self.wrong(wanted, "invalid escape code", backslash)),
        };
        self.at += 1;
        text.push(escaped);
        Ok(())
    }

    /// `uXXXX`, or two of them that make one character.
    fn unicode(&mut self, wanted: &str, text: &mut Vec<u8>) -> Result<(), String> {
        let backslash = self.at - 1;
        let unit = |at: usize| {
            let digits = std::str::from_utf8(self.text.get(at + 1..at + 5)?).ok()?;
            digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
        };
        let first = unit(self.at);
        let second = match self.text.get(self.at + 5..self.at + 7) {
            Some(b"\\u") => unit(self.at + 6),
            _ => None,
        };
        let units = first.into_iter().chain(second).collect::<Vec<_>>();
        let mut characters = char::decode_utf16(units.iter().copied());
        let Some(Ok(character)) = characters.next() else {
            return Err(self.wrong(wanted, "invalid unicode escape code", backslash));
        };
        self.at += if character.len_utf16() == 2 { 11 } else { 5 };
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }
}
