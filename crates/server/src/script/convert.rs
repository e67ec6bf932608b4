//! Between replies and Lua values, by Redis' rules.

use mlua::{Lua, Table, Value};
use tandem_wire::number::parse_i64;
use tandem_wire::{Protocol, reply};

use super::number;

/// Nesting of what a script returns; deeper ones get an error in place, as in Redis.
const MAX_DEPTH: usize = 128;

/// Turns the reply at the front of `bytes`, which is in RESP2 and complete, into a Lua value: a status becomes a table
/// with `ok`, an error one with `err`, and no value becomes `false`.
///
/// # Errors
/// Those of Lua: too much memory.
pub(super) fn to_lua(lua: &Lua, bytes: &mut &[u8]) -> mlua::Result<Value> {
    let (mark, line) = take_line(bytes);
    let number = || parse_i64(line).unwrap_or(0);
    match mark {
        b'+' => field(lua, "ok", line),
        b'-' => field(lua, "err", line),
        b':' => Ok(Value::Number(number() as f64)),
        b'$' => match usize::try_from(number()) {
            Err(_) => Ok(Value::Boolean(false)),
            Ok(length) => {
                let (text, rest) = bytes.split_at(length.min(bytes.len()));
                *bytes = rest.get(2..).unwrap_or_default();
                Ok(Value::String(lua.create_string(text)?))
            }
        },
        _ => {
            let Ok(length) = usize::try_from(number()) else { return Ok(Value::Boolean(false)) };
            let table = lua.create_table()?;
            for at in 1..=length {
                table.raw_set(at, to_lua(lua, bytes)?)?;
            }
            Ok(Value::Table(table))
        }
    }
}

/// The first byte and the rest of the first line.
fn take_line<'b>(bytes: &mut &'b [u8]) -> (u8, &'b [u8]) {
    let end = bytes.windows(2).position(|two| two == b"\r\n").unwrap_or(bytes.len());
    let line = &bytes[..end];
    *bytes = bytes.get(end + 2..).unwrap_or_default();
    line.split_first().map_or((b'$', &b"-1"[..]), |(&mark, line)| (mark, line))
}

/// A table with one field, which is a text.
pub(super) fn field(lua: &Lua, name: &str, text: &[u8]) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    table.raw_set(name, lua.create_string(text)?)?;
    Ok(Value::Table(table))
}

/// Writes what a script returned.
pub(super) struct Writer<'w> {
    pub out: &'w mut Vec<u8>,
    pub protocol: Protocol,
    /// Where `out` may end: a table that holds itself twice, many times over, would fill any memory.
    pub max_bytes: usize,
    /// Whether to give up.
    pub late: &'w dyn Fn() -> bool,
}

/// What a script returned is too large, or it took too long to write.
pub(super) struct TooMuch;

impl Writer<'_> {
    /// Writes `value` and everything in it.
    ///
    /// # Errors
    /// [`TooMuch`], and those of Lua as the same.
    pub fn write(&mut self, value: &Value, depth: usize) -> Result<(), TooMuch> {
        if self.out.len() > self.max_bytes || (self.late)() {
            return Err(TooMuch);
        }
        match value {
            Value::String(text) => reply::bulk(self.out, &text.as_bytes()),
            Value::Integer(integer) => reply::integer(self.out, *integer),
            Value::Number(number) => reply::integer(self.out, number::truncated(*number)),
            Value::Boolean(true) => reply::integer(self.out, 1),
            Value::Table(_) if depth >= MAX_DEPTH => reply::error(self.out, "ERR reached lua stack limit"),
            Value::Table(table) => return self.table(table, depth),
            _ => reply::null(self.out, self.protocol),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<(), TooMuch> {
        for (name, mark) in [("err", b'-'), ("ok", b'+')] {
            if let Ok(Value::String(text)) = table.raw_get(name) {
                line(self.out, mark, &text.as_bytes());
                return Ok(());
            }
        }
        // The header is in front and says how many there are, which is known only when one is missing.
        let mut elements = Vec::new();
        loop {
            match table.raw_get(elements.len() + 1) {
                Ok(Value::Nil) => break,
                Ok(element) => elements.push(element),
                Err(_) => return Err(TooMuch),
            }
        }
        reply::array(self.out, elements.len());
        elements.iter().try_for_each(|element| self.write(element, depth + 1))
    }
}

/// A line of any bytes but line breaks, which become spaces.
pub(super) fn line(out: &mut Vec<u8>, mark: u8, text: &[u8]) {
    out.push(mark);
    out.extend(text.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    reply::end_line(out);
}
