//! All memory of a cache: one budget, three kinds of users of it.
//!
//! ```text
//!  Budget (max_bytes) ─┬─ Segments     the log: fixed-size segments of one reserved region
//!                      ├─ Pages        index pages of 4 KiB
//!                      └─ Blocks       whole pages: values too large for a segment, elements of large collections
//! ```
//!
//! Address space is reserved once; physical memory comes with the first touch and is given back with
//! `madvise`, so the sum of what is charged is what the process really holds. That takes the lock of the process'
//! address space, so what is freed under a shard lock is only set aside there: see [`Effects`](crate::shard::Effects).

mod blocks;
mod budget;
mod draft;
mod large;
mod pages;
mod region;
mod segments;
mod warm;

pub(crate) use blocks::{Block, Blocks, charge_for};
pub(crate) use budget::Budget;
pub use draft::Draft;
pub(crate) use large::{LargeBytes, LargeSpace};
pub(crate) use pages::{FreePage, PAGE_BYTES, Pages};
pub(crate) use region::{Region, prefetch, prefetch_to_write};
pub(crate) use segments::{FreeSegment, NONE, Purpose, Segment, Segments};
