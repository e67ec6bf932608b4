//! M1: bytes an entry takes beyond its key and its value.

use tandem_engine::{Expiry, PolicyKind, WriteOptions};

use crate::child::{self, resident_bytes};
use crate::report::{Goal, Ratio, Report, Row, Side};
use crate::sides::{Contender, ENTRY_BYTES, QuickCache, QuickCacheFixed, Tandem, bytes};
use crate::speed::roomy_items;
use crate::workload::{Random, VALUE_BYTES, key};

/// What a child process fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Filled {
    /// The engine, default policy.
    Default,
    /// The same, every entry with a ttl.
    Ttl,
    /// The engine, exact lru.
    Lru,
    /// quick_cache with boxed keys and values.
    QuickCache,
    /// quick_cache with arrays.
    QuickCacheFixed,
}

impl Filled {
    fn argument(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Ttl => "ttl",
            Self::Lru => "lru",
            Self::QuickCache => "quick-cache",
            Self::QuickCacheFixed => "quick-cache-fixed",
        }
    }
}

/// The suite; every figure comes from a fresh process.
pub fn run(rounds: usize, entries: usize) -> Report {
    let measure = |filled: Filled| {
        let arguments = ["overhead-of", filled.argument(), "--entries", &entries.to_string()];
        child::figures(&arguments.map(String::from))[0]
    };
    const SIDES: [Filled; 6] = [
        Filled::Default,
        Filled::Ttl,
        Filled::Lru,
        Filled::QuickCache,
        // A second instance of the peer: the noise.
        Filled::QuickCache,
        Filled::QuickCacheFixed,
    ];
    let mut figures: [Vec<f64>; SIDES.len()] = Default::default();
    for _ in 0..rounds {
        for (figures, side) in figures.iter_mut().zip(SIDES) {
            figures.push(measure(side));
        }
    }
    let [default, ttl, lru, boxed, again, arrays] = figures;
    let noise = Ratio::new(&boxed, &again);
    let boxed = Side::new("quick_cache", boxed);
    let arrays = Side::new("quick_cache, fixed-size types", arrays);
    let row = |label: &str, ours: Vec<f64>, peer: &Side| {
        let ratio = Ratio::new(&ours, &peer.raw);
        Row::new(label, "B/entry", ours).beside(peer.clone(), Some(ratio), Some(noise.clone()))
    };
    Report {
        suite: "M1".into(),
        title: format!(
            "RSS per entry beyond key and value, {entries} entries of 16 B + {VALUE_BYTES} B, no codec \
             (ratio: bytes of Tandem / bytes of the peer)"
        ),
        rows: vec![
            row("default policy", default.clone(), &boxed).judged(Goal::at_most(24.0)),
            row("default policy, with ttl", ttl, &boxed).judged(Goal::at_most(32.0)),
            row("exact lru", lru, &boxed).judged(Goal::at_most(36.0)),
            row("default policy, peer knows all lengths", default, &arrays),
        ],
    }
}

/// The child: fills one cache and returns the overhead in bytes an entry.
///
/// # Panics
/// If an entry was evicted.
pub fn measure(filled: Filled, entries: usize) -> f64 {
    let mut random = Random::new(3);
    let mut value = [0; VALUE_BYTES];
    let before = resident_bytes();
    let held = match filled {
        Filled::Default | Filled::Ttl | Filled::Lru => {
            let policy = if filled == Filled::Lru { PolicyKind::Lru } else { PolicyKind::Default };
            let cache = Tandem::new(policy, 512 << 20);
            let expiry = if filled == Filled::Ttl { Expiry::In(3_600_000) } else { Expiry::Default };
            let options = WriteOptions { expiry, ..WriteOptions::default() };
            for number in 0..entries {
                random.fill(&mut value);
                cache.0.set(&key(number as u64), bytes(&value), &options).expect("a small value fits");
            }
            let held = cache.0.stats().entries as usize;
            report_growth(before, held, entries, cache)
        }
        Filled::QuickCache => {
            let cache = QuickCache::new(roomy_items(entries));
            fill_with_noise(&cache, entries, &mut random);
            report_growth(before, cache.entries(), entries, cache)
        }
        Filled::QuickCacheFixed => {
            let cache = QuickCacheFixed::new(roomy_items(entries));
            fill_with_noise(&cache, entries, &mut random);
            report_growth(before, cache.entries(), entries, cache)
        }
    };
    held - ENTRY_BYTES as f64
}

fn fill_with_noise(cache: &impl Contender, entries: usize, random: &mut Random) {
    let mut value = [0; VALUE_BYTES];
    for number in 0..entries {
        random.fill(&mut value);
        cache.set(&key(number as u64), &value);
    }
}

/// Bytes the process grew by, an entry, while `cache` is still there.
fn report_growth<T>(before: u64, held: usize, entries: usize, cache: T) -> f64 {
    let grown = resident_bytes() - before;
    assert_eq!(held, entries, "the cache was given room for all entries");
    drop(cache);
    grown as f64 / entries as f64
}
