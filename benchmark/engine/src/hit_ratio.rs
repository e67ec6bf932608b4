//! Hit ratios on the reference traces, through the engine, beside published policies.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tandem_engine::{Cache, Compression, Error, Options, PolicyKind, ReadMode, WriteOptions};
use tandem_replay::{Format, Progress, Request, Requests};

use crate::report::{Goal, Report, Row};
use crate::sides::bytes;
use crate::workload::{Random, VALUE_BYTES};

/// Hit percentages of other policies, from a plain simulation that counts objects.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct References {
    lru: f64,
    sieve: f64,
    s3_fifo: f64,
    w_tiny_lfu: f64,
    opt: f64,
}

impl References {
    const fn new(lru: f64, sieve: f64, s3_fifo: f64, w_tiny_lfu: f64, opt: f64) -> Self {
        Self { lru, sieve, s3_fifo, w_tiny_lfu, opt }
    }

    fn best(&self) -> f64 {
        self.lru.max(self.s3_fifo).max(self.w_tiny_lfu)
    }
}

/// The same for a cell bounded by bytes, of objects or of bytes.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ByteReferences {
    lru: f64,
    s3_fifo: f64,
}

/// What a row of this suite is compared with.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Compared {
    /// A cell bounded by entries.
    ByEntries(References),
    /// A cell bounded by bytes.
    ByBytes(ByteReferences),
}

