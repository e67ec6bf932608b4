//! Decimal arithmetic with the precision of the x87's 80-bit numbers, which Redis adds with and shows.
//!
//! A number is `significand * 2^exponent` with at most 64 significant bits, rounded half to even. Rust has no such type
//! and `f64` would show `0.1 + 0.2` as `0.30000000000000004`; the few operations that are needed are exact on integers
//! of any size, rounded once.

use num_bigint::{BigInt, BigUint, Sign};

/// Longest text that is read as a number.
const MAX_TEXT_BYTES: usize = 5 << 10;
/// Significant bits of a number.
const PRECISION: u64 = 64;
/// Beyond `2^16384` a number is infinite.
const MAX_EXPONENT: i64 = 16_384;
/// Numbers of the type lie between powers of ten with these exponents. They bound the size of the integers, too.
const DECIMAL_EXPONENTS: std::ops::RangeInclusive<i64> = -4_950..=4_933;
/// Digits behind the point that are shown.
const SHOWN_DECIMALS: u32 = 17;

/// A finite number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LongDouble {
    significand: BigInt,
    exponent: i64,
}

/// What a text means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Finite(LongDouble),
    /// Infinity, or for a sum more than the type holds.
    Infinite,
}

impl LongDouble {
    /// Reads a decimal number with an optional point and exponent, or `inf`; nothing may stand around it.
    /// `None`: it is no number, more than the type holds, or too close to 0 to be told from it.
    pub fn parse(text: &[u8]) -> Option<Parsed> {
        if text.len() >= MAX_TEXT_BYTES {
            return None;
        }
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
            return Some(Parsed::Infinite);
        }
        let (mantissa, exponent) = match text.iter().position(|byte| byte.eq_ignore_ascii_case(&b'e')) {
            Some(at) => (&text[..at], decimal_exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let point = mantissa.iter().position(|&byte| byte == b'.').unwrap_or(mantissa.len());
        let decimals = mantissa.get(point + 1..).unwrap_or(b"");
        let digits = [&mantissa[..point], decimals].concat();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let magnitude = BigUint::parse_bytes(&digits, 10)?;
        if magnitude == BigUint::ZERO {
            return Some(Parsed::Finite(Self { significand: BigInt::ZERO, exponent: 0 }));
        }
        let exponent = exponent - decimals.len() as i64;
        // The exponent of the first digit that counts decides how large the number is.
        let leading = exponent + digits.len() as i64 - digits.iter().take_while(|&&digit| digit == b'0').count() as i64;
        if !DECIMAL_EXPONENTS.contains(&leading) {
            return None;
        }
        let (numerator, denominator) = match exponent {
            0.. => (magnitude * BigUint::from(10_u32).pow(exponent as u32), BigUint::from(1_u32)),
            _ => (magnitude, BigUint::from(10_u32).pow(exponent.unsigned_abs() as u32)),
        };
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        let number = Self::rounded(sign, numerator, &denominator, 0);
        (number != Parsed::Infinite).then_some(number)
    }

    /// The sum; [`Parsed::Infinite`] beyond what the type holds.
    pub fn add(&self, other: &Self) -> Parsed {
        let exponent = self.exponent.min(other.exponent);
        let at = |number: &Self| &number.significand << (number.exponent - exponent) as u64;
        let (sign, magnitude) = (at(self) + at(other)).into_parts();
        if sign == Sign::NoSign {
            return Parsed::Finite(Self { significand: BigInt::ZERO, exponent: 0 });
        }
        Self::rounded(sign, magnitude, &BigUint::from(1_u32), exponent)
    }

    /// `numerator / denominator * 2^exponent` in 64 bits; neither is 0.
    fn rounded(sign: Sign, numerator: BigUint, denominator: &BigUint, exponent: i64) -> Parsed {
        // With this shift the quotient has 64 or 65 bits in front of what is rounded away.
        let shift = PRECISION as i64 + 1 + denominator.bits() as i64 - numerator.bits() as i64;
        let (numerator, denominator) = if shift >= 0 {
            (numerator << shift as u64, denominator.clone())
        } else {
            (numerator, denominator << -shift as u64)
        };
        let quotient = &numerator / &denominator;
        let excess = quotient.bits() - PRECISION;
        let exact = &quotient * &denominator == numerator;
        let (mut kept, half) = (&quotient >> excess, BigUint::from(1_u32) << (excess - 1));
        let lost = &quotient - (&kept << excess);
        let above_half = lost > half || lost == half && !exact;
        if above_half || lost == half && kept.bit(0) {
            kept += 1_u32;
        }
        let exponent = exponent - shift + excess as i64;
        if exponent + kept.bits() as i64 > MAX_EXPONENT {
            return Parsed::Infinite;
        }
        Parsed::Finite(Self { significand: BigInt::from_biguint(sign, kept), exponent })
    }
}

impl std::fmt::Display for LongDouble {
    /// With 17 digits behind the point, without the zeros at their end, as Redis shows numbers.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scaled = self.significand.magnitude() * BigUint::from(10_u32).pow(SHOWN_DECIMALS);
        let scaled = match self.exponent {
            0.. => scaled << self.exponent as u64,
            _ => {
                let shift = self.exponent.unsigned_abs();
                let (mut kept, half) = (&scaled >> shift, BigUint::from(1_u32) << (shift - 1));
                let lost = scaled - (&kept << shift);
                if lost > half || lost == half && kept.bit(0) {
                    kept += 1_u32;
                }
                kept
            }
        };
        let digits = format!("{scaled:0>width$}", width = SHOWN_DECIMALS as usize + 1);
        let (whole, decimals) = digits.split_at(digits.len() - SHOWN_DECIMALS as usize);
        let decimals = decimals.trim_end_matches('0');
        let negative = self.significand.sign() == Sign::Minus && scaled != BigUint::ZERO;
        let (sign, point) = (if negative { "-" } else { "" }, if decimals.is_empty() { "" } else { "." });
        write!(formatter, "{sign}{whole}{point}{decimals}")
    }
}

