//! The library `cmsgpack`: MessagePack, as in Redis.

use mlua::{MultiValue, Table, Value};
use rmp::decode::RmpRead;
use rmp::{Marker, encode};

use super::interpreter::Stop;
use super::native::{Call, Failure, Native};

pub(super) const FUNCTIONS: &[(&str, Native)] = &[
    ("pack", pack),
    ("unpack", |call| unpack_some(call, 0, 0)),
    ("unpack_one", |call| unpack_some(call, 1, call.number(2, Some(0.0))? as i64)),
    ("unpack_limit", |call| unpack_some(call, call.number(2, None)? as i64, call.number(3, Some(0.0))? as i64)),
];

/// Tables within tables; a deeper one is packed as nil.
const MAX_PACKED_DEPTH: usize = 16;

fn pack(call: &Call<'_>) -> Result<MultiValue, Failure> {
    if call.arguments.is_empty() {
        return call.wrong(0, "MessagePack pack needs input.");
    }
    let mut packer = Packer { call, out: Vec::new() };
    call.arguments.iter().try_for_each(|value| packer.value(value, 0))?;
    call.results(call.lua.create_string(packer.out)?)
}

struct Packer<'p> {
    call: &'p Call<'p>,
    out: Vec<u8>,
}

impl Packer<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Failure> {
        if self.out.len() > self.call.state.memory {
            return Err(Failure::Stopped(Stop::Memory));
        }
        if self.call.state.is_late() {
            return Err(Failure::Stopped(Stop::Budget));
        }
        // A Vec takes everything.
        let _ = match value {
            Value::String(text) => {
                let text = text.as_bytes();
                let written = encode::write_str_len(&mut self.out, text.len() as u32).map(drop);
                self.out.extend_from_slice(&text);
                written
            }
            Value::Boolean(truth) => {
                encode::write_bool(&mut self.out, *truth).map_err(encode::ValueWriteError::InvalidMarkerWrite)
            }
            Value::Integer(integer) => encode::write_sint(&mut self.out, *integer).map(drop),
            Value::Number(number) => self.number(*number),
            Value::Table(table) if depth < MAX_PACKED_DEPTH => return self.table(table, depth + 1),
            _ => encode::write_nil(&mut self.out).map_err(encode::ValueWriteError::InvalidMarkerWrite),
        };
        Ok(())
    }

    /// As an integer where it is one, else in as few bytes as hold it.
    fn number(&mut self, number: f64) -> Result<(), encode::ValueWriteError> {
        let (integer, single) = (number as i64, number as f32);
        if integer as f64 == number && integer != i64::MAX {
            encode::write_sint(&mut self.out, integer).map(drop)
        } else if f64::from(single) == number {
            encode::write_f32(&mut self.out, single)
        } else {
            encode::write_f64(&mut self.out, number)
        }
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<(), Failure> {
        let (mut count, mut largest, mut is_array) = (0_u32, 0.0, true);
        for pair in table.pairs::<Value, Value>() {
            let index = match pair?.0 {
                Value::Integer(index) => index as f64,
                Value::Number(index) => index,
                _ => 0.0,
            };
            count += 1;
            is_array &= index >= 1.0 && index <= f64::from(i32::MAX) && index.fract() == 0.0;
            largest = index.max(largest);
        }
        // Keys differ: as many of them as the largest one says are all there are up to it.
        if is_array && largest == f64::from(count) {
            let _ = encode::write_array_len(&mut self.out, count);
            return (1..=count).try_for_each(|at| self.value(&table.raw_get(at)?, depth));
        }
        let _ = encode::write_map_len(&mut self.out, count);
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            self.value(&key, depth)?;
            self.value(&value, depth)?;
        }
        Ok(())
    }
}

/// Unpacks `limit` values from `offset` on, with the offset of the next one in front (-1: there is none); both 0: all
/// values, and no offset.
fn unpack_some(call: &Call<'_>, limit: i64, offset: i64) -> Result<MultiValue, Failure> {
    let input = call.text(1)?;
    let input = input.as_bytes();
    let length = input.len();
    if offset < 0 || limit < 0 {
        // The length is what Redis says here, whatever the limit was.
        let message = format!("Invalid request to unpack with offset of {offset} and limit of {length}.");
        return Err(Failure::Message(message));
    }
    if offset as usize > length {
        return Err(Failure::Message(format!("Start offset {offset} greater than input length {length}.")));
    }
    let everything = limit == 0 && offset == 0;
    let limit = if everything { i64::from(i32::MAX) } else { limit };
    let mut unpacker = Unpacker { call, rest: &input[offset as usize..], results: 0 };
    let mut results = Vec::new();
    while !unpacker.rest.is_empty() && (results.len() as i64) < limit {
        unpacker.results = results.len();
        results.push(unpacker.value()?);
    }
    if !everything {
        let next = if unpacker.rest.is_empty() { -1 } else { (length - unpacker.rest.len()) as i64 };
        results.insert(0, Value::Integer(next));
    }
    Ok(MultiValue::from_vec(results))
}

