//! Numbers between Lua and text.

/// A number as C's `%.*g` writes it, with `precision` significant digits.
pub(super) fn general(number: f64, precision: usize) -> String {
    if !number.is_finite() {
        let sign = if number.is_sign_negative() { "-" } else { "" };
        return format!("{sign}{}", if number.is_nan() { "nan" } else { "inf" });
    }
    let scientific = format!("{:.*e}", precision - 1, number);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if exponent < -4 || exponent >= precision as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs());
    }
    trimmed(&format!("{:.*}", (precision as i32 - 1 - exponent) as usize, number))
}

/// A number as an integer of the protocol: its fraction is cut off, and what does not fit is the least integer, as the
/// conversion of x86 has it.
pub(super) fn truncated(number: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&number) { number as i64 } else { i64::MIN }
}

/// The pseudo-random numbers of Redis' scripts, those of `lrand48`: a new interpreter begins with the same ones.
pub(super) struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self::new(0x1234_ABCD)
    }
}

impl Random {
    pub fn new(seed: u32) -> Self {
        Self(u64::from(seed) << 16 | 0x330E)
    }

    /// At least 0 and below 1.
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & ((1 << 48) - 1);
        let number = (self.0 >> 17) as u32;
        f64::from(number % i32::MAX as u32) / f64::from(i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_c_does() {
        for (number, precision, text) in [
            (1.1, 17, "1.1000000000000001"),
            (0.1, 14, "0.1"),
            (100.0, 14, "100"),
            (1e15, 14, "1e+15"),
            (123_456_789_012_345_680.0, 17, "1.2345678901234568e+17"),
            (1e16, 17, "10000000000000000"),
            (0.000_1, 14, "0.0001"),
            (0.000_01, 14, "1e-05"),
            (-2.5, 14, "-2.5"),
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (f64::INFINITY, 14, "inf"),
            (99_999_999_999_999.9, 14, "1e+14"),
        ] {
            assert_eq!(general(number, precision), text);
        }
    }

    #[test]
    fn what_does_not_fit_is_the_least_integer() {
        for (number, integer) in
            [(2.9, 2), (-2.9, -2), (1e300, i64::MIN), (f64::NAN, i64::MIN), (-9.223_372_036_854_776e18, i64::MIN)]
        {
            assert_eq!(truncated(number), integer, "{number}");
        }
    }
}
