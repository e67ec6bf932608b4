//! M4: how much of the memory of a full, churning cache is live keys and values.

use tandem_engine::{PolicyKind, WriteOptions};

use crate::child::{figures, resident_bytes};
use crate::report::{Goal, Report, Row};
use crate::sides::{Tandem, bytes};
use crate::workload::{KEY_BYTES, Random, key};

/// Goals of the default policy and of exact lru, by bytes of key and value.
const CELLS: [(usize, f64, f64); 2] = [(116, 0.72, 0.62), (1024, 0.88, 0.78)];

/// The suite; every figure comes from a fresh process.
pub fn run(rounds: usize, max_bytes: u64) -> Report {
    let rows = [(PolicyKind::Default, "default policy"), (PolicyKind::Lru, "exact lru")]
        .into_iter()
        .flat_map(|(policy, name)| CELLS.map(|(entry, goal, lru_goal)| (policy, name, entry, goal, lru_goal)))
        .map(|(policy, name, entry, goal, lru_goal)| {
            let lru = policy == PolicyKind::Lru;
            let kind = if lru { "lru" } else { "default" };
            let arguments =
                ["utilisation-of", kind, "--entry-bytes", &entry.to_string(), "--max-bytes", &max_bytes.to_string()]
                    .map(String::from);
            let measured: Vec<Vec<f64>> = (0..rounds).map(|_| figures(&arguments)).collect();
            let column = |at: usize| measured.iter().map(|figures| figures[at]).collect::<Vec<f64>>();
            let over = crate::report::median(&column(1));
            Row::new(format!("{name}, entries of {entry} B"), "live/RSS", column(0))
                .noise_between_rounds()
                .judged(Goal::at_least(if lru { lru_goal } else { goal }))
                .noting(format!("RSS grown / maxBytes {over:.3}"))
        })
        .collect();
    Report {
        suite: "M4".into(),
        title: format!(
            "live key + value bytes over RSS grown: {} MiB cache, 3 x its capacity written, 30 % overwrites",
            max_bytes >> 20
        ),
        rows,
    }
}

/// The child: churns one cache; returns live bytes over RSS grown, and RSS grown over `max_bytes`.
pub fn measure(policy: PolicyKind, entry_bytes: usize, max_bytes: u64) -> [f64; 2] {
    let mut random = Random::new(5);
    let mut value = vec![0; entry_bytes - KEY_BYTES];
    let before = resident_bytes();
    let cache = Tandem::new(policy, max_bytes).0;
    let capacity = max_bytes / entry_bytes as u64;
    let mut inserted = 0;
    for _ in 0..3 * capacity {
        // Overwrites fall on the newer half of what fits, nearly all of which is live.
        let number = if inserted > 0 && random.below(100) < 30 {
            inserted - 1 - random.below(inserted.min(capacity / 2))
        } else {
            inserted += 1;
            inserted - 1
        };
        random.fill(&mut value);
        cache.set(&key(number), bytes(&value), &WriteOptions::default()).expect("a small value fits");
    }
    let grown = (resident_bytes() - before) as f64;
    let stats = cache.stats();
    // Counted, not believed: what a scan finds is what is live.
    let (mut cursor, mut found) = (0, Vec::new());
    let mut live = 0;
    loop {
        cursor = cache.scan(cursor, &mut found);
        live += found.len() as u64;
        found.clear();
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(live, stats.entries, "a scan finds every entry once");
    [(live * entry_bytes as u64) as f64 / grown, grown / max_bytes as f64]
}
