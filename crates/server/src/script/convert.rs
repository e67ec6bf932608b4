//! Between replies and Lua values, by Redis' rules.

use mlua::{Lua, Table, Value};
use tandem_wire::number::parse_i64;
use tandem_wire::{Protocol, reply};

use super::number;

/// Nesting of what a script returns; deeper ones get an error in place, as in Redis.
const MAX_DEPTH: usize = 128;

/// Turns the reply at the front of `bytes`, which is complete, into a Lua value: a status becomes a table with `ok`, an
/// error one with `err`. No value becomes `false` in RESP2, `nil` in RESP3, whose other types become tables with one field
/// that is named after the type.
///
/// # Errors
/// Those of Lua: too much memory.
pub(super) fn to_lua(lua: &Lua, bytes: &mut &[u8]) -> mlua::Result<Value> {
    let (mark, line) = take_line(bytes);
    match mark {
        b'+' => field(lua, "ok", line),
        b'-' => error_table(lua, line),
        b':' => Ok(Value::Number(parse_i64(line).unwrap_or(0) as f64)),
        b'_' => Ok(Value::Nil),
        b'#' => Ok(Value::Boolean(line == b"t")),
        b'(' => field(lua, "big_number", line),
        b',' => {
            let double = std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
            typed(lua, "double", Value::Number(double))
        }
        _ => match parse_i64(line).and_then(|length| usize::try_from(length).ok()) {
            Some(length) => of_length(lua, mark, length, bytes),
            None => Ok(Value::Boolean(false)),
        },
    }
}

/// A text, or elements.
fn of_length(lua: &Lua, mark: u8, length: usize, bytes: &mut &[u8]) -> mlua::Result<Value> {
    if matches!(mark, b'$' | b'=') {
        let (text, rest) = bytes.split_at(length.min(bytes.len()));
        *bytes = rest.get(2..).unwrap_or_default();
        if mark == b'$' {
            return Ok(Value::String(lua.create_string(text)?));
        }
        let (format, text) = text.split_at(text.len().min(4));
        let verbatim = lua.create_table()?;
        verbatim.raw_set("format", lua.create_string(format.strip_suffix(b":").unwrap_or(format))?)?;
        verbatim.raw_set("string", lua.create_string(text)?)?;
        return typed(lua, "verbatim_string", Value::Table(verbatim));
    }
    let table = lua.create_table()?;
    for at in 1..=length {
        let element = to_lua(lua, bytes)?;
        match mark {
            b'%' => table.raw_set(element, to_lua(lua, bytes)?)?,
            b'~' => table.raw_set(element, true)?,
            _ => table.raw_set(at, element)?,
        }
    }
    match mark {
        b'%' => typed(lua, "map", Value::Table(table)),
        b'~' => typed(lua, "set", Value::Table(table)),
        _ => Ok(Value::Table(table)),
    }
}

/// The first byte and the rest of the first line.
fn take_line<'b>(bytes: &mut &'b [u8]) -> (u8, &'b [u8]) {
    let end = bytes.windows(2).position(|two| two == b"\r\n").unwrap_or(bytes.len());
    let line = &bytes[..end];
    *bytes = bytes.get(end + 2..).unwrap_or_default();
    line.split_first().map_or((b'$', &b"-1"[..]), |(&mark, line)| (mark, line))
}

/// The error that a command answered, or was refused with.
///
/// # Errors
/// Those of Lua: too much memory.
pub(super) fn error_table(lua: &Lua, text: &[u8]) -> mlua::Result<Value> {
    let error = lua.create_table()?;
    error.raw_set("err", lua.create_string(text)?)?;
    // Redis' own mark; scripts see it when they walk over the table.
    error.raw_set("ignore_error_stats_update", true)?;
    Ok(Value::Table(error))
}

/// A table with one field, which is a text.
pub(super) fn field(lua: &Lua, name: &str, text: &[u8]) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    table.raw_set(name, lua.create_string(text)?)?;
    Ok(Value::Table(table))
}

/// A table with one field, named after a type of RESP3.
fn typed(lua: &Lua, name: &str, value: Value) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    table.raw_set(name, value)?;
    Ok(Value::Table(table))
}

/// Writes what a script returned.
pub(super) struct Writer<'w> {
    pub out: &'w mut Vec<u8>,
    /// What the client speaks.
    pub protocol: Protocol,
    /// What the script speaks: in RESP3 its truth values are truth values.
    pub script_protocol: Protocol,
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
            Value::Boolean(truth) if self.script_protocol == Protocol::Resp3 => {
                reply::boolean(self.out, self.protocol, *truth);
            }
            Value::Boolean(true) => reply::integer(self.out, 1),
            Value::Table(_) if depth >= MAX_DEPTH => reply::error(self.out, "ERR reached lua stack limit"),
            Value::Table(table) => return self.table(table, depth),
            _ => reply::null(self.out, self.protocol),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<(), TooMuch> {
        let get = |name: &str| table.raw_get::<Value>(name).map_err(|_| TooMuch);
        for (name, mark) in [("err", b'-'), ("ok", b'+')] {
            if let Value::String(text) = get(name)? {
                line(self.out, mark, &text.as_bytes());
                return Ok(());
            }
        }
        let double = match get("double")? {
            Value::Number(number) => Some(number),
            // The binding's own idea: every number of Lua is a double.
            Value::Integer(integer) => Some(integer as f64),
            _ => None,
        };
        if let Some(number) = double {
            reply::double(self.out, self.protocol, number::general(number, 17).as_bytes());
            return Ok(());
        }
        if let Value::Table(map) = get("map")? {
            let pairs: Vec<(Value, Value)> = map.pairs().collect::<Result<_, _>>().map_err(|_| TooMuch)?;
            reply::map(self.out, self.protocol, pairs.len());
            return pairs.iter().try_for_each(|(key, value)| {
                self.write(key, depth + 1)?;
                self.write(value, depth + 1)
            });
        }
        if let Value::Table(set) = get("set")? {
            let pairs: Vec<(Value, Value)> = set.pairs().collect::<Result<_, _>>().map_err(|_| TooMuch)?;
            reply::set(self.out, self.protocol, pairs.len());
            return pairs.iter().try_for_each(|(member, _)| self.write(member, depth + 1));
        }
        if let Value::String(digits) = get("big_number")? {
            big_number(self.out, self.protocol, &digits.as_bytes());
            return Ok(());
        }
        if let Value::Table(verbatim) = get("verbatim_string")?
            && let (Ok(Value::String(format)), Ok(Value::String(text))) =
                (verbatim.raw_get::<Value>("format"), verbatim.raw_get::<Value>("string"))
        {
            reply::verbatim_as(self.out, self.protocol, &format.as_bytes(), &text.as_bytes());
            return Ok(());
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

/// An integer of any size: a string in RESP2.
fn big_number(out: &mut Vec<u8>, protocol: Protocol, digits: &[u8]) {
    if protocol == Protocol::Resp2 {
        reply::bulk_header(out, digits.len());
    } else {
        out.push(b'(');
    }
    one_line(out, digits);
}

/// A line of any bytes but line breaks, which become spaces.
pub(super) fn line(out: &mut Vec<u8>, mark: u8, text: &[u8]) {
    out.push(mark);
    one_line(out, text);
}

fn one_line(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    reply::end_line(out);
}
