//! Measures the engine beside other caches. The program runs suites; `benches/` holds what criterion measures.

mod child;
pub mod hit_ratio;
pub mod overhead;
pub mod overhead_by_size;
pub mod pause;
pub mod report;
pub mod scaling;
pub mod sides;
pub mod speed;
pub mod utilisation;
pub mod workload;
