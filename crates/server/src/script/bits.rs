//! The library `bit`: operations on 32 bits, as in LuaBitOp.

use mlua::MultiValue;

use super::native::{Call, Failure, Native};

/// The functions by the names that `prelude.lua` knows them by.
pub(super) const FUNCTIONS: &[(&str, Native)] = &[
    ("tobit", |call| result(call, bits(call, 1)?)),
    ("bnot", |call| result(call, !bits(call, 1)?)),
    ("band", |call| fold(call, |left, right| left & right)),
    ("bor", |call| fold(call, |left, right| left | right)),
    ("bxor", |call| fold(call, |left, right| left ^ right)),
    ("lshift", |call| shift(call, |bits, count| bits << count)),
    ("rshift", |call| shift(call, |bits, count| bits >> count)),
    ("arshift", |call| shift(call, |bits, count| (bits.cast_signed() >> count).cast_unsigned())),
    ("rol", |call| shift(call, u32::rotate_left)),
    ("ror", |call| shift(call, u32::rotate_right)),
    ("bswap", |call| result(call, bits(call, 1)?.swap_bytes())),
    ("tohex", tohex),
];

/// The lowest 32 bits of a number, rounded to an integer first, half to even. What is beyond 2^51 gives some bits or other.
fn bits(call: &Call<'_>, number: usize) -> Result<u32, Failure> {
    // In the sum the last bits of the significand are those of the integer.
    const TO_INTEGER: f64 = 6_755_399_441_055_744.0;
    Ok((call.number(number, None)? + TO_INTEGER).to_bits() as u32)
}

fn result(call: &Call<'_>, bits: u32) -> Result<MultiValue, Failure> {
    call.results(bits.cast_signed())
}

fn fold(call: &Call<'_>, join: fn(u32, u32) -> u32) -> Result<MultiValue, Failure> {
    let mut joined = bits(call, 1)?;
    for number in 2..=call.arguments.len() {
        joined = join(joined, bits(call, number)?);
    }
    result(call, joined)
}

fn shift(call: &Call<'_>, shift: fn(u32, u32) -> u32) -> Result<MultiValue, Failure> {
    result(call, shift(bits(call, 1)?, bits(call, 2)? & 31))
}

/// `(number, digits)`: the last digits, at most eight, in upper case if their count is negative.
fn tohex(call: &Call<'_>) -> Result<MultiValue, Failure> {
    let number = bits(call, 1)?;
    let digits = if call.arguments.len() < 2 { 8 } else { bits(call, 2)?.cast_signed() };
    let all = if digits < 0 { format!("{number:08X}") } else { format!("{number:08x}") };
    let shown = digits.unsigned_abs().min(8) as usize;
    call.results(&all[8 - shown..])
}
