//! A thousand seeds of the simulator: nothing is wrong in any of them, and every fault and state occurs.

#[path = "../simulation/mod.rs"]
mod simulation;

#[cfg(feature = "planted")]
use tandem_cluster::Defect;
use tandem_cluster::Rules;

#[test]
fn a_thousand_seeds_keep_every_promise() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let report = simulation::run(0, 1_000, &Rules::default(), threads, 3);
    assert_eq!(report.failures, []);
    assert_eq!(report.coverage.missing(), Vec::<String>::new());
    assert_eq!(report.seeds, 1_000);
}

#[test]
fn a_seed_always_runs_the_same_way() {
    let seen = |seed| {
        let (coverage, violation) = simulation::run_one(seed, &Rules::default(), false);
        (coverage.frames, coverage.acknowledged, coverage.pairs, violation)
    };
    for seed in 0..20 {
        assert_eq!(seen(seed), seen(seed));
    }
}

/// Each is found within a thousand seeds, which proves that what the simulator checks can fail.
#[cfg(feature = "planted")]
#[test]
fn every_planted_defect_is_found() {
    let defects = [
        Defect::AcknowledgeEarly,
        Defect::SoloAfterOwnGap,
        Defect::IgnoreTerm,
        Defect::EmptyAnswers,
        Defect::MergeByArrival,
        Defect::MergeForFollow,
        Defect::ForgetFloor,
        Defect::ResetIsDeath,
        Defect::SoloUnconfirmed,
        Defect::ReuseIncarnation,
        Defect::WrongDirtyBit,
        Defect::LostCredit,
    ];
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let is_missed = |defect: &Defect| {
        let rules = Rules { planted: Some(*defect), ..Rules::default() };
        let report = simulation::run(0, 1_000, &rules, threads, 1);
        println!("{defect:?}: {:?}", report.failures.first());
        report.failures.is_empty()
    };
    assert_eq!(defects.into_iter().filter(is_missed).collect::<Vec<_>>(), []);
}
