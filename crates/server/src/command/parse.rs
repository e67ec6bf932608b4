//! Arguments that several commands have in common.

use tandem_engine::{Condition, Expiry};
use tandem_wire::Args;
use tandem_wire::number::parse_i64;

use super::refusal;

/// A time option: its unit, and whether it counts from now or from the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeUnit {
    pub seconds: bool,
    pub absolute: bool,
}

impl TimeUnit {
    /// `EX`, `PX`, `EXAT` or `PXAT`, in any case.
    pub fn option(name: &[u8]) -> Option<Self> {
        let is = |option: &str| name.eq_ignore_ascii_case(option.as_bytes());
        match () {
            () if is("ex") => Some(Self { seconds: true, absolute: false }),
            () if is("px") => Some(Self { seconds: false, absolute: false }),
            () if is("exat") => Some(Self { seconds: true, absolute: true }),
            () if is("pxat") => Some(Self { seconds: false, absolute: true }),
            () => None,
        }
    }

    /// The moment that `number` of this unit means, in milliseconds since the Unix epoch. `None` beyond 64 bits.
    pub fn moment(self, number: i64, now_ms: u64) -> Option<i64> {
        let ms = if self.seconds { number.checked_mul(1000)? } else { number };
        if self.absolute { Some(ms) } else { ms.checked_add(now_ms as i64) }
    }
}

/// Why an expiry was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadExpiry {
    NotInteger,
    /// Zero, negative or beyond 64 bits.
    OutOfRange,
}

/// An expiry for `SET`, `SETEX` and `GETEX`, which take no time that has passed by its very sign.
pub(super) fn positive_expiry(unit: TimeUnit, text: &[u8], now_ms: u64) -> Result<Expiry, BadExpiry> {
    let number = parse_i64(text).ok_or(BadExpiry::NotInteger)?;
    if number <= 0 {
        return Err(BadExpiry::OutOfRange);
    }
    let moment = unit.moment(number, now_ms).ok_or(BadExpiry::OutOfRange)?;
    Ok(Expiry::At(moment as u64))
}

/// The options that `SET` and `GETEX` choose from.
#[derive(Debug, Default)]
pub(super) struct StringOptions<'a> {
    pub condition: Condition,
    /// Answer with the old value.
    pub get: bool,
    pub keep_ttl: bool,
    pub persist: bool,
    /// The last time given; only one unit may be.
    pub time: Option<(TimeUnit, &'a [u8])>,
}

impl<'a> StringOptions<'a> {
    /// Parses the options of `SET`, or those of `GETEX` if `set` is false. `Err` is the answer to a client that got
    /// them wrong.
    pub fn parse(args: &'a Args<'a>, set: bool) -> Result<Self, &'static str> {
        let mut options = Self::default();
        let mut at = 0;
        while at < args.len() {
            let name = &args[at];
            let is = |option: &str| name.eq_ignore_ascii_case(option.as_bytes());
            if set && is("nx") && options.condition != Condition::IfPresent {
                options.condition = Condition::IfAbsent;
            } else if set && is("xx") && options.condition != Condition::IfAbsent {
                options.condition = Condition::IfPresent;
            } else if set && is("get") {
                options.get = true;
            } else if set && is("keepttl") && options.time.is_none() {
                options.keep_ttl = true;
            } else if !set && is("persist") && options.time.is_none() {
                options.persist = true;
            } else if let Some(unit) = TimeUnit::option(name)
                && !options.keep_ttl
                && !options.persist
                && options.time.is_none_or(|(earlier, _)| earlier == unit)
                && at + 1 < args.len()
            {
                at += 1;
                options.time = Some((unit, &args[at]));
            } else {
                return Err(refusal::SYNTAX);
            }
            at += 1;
        }
        Ok(options)
    }

    /// The expiry to write, if the options say anything about it.
    pub fn expiry(&self, now_ms: u64) -> Result<Option<Expiry>, BadExpiry> {
        match self.time {
            Some((unit, text)) => positive_expiry(unit, text, now_ms).map(Some),
            None if self.keep_ttl => Ok(Some(Expiry::Keep)),
            None if self.persist => Ok(Some(Expiry::Never)),
            None => Ok(None),
        }
    }
}

/// A cursor of `SCAN`, read as C's `strtoul` does: a sign is allowed, a NUL ends it, and nothing at all is 0.
pub(super) fn cursor(text: &[u8]) -> Option<u64> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, text),
    };
    if text.is_empty() {
        return Some(0);
    }
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative { magnitude.wrapping_neg() } else { magnitude })
}
