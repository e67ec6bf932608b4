//! Arguments that several commands have in common.

use tandem_engine::Expiry;
use tandem_wire::number::parse_i64;

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

/// An expiry for `SET` and `GETEX`, which take no time that has passed by its very sign.
pub(super) fn positive_expiry(unit: TimeUnit, text: &[u8], now_ms: u64) -> Result<Expiry, BadExpiry> {
    let number = parse_i64(text).ok_or(BadExpiry::NotInteger)?;
    if number <= 0 {
        return Err(BadExpiry::OutOfRange);
    }
    let moment = unit.moment(number, now_ms).ok_or(BadExpiry::OutOfRange)?;
    Ok(Expiry::At(moment as u64))
}
