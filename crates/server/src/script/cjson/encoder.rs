//! From Lua values to JSON.

use mlua::{Table, Value};

use super::settings::{InvalidNumbers, Settings};
use crate::script::number::general;

/// What is beyond is a name.
const MAX_INDEX: i64 = i32::MAX as i64;

/// Writes Lua values as JSON.
pub(super) struct Encoder<'e> {
    pub settings: &'e Settings,
    pub out: Vec<u8>,
    pub max_bytes: usize,
    /// Whether to give up.
    pub late: &'e dyn Fn() -> bool,
}

impl Encoder<'_> {
    /// Appends `value`.
    ///
    /// # Errors
    /// What cannot be serialised, in Redis' words.
    pub fn value(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if self.out.len() > self.max_bytes || (self.late)() {
            return Err("not enough memory".into());
        }
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(pointer) if pointer.0.is_null() => self.out.extend_from_slice(b"null"),
            Value::Boolean(truth) => self.out.extend_from_slice(if *truth { b"true" } else { b"false" }),
            Value::Integer(integer) => self.number(*integer as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::String(text) => self.text(&text.as_bytes()),
            Value::Table(table) => return self.table(table, depth + 1),
            other => return Err(format!("Cannot serialise {}: type not supported", other.type_name())),
        }
        Ok(())
    }

    fn number(&mut self, number: f64) -> Result<(), String> {
        match self.settings.encode_invalid_numbers {
            _ if number.is_finite() => {}
            InvalidNumbers::Refused => return Err("Cannot serialise number: must not be NaN or Inf".into()),
            InvalidNumbers::Null => {
                self.out.extend_from_slice(b"null");
                return Ok(());
            }
            // Of no sign, whatever C would say.
            InvalidNumbers::Named if number.is_nan() => {
                self.out.extend_from_slice(b"nan");
                return Ok(());
            }
            InvalidNumbers::Named => {}
        }
        self.out.extend_from_slice(general(number, self.settings.number_precision).as_bytes());
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for &byte in text {
            let escape = match byte {
                b'"' | b'\\' | b'/' => byte,
                0x08 => b'b',
                0x0C => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0..0x20 | 0x7F => {
                    self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                    continue;
                }
                _ => {
                    self.out.push(byte);
                    continue;
                }
            };
            self.out.extend_from_slice(&[b'\\', escape]);
        }
        self.out.push(b'"');
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<(), String> {
        if depth > self.settings.encode_max_depth {
            return Err(format!("Cannot serialise, excessive depth ({depth})"));
        }
        if let Some(length) = self.array_length(table)? {
            self.out.push(b'[');
            for at in 1..=length {
                if at > 1 {
                    self.out.push(b',');
                }
                let element = table.raw_get(at).map_err(|error| error.to_string())?;
                self.value(&element, depth)?;
            }
            self.out.push(b']');
            return Ok(());
        }
        self.out.push(b'{');
        let mut first = true;
        for pair in table.pairs::<Value, Value>() {
            let (name, value) = pair.map_err(|error| error.to_string())?;
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            match &name {
                Value::String(text) => self.text(&text.as_bytes()),
                Value::Integer(_) | Value::Number(_) => {
                    self.out.push(b'"');
                    self.value(&name, depth)?;
                    self.out.push(b'"');
                }
                other => {
                    let kind = other.type_name();
                    return Err(format!("Cannot serialise {kind}: table key must be a number or string"));
                }
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// The largest index of a table whose keys are all indices; `None` makes it an object, as an empty one is.
    fn array_length(&self, table: &Table) -> Result<Option<usize>, String> {
        let (mut largest, mut count) = (0, 0);
        for pair in table.pairs::<Value, Value>() {
            let (key, _) = pair.map_err(|error| error.to_string())?;
            let index = match key {
                Value::Integer(index) if (1..=MAX_INDEX).contains(&index) => index as usize,
                Value::Number(index) if (1.0..=MAX_INDEX as f64).contains(&index) && index.fract() == 0.0 => {
                    index as usize
                }
                _ => return Ok(None),
            };
            largest = largest.max(index);
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let Settings { sparse_safe, sparse_ratio, .. } = *self.settings;
        if sparse_ratio > 0 && largest > sparse_safe && largest > count * sparse_ratio {
            if self.settings.sparse_as_object {
                return Ok(None);
            }
            return Err("Cannot serialise table: excessively sparse array".into());
        }
        Ok(Some(largest))
    }
}
