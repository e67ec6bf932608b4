//! The library `struct`: values as C lays them out in memory, as in Redis.
//!
//! A format is a sequence of options: `b` `h` `i` `l` `T` (integers of 1, 2, 4, 8 and 8 bytes; in upper case without a
//! sign), `in` (of n bytes), `f` `d` (numbers with a fraction), `cn` (n bytes), `s` (a text and a zero), `x` (a zero
//! between values); `<` `>` choose the order of bytes, `!n` aligns to at most n bytes.

use mlua::{MultiValue, Value};

use super::native::{Call, Failure, Native};

pub(super) const FUNCTIONS: &[(&str, Native)] = &[("pack", pack), ("unpack", unpack), ("size", size)];

const MAX_INTEGER_BYTES: usize = 32;
/// What `!` without a number stands for: the alignment of a double.
const NATIVE_ALIGNMENT: usize = 8;

/// A format that is being read.
struct Format<'f> {
    rest: &'f [u8],
    big_endian: bool,
    alignment: usize,
}

/// One option, and the bytes of a value; 0 where only the value tells, or there is none.
struct Item {
    option: u8,
    size: usize,
}

impl<'f> Format<'f> {
    /// To C a format ends at its first zero.
    fn new(text: &'f [u8]) -> Self {
        let rest = text.split(|&byte| byte == 0).next().unwrap_or_default();
        Self { rest, big_endian: false, alignment: 1 }
    }

    fn next(&mut self) -> Result<Option<Item>, Failure> {
        let Some((&option, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.number(1)?,
            b'i' | b'I' => match self.number(4)? {
                size if size > MAX_INTEGER_BYTES => {
                    let limit = MAX_INTEGER_BYTES;
                    return Err(Failure::Message(format!("integral size {size} is larger than limit of {limit}")));
                }
                size => size,
            },
            _ => 0,
        };
        Ok(Some(Item { option, size }))
    }

    /// The number in front, if there is one.
    fn number(&mut self, otherwise: usize) -> Result<usize, Failure> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        if digits.is_empty() {
            return Ok(otherwise);
        }
        let number =
            digits.iter().try_fold(0_i32, |number, digit| number.checked_mul(10)?.checked_add(i32::from(digit - b'0')));
        number.map(|number| number as usize).ok_or_else(|| Failure::Message("integral size overflow".into()))
    }

    /// Bytes between position `at` and an item.
    fn padding(&self, at: usize, item: &Item) -> usize {
        if item.size == 0 || item.option == b'c' {
            return 0;
        }
        let alignment = item.size.min(self.alignment);
        alignment.wrapping_sub(at & (alignment - 1)) & (alignment - 1)
    }

    /// An option that is no value.
    fn control(&mut self, call: &Call<'_>, option: u8) -> Result<(), Failure> {
        match option {
            b' ' => {}
            b'<' => self.big_endian = false,
            b'>' => self.big_endian = true,
            b'!' => {
                self.alignment = self.number(NATIVE_ALIGNMENT)?;
                if !self.alignment.is_power_of_two() {
                    return Err(Failure::Message(format!("alignment {} is not a power of 2", self.alignment)));
                }
            }
            _ => return call.wrong(1, &format!("invalid format option '{}'", char::from(option))),
        }
        Ok(())
    }

    /// Bytes in this order, given or wanted with the least one first.
    fn ordered(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }
}

/// A number to pack. One that is missing is nil to Redis.
fn number(call: &Call<'_>, number: usize) -> Result<f64, Failure> {
    if call.arguments.len() < number {
        call.wrong(number, "number expected, got nil")
    } else {
        call.number(number, None)
    }
}

/// The lowest `size` bytes of a number without its fraction, as the conversions of x86 have them.
fn integer_bytes(number: f64, size: usize) -> Vec<u8> {
    const TOP: f64 = 9_223_372_036_854_775_808.0;
    let bits = if number < 0.0 || number.is_nan() {
        super::number::truncated(number).cast_unsigned()
    } else if number < 2.0 * TOP {
        number as u64
    } else {
        0
    };
    let mut bytes = bits.to_le_bytes().to_vec();
    // Nothing is behind 64 bits, not even a sign.
    bytes.resize(size, 0);
    bytes
}