/// The digits behind an `e`; as good as infinite beyond what has a meaning.
fn decimal_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude = digits.iter().fold(0_i64, |sum, digit| (sum * 10 + i64::from(digit - b'0')).min(1 << 30));
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> LongDouble {
        match LongDouble::parse(text.as_bytes()) {
            Some(Parsed::Finite(number)) => number,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn sums_are_those_of_redis() {
        for (a, b, sum) in [
            ("0.1", "0.2", "0.3"),
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("1", "-1", "0"),
            ("-0", "0", "0"),
            ("1e17", "0.1", "100000000000000000.1015625"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("18446744073709551615", "1", "18446744073709551616"),
            ("18446744073709551616", "1", "18446744073709551616"),
            ("1e-18", "0", "0"),
            ("-1e-18", "0", "0"),
            (".5", "5.", "5.5"),
            ("+3", "0003", "6"),
        ] {
            let Parsed::Finite(found) = number(a).add(&number(b)) else { panic!("{a} + {b} is infinite") };
            assert_eq!(found.to_string(), sum, "{a} + {b}");
        }
    }

    #[test]
    fn sums_that_are_too_large_are_infinite() {
        for text in ["inf", "-INF", "Infinity"] {
            assert_eq!(LongDouble::parse(text.as_bytes()), Some(Parsed::Infinite), "{text}");
        }
        assert_eq!(number("1.1e4932").add(&number("1.1e4932")), Parsed::Infinite);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "1.2.3",
            " 1",
            "1 ",
            "0x10",
            "nan",
            "1e-99999",
            "1e4933",
            "2e4932",
            "1e999999999999",
            "1_0",
            "--1",
        ] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(LongDouble::parse(&[b'1'; MAX_TEXT_BYTES]), None);
    }
}