type Part = (&'static str, Format);

/// A trace, its name, and the cells measured on it.
type Trace = (&'static str, &'static [Part], &'static [(u64, References)]);

const CORDA: Part = ("corda-vaultservice.trace.gz", Format::Corda);
const LOOP: Part = ("lirs-loop.trace.gz", Format::Lirs);

const BY_ENTRIES: [Trace; 9] = [
    (
        "arc-OLTP",
        &[("arc-OLTP.lis.zst", Format::Arc)],
        &[
            (250, References::new(16.47, 11.81, 21.65, 22.52, 38.43)),
            (1000, References::new(32.83, 32.56, 40.81, 35.67, 53.61)),
            (2000, References::new(42.47, 41.19, 46.97, 42.01, 60.40)),
            (8192, References::new(58.86, 58.14, 60.71, 57.64, 71.72)),
        ],
    ),
    (
        "lirs-gli",
        &[("lirs-gli.trace.gz", Format::Lirs)],
        &[
            (500, References::new(0.95, 1.38, 16.13, 33.18, 34.26)),
            (1000, References::new(11.21, 31.34, 35.05, 50.44, 53.13)),
        ],
    ),
    ("lirs-loop", &[LOOP], &[(512, References::new(0.00, 0.00, 0.00, 49.98, 50.54))]),
    (
        "lirs-multi3",
        &[("lirs-multi3.trace.gz", Format::Lirs)],
        &[
            (600, References::new(33.65, 33.42, 43.70, 44.29, 50.54)),
            (1200, References::new(41.21, 45.10, 45.47, 52.65, 58.93)),
        ],
    ),
    (
        "lirs-sprite",
        &[("lirs-sprite.trace.gz", Format::Lirs)],
        &[(600, References::new(83.19, 77.78, 83.18, 77.92, 89.95))],
    ),
    (
        "cache2k-web12",
        &[("cache2k-web12.trace.xz", Format::Cache2k)],
        &[
            (300, References::new(49.01, 51.84, 53.35, 48.77, 66.83)),
            (1200, References::new(66.85, 70.18, 70.88, 69.48, 79.12)),
        ],
    ),
    (
        "cache2k-orm-busy",
        &[("cache2k-orm-busy.trace.xz", Format::Cache2k)],
        &[
            (1250, References::new(79.60, 77.11, 79.15, 65.90, 85.15)),
            (4096, References::new(84.56, 84.11, 85.62, 80.98, 90.51)),
        ],
    ),
    ("corda", &[CORDA], &[(512, References::new(33.33, 0.38, 33.33, 0.94, 33.33))]),
    (
        "corda, 5 loops, corda",
        &[CORDA, LOOP, LOOP, LOOP, LOOP, LOOP, CORDA],
        &[(512, References::new(3.23, 0.05, 3.23, 45.23, 48.91))],
    ),
];

/// Numbers of shards the default policy is measured with, besides one. A cache has 8 by default from 128 MiB, and 64
/// from 1 GiB; one of so few entries as the cells hold has a single shard. Every shard sees its part of the requests.
const SHARDS: [usize; 2] = [8, 64];

/// A cell bounded by bytes: capacity, and object and byte hit percentages of LRU and of S3-FIFO.
type ByteCell = (u64, [f64; 2], [f64; 2]);

const BY_BYTES: [(&str, Part, &[ByteCell]); 2] = [
    (
        "adaptsize",
        ("adaptsize-request.trace.xz", Format::Adaptsize),
        &[
            (2_800_000, [24.61, 27.62], [27.58, 29.76]),
            (16_000_000, [31.98, 33.36], [35.91, 36.29]),
            (64_000_000, [39.40, 38.66], [40.67, 39.56]),
        ],
    ),
    (
        "cloudphysics-io",
        ("cloudphysics-io.oracleGeneral.bin", Format::OracleGeneral),
        &[(200_000_000, [18.97, 4.75], [26.20, 13.54]), (500_000_000, [27.93, 15.69], [32.61, 24.69])],
    ),
];

/// The suite, over the traces in `folder` whose name begins with `only`.
///
/// # Errors
/// A message naming the trace that cannot be read.
pub fn run(folder: &Path, only: &str) -> Result<Report, String> {
    let mut rows = Vec::new();
    for (name, parts, cells) in BY_ENTRIES.into_iter().filter(|(name, ..)| name.starts_with(only)) {
        for &(entries, references) in cells {
            let measure = |policy, shards| -> Result<Hits, String> {
                hits(folder, parts, Bound::Entries(entries), policy, shards)
            };
            let default = measure(PolicyKind::Default, Some(1))?;
            let sharded =
                [measure(PolicyKind::Default, Some(SHARDS[0]))?, measure(PolicyKind::Default, Some(SHARDS[1]))?];
            let lru = measure(PolicyKind::Lru, Some(1))?;
            let label = format!("{name} @{entries}");
            let mut row = Row::new(&label, "% hits", vec![default.objects])
                .judged(Goal::at_least(references.best() - 1.0))
                .noting(format!(
                    "LRU {} S3-FIFO {} W-TinyLFU {} OPT {}; in {} shards {:.2}, in {} shards {:.2}",
                    references.lru,
                    references.s3_fifo,
                    references.w_tiny_lfu,
                    references.opt,
                    SHARDS[0],
                    sharded[0].objects,
                    SHARDS[1],
                    sharded[1].objects
                ));
            row.references = Some(Compared::ByEntries(references));
            row.sharded = Some(sharded.map(|hits| hits.objects));
            rows.push(row);
            let distance = (lru.objects - references.lru).abs();
            rows.push(
                Row::new(format!("{label}, lru: off the reference"), "points", vec![distance])
                    .judged(Goal::at_most(0.05)),
            );
        }
    }
    for (name, part, cells) in BY_BYTES.into_iter().filter(|(name, ..)| name.starts_with(only)) {
        for &(bytes, lru, s3_fifo) in cells {
            let found = hits(folder, &[part], Bound::Cost(bytes), PolicyKind::Default, Some(1))?;
            let exact = hits(folder, &[part], Bound::Cost(bytes), PolicyKind::Lru, Some(1))?;
            let label = format!("{name} @{} MB", bytes as f64 / 1e6);
            let row = |what: &str, at: usize, found: f64, exact: f64, goal: f64| {
                let (lru, s3_fifo) = (lru[at], s3_fifo[at]);
                let mut row = Row::new(format!("{label}, {what}"), "% hits", vec![found])
                    .judged(Goal::at_least(s3_fifo + goal))
                    .noting(format!("references: LRU {lru}, S3-FIFO {s3_fifo}; our lru {exact:.2}"));
                row.references = Some(Compared::ByBytes(ByteReferences { lru, s3_fifo }));
                row
            };
            rows.push(row("objects", 0, found.objects, exact.objects, 3.0));
            rows.push(row("bytes", 1, found.bytes, exact.bytes, -1.0));
        }
    }
    Ok(Report {
        suite: "H".into(),
        title: "hit ratios on the reference traces (goal: within 1 point of the best of LRU, S3-FIFO, W-TinyLFU)"
            .into(),
        rows,
    })
}

enum Bound {
    Entries(u64),
    /// Sizes of objects count as costs.
    Cost(u64),
}

/// Hit percentages.
struct Hits {
    objects: f64,
    bytes: f64,
}

/// Replays `parts` one after the other through one cache.
fn hits(
    folder: &Path,
    parts: &[Part],
    bound: Bound,
    policy: PolicyKind,
    shards: Option<usize>,
) -> Result<Hits, String> {
    let (max_entries, max_cost) = match bound {
        Bound::Entries(entries) => (Some(entries), None),
        Bound::Cost(cost) => (None, Some(cost)),
    };
    let cache = Cache::new(Options {
        max_bytes: 256 << 20,
        max_entries,
        max_cost,
        policy,
        shards,
        compression: Compression::None,
        seed: Some(1),
        ..Options::default()
    })
    .map_err(|error| error.to_string())?;
    let mut payload = [0; VALUE_BYTES];
    Random::new(1).fill(&mut payload);
    let (mut asked, mut found) = ([0u64; 2], [0u64; 2]);
    for (part, (file, format)) in parts.iter().enumerate() {
        // The same number in two traces is not the same key.
        let space = if *format == LOOP.1 && part > 0 { b'l' } else { b'c' };
        let path = folder.join(file);
        let mut requests =
            Requests::open(&path, *format, &Arc::new(Progress::default())).map_err(|error| error.to_string())?;
        let mut request = Request::default();
        while requests.next(&mut request).map_err(|error| error.to_string())? {
            let size = request.size.unwrap_or(1);
            request.key.push(space);
            asked = [asked[0] + 1, asked[1] + size];
            if cache.read(&request.key, ReadMode::Use, |_| ()).is_some() {
                found = [found[0] + 1, found[1] + size];
                continue;
            }
            let options = WriteOptions { cost: max_cost.map(|_| size.max(1)), ..WriteOptions::default() };
            match cache.set(&request.key, bytes(&payload), &options) {
                // What is larger than the cache is not admitted.
                Ok(_) | Err(Error::TooLarge { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
    let percent = |at: usize| 100.0 * found[at] as f64 / asked[at] as f64;
    Ok(Hits { objects: percent(0), bytes: percent(1) })
}