fn pack(call: &Call<'_>) -> Result<MultiValue, Failure> {
    let text = call.text(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let mut out: Vec<u8> = Vec::new();
    let mut next = 2;
    while let Some(item) = format.next()? {
        out.resize(out.len() + format.padding(out.len(), &item), 0);
        match item.option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                out.extend(format.ordered(&integer_bytes(number(call, next)?, item.size)));
                next += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                out.extend(format.ordered(&(number(call, next)? as f32).to_le_bytes()));
                next += 1;
            }
            b'd' => {
                out.extend(format.ordered(&number(call, next)?.to_le_bytes()));
                next += 1;
            }
            b'c' | b's' => {
                if call.arguments.len() < next {
                    return call.wrong(next, "string expected, got nil");
                }
                let text = call.text(next)?;
                let text = text.as_bytes();
                next += 1;
                let size = if item.size == 0 { text.len() } else { item.size };
                let Some(text) = text.get(..size) else { return call.wrong(next, "string too short") };
                out.extend_from_slice(text);
                if item.option == b's' {
                    out.push(0);
                }
            }
            other => format.control(call, other)?,
        }
        if out.len() > call.state.memory {
            return Err(Failure::Stopped(super::interpreter::Stop::Memory));
        }
    }
    call.results(call.lua.create_string(out)?)
}

/// An integer of these bytes, the least one first. The sign of one that is not of 8 bytes is where C finds it.
fn integer(bytes: &[u8], signed: bool) -> f64 {
    let bits = bytes.iter().rev().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
    if !signed {
        return bits as f64;
    }
    let sign = u64::MAX.wrapping_shl((bytes.len() as u32).wrapping_mul(8).wrapping_sub(1));
    (if bits & sign == 0 { bits } else { bits | sign }).cast_signed() as f64
}

fn unpack(call: &Call<'_>) -> Result<MultiValue, Failure> {
    let (text, data) = (call.text(1)?, call.text(2)?);
    let (text, data) = (text.as_bytes(), data.as_bytes());
    let first = call.number(3, Some(1.0))? as i64;
    if first == 0 {
        return call.wrong(3, "offset must be 1 or greater");
    }
    // A position in front of the data is far behind it.
    let mut at = first.wrapping_sub(1) as usize;
    let mut format = Format::new(&text);
    let mut results: Vec<Value> = Vec::new();
    let piece = |at: usize, size: usize| match data.get(at..at.saturating_add(size)) {
        Some(bytes) => Ok(bytes),
        None => call.wrong(2, "data string too short"),
    };
    while let Some(item) = format.next()? {
        at = at.wrapping_add(format.padding(at, &item));
        let bytes = piece(at, item.size)?;
        call.need_stack(results.len() + 2, "too many results")?;
        let mut size = item.size;
        match item.option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = integer(&format.ordered(bytes), item.option.is_ascii_lowercase());
                results.push(Value::Number(number));
            }
            b'x' => {}
            b'f' | b'd' => {
                let bytes = &*format.ordered(bytes);
                let single = <[u8; 4]>::try_from(bytes).map(|bytes| f64::from(f32::from_le_bytes(bytes)));
                let double = <[u8; 8]>::try_from(bytes).map(f64::from_le_bytes);
                results.extend(single.or(double).map(Value::Number));
            }
            b'c' => {
                if size == 0 {
                    let number = results.pop().map(|value| call.lua.coerce_number(value)).transpose()?.flatten();
                    let Some(number) = number else {
                        return Err(Failure::Message("format 'c0' needs a previous size".into()));
                    };
                    size = super::number::truncated(number) as usize;
                }
                results.push(Value::String(call.lua.create_string(piece(at, size)?)?));
            }
            b's' => {
                let rest = piece(at, data.len() - at)?;
                let Some(length) = rest.iter().position(|&byte| byte == 0) else {
                    return Err(Failure::Message("unfinished string in data".into()));
                };
                results.push(Value::String(call.lua.create_string(&rest[..length])?));
                size = length + 1;
            }
            other => format.control(call, other)?,
        }
        at += size;
    }
    results.push(Value::Number(at.wrapping_add(1) as i64 as f64));
    Ok(MultiValue::from_vec(results))
}

fn size(call: &Call<'_>) -> Result<MultiValue, Failure> {
    let text = call.text(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let mut total = 0_usize;
    while let Some(item) = format.next()? {
        total += format.padding(total, &item);
        match item.option {
            b's' => return call.wrong(1, "option 's' has no fixed size"),
            b'c' if item.size == 0 => return call.wrong(1, "option 'c0' has no fixed size"),
            option if option.is_ascii_alphanumeric() => {}
            option => format.control(call, option)?,
        }
        total += item.size;
    }
    call.results(total)
}
