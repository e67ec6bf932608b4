//! The table of reference hit ratios on real traces, through the real engine with one shard. `npm run test:peers` runs
//! it where `TANDEM_TRACES` names the folder of the traces; `generated.rs` needs none.

mod files;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use files::{TraceFile, read_all};
use tandem_engine::PolicyKind;
use tandem_replay::{Bound, Format, Progress, Settings, Where, replay};

/// One cell: entries, and hit percentages of LRU, S3-FIFO (small queue 10 %) and W-TinyLFU (window 1 %).
struct Cell(u64, f64, f64, f64);

const TABLE: [(&str, Format, &[Cell]); 8] = [
    (
        "arc-OLTP.lis.zst",
        Format::Arc,
        &[
            Cell(250, 16.47, 21.65, 22.52),
            Cell(1000, 32.83, 40.81, 35.67),
            Cell(2000, 42.47, 46.97, 42.01),
            Cell(8192, 58.86, 60.71, 57.64),
        ],
    ),
    ("lirs-gli.trace.gz", Format::Lirs, &[Cell(500, 0.95, 16.13, 33.18), Cell(1000, 11.21, 35.05, 50.44)]),
    ("lirs-loop.trace.gz", Format::Lirs, &[Cell(512, 0.00, 0.00, 49.98)]),
    ("lirs-multi3.trace.gz", Format::Lirs, &[Cell(600, 33.65, 43.70, 44.29), Cell(1200, 41.21, 45.47, 52.65)]),
    ("lirs-sprite.trace.gz", Format::Lirs, &[Cell(600, 83.19, 83.18, 77.92)]),
    ("cache2k-web12.trace.xz", Format::Cache2k, &[Cell(300, 49.01, 53.35, 48.77), Cell(1200, 66.85, 70.88, 69.48)]),
    ("cache2k-orm-busy.trace.xz", Format::Cache2k, &[Cell(1250, 79.60, 79.15, 65.90), Cell(4096, 84.56, 85.62, 80.98)]),
    ("corda-vaultservice.trace.gz", Format::Corda, &[Cell(512, 33.33, 33.33, 0.94)]),
];

/// Corda's trace, five times the loop, Corda's trace again.
const CHANGING: Cell = Cell(512, 3.23, 3.23, 45.23);

fn hit_percentage(path: &Path, format: Format, entries: u64, policy: PolicyKind) -> f64 {
    let settings = Settings {
        path: path.to_owned(),
        format,
        target: Where::Embedded { bound: Bound::Entries(entries), policy, shards: Some(1) },
        seed: 1,
        payload_bytes: 100,
    };
    100.0 * replay(&settings, &Arc::new(Progress::default())).unwrap().hit_ratio()
}

/// Adds what is wrong with a cell to `wrong`.
fn check(name: &str, path: &Path, format: Format, cell: &Cell, wrong: &mut Vec<String>) {
    let Cell(entries, lru, s3_fifo, w_tinylfu) = *cell;
    let measured = hit_percentage(path, format, entries, PolicyKind::Lru);
    if (measured - lru).abs() > 0.05 {
        wrong.push(format!("{name} @{entries}: lru {measured:.2}, reference {lru:.2}"));
    }
    let measured = hit_percentage(path, format, entries, PolicyKind::Default);
    let best = lru.max(s3_fifo).max(w_tinylfu);
    println!(
        "{name:30} @{entries:5} {measured:6.2}  to S3-FIFO {:+6.2}  to the best {:+6.2}",
        measured - s3_fifo,
        measured - best
    );
    if measured < best - 1.0 {
        wrong.push(format!("{name} @{entries}: default {measured:.2}, best of the references {best:.2}"));
    }
}

fn changing_trace(folder: &Path) -> TraceFile {
    let keys = |name: &str, format| {
        let (requests, error) = read_all(&folder.join(name), format);
        assert!(error.is_none(), "{error:?}");
        requests
    };
    let corda = keys("corda-vaultservice.trace.gz", Format::Corda);
    let looped = keys("lirs-loop.trace.gz", Format::Lirs);
    let parts = std::iter::once(&corda).chain(std::iter::repeat_n(&looped, 5)).chain(std::iter::once(&corda));
    let mut text = Vec::new();
    for request in parts.flatten() {
        text.write_all(&request.key).unwrap();
        text.push(b'\n');
    }
    TraceFile::new(&text)
}

#[test]
#[ignore = "needs TANDEM_TRACES"]
fn every_cell_of_the_table() {
    let folder =
        PathBuf::from(std::env::var_os("TANDEM_TRACES").expect("TANDEM_TRACES names the folder of the traces"));
    let mut wrong = Vec::new();
    for (name, format, cells) in TABLE {
        for cell in cells {
            check(name, &folder.join(name), format, cell, &mut wrong);
        }
    }
    check("corda, 5 loops, corda", changing_trace(&folder).path(), Format::Lirs, &CHANGING, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
