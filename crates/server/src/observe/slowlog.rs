//! The last requests that took long.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tandem_wire::Args;

/// What is shown of a request, as in Redis: so many arguments, and so much of each.
const SHOWN_ARGUMENTS: usize = 32;
const SHOWN_BYTES: usize = 128;
/// Redis' defaults.
const DEFAULT_THRESHOLD_US: i64 = 10_000;
const DEFAULT_LEN: usize = 128;
/// Most requests that can be kept: each takes up to 5 KiB.
pub(crate) const MAX_LEN: usize = 10_000;

/// A request that took long.
#[derive(Clone)]
pub(crate) struct SlowRequest {
    pub id: u64,
    /// Seconds since the Unix epoch.
    pub at_s: u64,
    pub took: Duration,
    pub args: Vec<Vec<u8>>,
    pub peer: String,
    pub name: Vec<u8>,
}

/// The last requests that took long, the newest first.
pub(crate) struct Slowlog {
    /// Microseconds from which a request is kept; negative: none is.
    pub threshold_us: AtomicI64,
    /// Requests that are kept; what is beyond goes when the next one comes, as in Redis.
    pub max_len: AtomicUsize,
    next: AtomicU64,
    requests: Mutex<VecDeque<SlowRequest>>,
}

impl Default for Slowlog {
    fn default() -> Self {
        Self {
            threshold_us: AtomicI64::new(DEFAULT_THRESHOLD_US),
            max_len: AtomicUsize::new(DEFAULT_LEN),
            next: AtomicU64::new(0),
            requests: Mutex::default(),
        }
    }
}

impl Slowlog {
    /// Whether a request that took `ns` nanoseconds is kept.
    #[inline]
    pub fn wants(&self, ns: u64) -> bool {
        let threshold = self.threshold_us.load(Relaxed);
        threshold >= 0 && ns / 1_000 >= threshold as u64
    }

    /// Keeps a request.
    pub fn add(&self, args: Args<'_>, took: Duration, at_s: u64, peer: String, name: &[u8]) {
        let id = self.next.fetch_add(1, Relaxed);
        let request = SlowRequest { id, at_s, took, args: shown(args), peer, name: name.to_vec() };
        let mut requests = self.requests.lock();
        requests.push_front(request);
        requests.truncate(self.max_len.load(Relaxed));
    }

    /// The newest `count`.
    pub fn newest(&self, count: usize) -> Vec<SlowRequest> {
        self.requests.lock().iter().take(count).cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.requests.lock().len()
    }

    pub fn clear(&self) {
        self.requests.lock().clear();
    }
}

/// The arguments cut short, in Redis' words.
fn shown(args: Args<'_>) -> Vec<Vec<u8>> {
    let count = args.len();
    let whole = if count > SHOWN_ARGUMENTS { SHOWN_ARGUMENTS - 1 } else { count };
    let mut shown: Vec<Vec<u8>> = args.iter().take(whole).map(cut).collect();
    if count > whole {
        shown.push(format!("... ({} more arguments)", count - whole).into_bytes());
    }
    shown
}

fn cut(argument: &[u8]) -> Vec<u8> {
    if argument.len() <= SHOWN_BYTES {
        return argument.to_vec();
    }
    let more = format!("... ({} more bytes)", argument.len() - SHOWN_BYTES);
    [&argument[..SHOWN_BYTES], more.as_bytes()].concat()
}
