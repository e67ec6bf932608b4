//! Every planted defect is found by the simulator, which proves that what it checks can fail.

#[path = "../simulation/mod.rs"]
mod simulation;

use tandem_cluster::{Defect, Rules};

/// Seeds within which a defect has to be found.
const SEEDS: u64 = 1_000;

const DEFECTS: [Defect; 12] = [
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

#[test]
fn every_planted_defect_is_found() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let missed: Vec<Defect> = DEFECTS
        .into_iter()
        .filter(|&defect| {
            let rules = Rules { planted: Some(defect), ..Rules::default() };
            let report = simulation::run(0, SEEDS, &rules, threads, 1);
            println!("{defect:?}: {} seeds, {:?}", report.seeds, report.failures.first());
            report.failures.is_empty()
        })
        .collect();
    assert_eq!(missed, []);
}
