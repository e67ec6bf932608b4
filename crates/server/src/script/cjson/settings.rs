//! How JSON is written and read, as scripts can set it.

/// What becomes of numbers that JSON has no words for: infinities, and what is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidNumbers {
    Refused,
    Named,
    Null,
}

/// Those of one `cjson`. The defaults are Redis'.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// An array with too many holes is an object rather than an error.
    pub(super) sparse_as_object: bool,
    /// An array may be so many times as long as what it holds; 0: it may have any holes.
    pub(super) sparse_ratio: usize,
    /// An array of at most this length may have any holes.
    pub(super) sparse_safe: usize,
    /// Nesting of arrays and objects.
    pub(super) encode_max_depth: usize,
    pub(super) decode_max_depth: usize,
    /// Significant digits of numbers, from 1 to 14.
    pub(super) number_precision: usize,
    pub(super) encode_invalid_numbers: InvalidNumbers,
    /// Whether numbers may be hexadecimal, infinite or none.
    pub(super) decode_invalid_numbers: bool,
    /// Only remembered: there is no buffer that could be kept.
    pub(super) keep_buffer: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sparse_as_object: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_max_depth: 1_000,
            decode_max_depth: 1_000,
            number_precision: 14,
            encode_invalid_numbers: InvalidNumbers::Refused,
            decode_invalid_numbers: true,
            keep_buffer: true,
        }
    }
}
