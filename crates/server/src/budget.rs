//! The time that a script or a transaction may take.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Runs out once a thread has worked for a given time.
///
/// The first half is taken by the wall clock, which is read in nanoseconds, and only what is still there after it, which
/// is rare, by the thread's processor time, which takes a system call. So work that is never interrupted has exactly its
/// time, and work that the machine interrupts, for as long as it likes, has at least half of it.
#[derive(Debug)]
pub(crate) struct Budget {
    half: Cell<Duration>,
    /// Before this moment it cannot have run out.
    look_at: Cell<Instant>,
    /// The processor time of the thread at which it has; unknown during the first half.
    ends_at: Cell<Option<Duration>>,
}

impl Budget {
    /// A budget of `time` for the calling thread, from now on.
    pub fn start(time: Duration) -> Self {
        let half = time / 2;
        Self { half: half.into(), look_at: (Instant::now() + half).into(), ends_at: None.into() }
    }

    /// The same anew.
    pub fn restart(&self, time: Duration) {
        self.half.set(time / 2);
        self.look_at.set(Instant::now() + time / 2);
        self.ends_at.set(None);
    }

    /// Whether the time is over. To be asked on the thread that the budget was started on.
    pub fn is_spent(&self) -> bool {
        let now = Instant::now();
        if now < self.look_at.get() {
            return false;
        }
        let worked = processor_time();
        let ends_at = self.ends_at.get().unwrap_or(worked + self.half.get());
        self.ends_at.set(Some(ends_at));
        // A thread does not work for longer than time passes.
        self.look_at.set(now + ends_at.saturating_sub(worked));
        worked >= ends_at
    }
}

/// How long this thread has been run by the machine.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_millis(20);

    /// Works until the budget is spent; returns the processor time that it took.
    fn work(budget: &Budget) -> Duration {
        let begun = processor_time();
        while !budget.is_spent() {}
        processor_time() - begun
    }

    #[test]
    fn work_has_its_time_and_no_more() {
        let (begun, budget) = (Instant::now(), Budget::start(TIME));
        let worked = work(&budget);
        assert!(begun.elapsed() >= TIME, "{:?}", begun.elapsed());
        assert!(worked < TIME + TIME / 4, "{worked:?}");
        assert!(budget.is_spent(), "it stays so");
        budget.restart(TIME);
        assert!(!budget.is_spent());
    }

    #[test]
    fn what_the_thread_could_not_use_is_not_lost() {
        let budget = Budget::start(TIME);
        std::thread::sleep(TIME * 3);
        assert!(!budget.is_spent());
        std::thread::sleep(TIME * 3);
        let worked = work(&budget);
        assert!(worked >= TIME / 3 && worked < TIME, "{worked:?}");
    }

    #[test]
    fn none_is_spent_at_once() {
        assert!(Budget::start(Duration::ZERO).is_spent());
    }
}
