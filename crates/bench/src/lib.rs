//! A load generator for servers that speak RESP.
//!
//! ```text
//!  run(plan) ── one thread, one epoll; every server has its connections from the beginning to the end
//!    └─ rounds   A B A B ...: a round of one server, then of the next, so that a change of the machine hits all alike
//!         ├─ Workload   which command, which key (even or Zipf), which value
//!         ├─ Link       one connection: requests in flight and when each was due, replies counted as they come
//!         ├─ Storm      where it is asked for: a second thread with connections that come and go
//!         └─ Figures    latencies in a histogram, CPU time of the server's process from before to after
//! ```
//!
//! A *closed* loop sends the next requests of a connection when the replies to the last ones are there: it measures
//! capacity. An *open* loop sends at a fixed rate whatever the server does, and counts a latency from the moment the
//! request was due: it measures what users feel, waiting in line included.

mod error;
mod figures;
mod link;
mod plan;
mod process;
mod progress;
mod replies;
mod round;
mod run;
mod storm;
mod workload;

pub use error::{Error, Result};
pub use figures::{Latency, Report, RoundFigures, ServerReport};
pub use plan::{Length, Operation, Plan, Target, Weight};
pub use progress::Progress;
pub use run::run;
