//! CPU time of a process, where the system tells.

use std::fs;

/// CPU time that `pid` has used so far, in nanoseconds: of the threads that live now, or to a hundredth of a second of
/// all there ever were. `None` where the process is gone or not ours to look at.
pub(crate) fn cpu_ns(pid: u32) -> Option<u64> {
    threads_ns(pid).or_else(|| ticks_ns(pid))
}

/// CPU time that the calling thread has used so far, in nanoseconds; `None` where the system does not tell.
pub(crate) fn own_thread_ns() -> Option<u64> {
    time_on_cpu(&fs::read_to_string("/proc/thread-self/schedstat").ok()?)
}

/// The first field of `schedstat` is the time on a CPU in nanoseconds. Kernels may be built without.
fn threads_ns(pid: u32) -> Option<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        // A thread may end while we look.
        let Ok(text) = fs::read_to_string(task.ok()?.path().join("schedstat")) else { continue };
        sum += time_on_cpu(&text)?;
    }
    (sum > 0).then_some(sum)
}

fn time_on_cpu(schedstat: &str) -> Option<u64> {
    schedstat.split_ascii_whitespace().next()?.parse().ok()
}

/// User and system time are fields 14 and 15 of `stat`, in hundredths of a second on every Linux.
fn ticks_ns(pid: u32) -> Option<u64> {
    const TICK_NS: u64 = 10_000_000;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the process, in parentheses, may hold spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some((next()? + next()?) * TICK_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_in_both_sources() {
        let pid = std::process::id();
        let before = (threads_ns(pid), ticks_ns(pid).unwrap());
        let begun = std::time::Instant::now();
        while ticks_ns(pid).unwrap() == before.1 {
            assert!(begun.elapsed().as_secs() < 60, "no time passed");
        }
        if let Some(earlier) = before.0 {
            assert!(threads_ns(pid).unwrap() > earlier);
            assert!(own_thread_ns().unwrap() > 0);
        }
    }

    #[test]
    fn a_process_there_is_not_has_none() {
        assert_eq!(cpu_ns(u32::MAX), None);
    }
}