struct Unpacker<'u> {
    call: &'u Call<'u>,
    rest: &'u [u8],
    /// Values that are complete.
    results: usize,
}

/// What stands at a place.
enum Token {
    Value(Value),
    /// The beginning of one with so many elements, or pairs.
    Table {
        length: u32,
        is_map: bool,
    },
}

/// A table that is being filled.
struct Open {
    table: Table,
    is_map: bool,
    /// Elements or pairs still to come.
    left: u32,
    /// Elements that have come.
    elements: u32,
    /// The one of the pair whose value is to come.
    key: Option<Value>,
}

impl Open {
    fn put(&mut self, value: Value) -> Result<(), Failure> {
        let key = match (self.is_map, self.key.take()) {
            (true, None) => {
                self.key = Some(value);
                return Ok(());
            }
            (true, Some(Value::Nil)) => return Err(Failure::Reply("ERR table index is nil")),
            (true, Some(Value::Number(number))) if number.is_nan() => {
                return Err(Failure::Reply("ERR table index is NaN"));
            }
            (true, Some(key)) => key,
            (false, _) => {
                self.elements += 1;
                Value::Integer(self.elements.into())
            }
        };
        self.left -= 1;
        Ok(self.table.raw_set(key, value)?)
    }
}

impl Unpacker<'_> {
    /// The next value with everything in it.
    fn value(&mut self) -> Result<Value, Failure> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            if self.call.state.is_late() {
                return Err(Failure::Stopped(Stop::Budget));
            }
            match self.token(&open)? {
                Token::Value(value) => match open.last_mut() {
                    Some(around) => around.put(value)?,
                    None => return Ok(value),
                },
                Token::Table { length, is_map } => {
                    let table = self.call.lua.create_table()?;
                    open.push(Open { table, is_map, left: length, elements: 0, key: None });
                }
            }
            while let Some(complete) = open.pop_if(|table| table.left == 0) {
                let value = Value::Table(complete.table);
                match open.last_mut() {
                    Some(around) => around.put(value)?,
                    None => return Ok(value),
                }
            }
        }
    }

    /// What stands in front, within tables that are `open`.
    fn token(&mut self, open: &[Open]) -> Result<Token, Failure> {
        // What Redis would have on its stack, which bounds the nesting: each table with the key or index in it.
        let half = open.last().is_some_and(|innermost| innermost.is_map && innermost.key.is_none());
        let stack = self.results + 2 * open.len() - usize::from(half);
        let marker = Marker::from_u8(self.rest.read_data_u8().map_err(missing)?);
        self.call.need_stack(stack + 1, "too many return values at once; use unpack_one or unpack_limit instead.")?;
        let rest = &mut self.rest;
        let length = match marker {
            Marker::FixStr(length) | Marker::FixArray(length) | Marker::FixMap(length) => length.into(),
            Marker::Str8 => rest.read_data_u8().map_err(missing)?.into(),
            Marker::Str16 | Marker::Array16 | Marker::Map16 => rest.read_data_u16().map_err(missing)?.into(),
            Marker::Str32 | Marker::Array32 | Marker::Map32 => rest.read_data_u32().map_err(missing)?,
            _ => 0,
        };
        let number = match marker {
            Marker::Null => return Ok(Token::Value(Value::Nil)),
            Marker::True => return Ok(Token::Value(Value::Boolean(true))),
            Marker::False => return Ok(Token::Value(Value::Boolean(false))),
            Marker::FixPos(number) => number.into(),
            Marker::FixNeg(number) => number.into(),
            Marker::U8 => rest.read_data_u8().map_err(missing)?.into(),
            Marker::U16 => rest.read_data_u16().map_err(missing)?.into(),
            Marker::U32 => rest.read_data_u32().map_err(missing)?.into(),
            // To Redis they have a sign, too.
            Marker::U64 | Marker::I64 => rest.read_data_i64().map_err(missing)? as f64,
            Marker::I8 => rest.read_data_i8().map_err(missing)?.into(),
            Marker::I16 => rest.read_data_i16().map_err(missing)?.into(),
            Marker::I32 => rest.read_data_i32().map_err(missing)?.into(),
            Marker::F32 => rest.read_data_f32().map_err(missing)?.into(),
            Marker::F64 => rest.read_data_f64().map_err(missing)?,
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let Some((text, behind)) = rest.split_at_checked(length as usize) else { return Err(missing(())) };
                *rest = behind;
                return Ok(Token::Value(Value::String(self.call.lua.create_string(text)?)));
            }
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                self.call.need_stack(stack + 2, "in function mp_decode_to_lua_array")?;
                return Ok(Token::Table { length, is_map: false });
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => return Ok(Token::Table { length, is_map: true }),
            // Bytes and extensions are of later versions of MessagePack than the library.
            _ => return Err(Failure::Message("Bad data format in input.".into())),
        };
        Ok(Token::Value(Value::Number(number)))
    }
}

fn missing<T>(_: T) -> Failure {
    Failure::Message("Missing bytes in input.".into())
}
