//! What a server knows of its own work: counts and times of each command, errors by kind, and the slow requests.

mod errors;
mod histogram;
mod hot_keys;
mod meter;
pub(crate) mod process;
mod rates;
mod report;
mod slowlog;
mod stats;

pub(crate) use errors::Errors;
pub(crate) use hot_keys::{COUNTERS, SAMPLE};
pub(crate) use meter::Meter;
pub(crate) use rates::Rates;
pub use report::{CommandReport, DURATION_BOUNDS_NS};
pub(crate) use slowlog::{MAX_LEN as SLOWLOG_MAX_LEN, Slowlog};
pub(crate) use stats::{CommandStats, Summary, summaries};
