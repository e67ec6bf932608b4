//! What the system knows of this process; `None` where it does not tell.

use std::fs::read_to_string;

/// Resident memory in bytes.
pub(crate) fn resident_bytes() -> Option<u64> {
    let pages = read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse::<u64>().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The most that it ever was.
pub(crate) fn peak_resident_bytes() -> Option<u64> {
    kilobytes(&read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Memory of the machine in bytes.
pub(crate) fn machine_bytes() -> Option<u64> {
    kilobytes(&read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

/// The value of a line such as `MemTotal:  1024 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

/// User and system time in seconds.
pub(crate) fn cpu_seconds() -> Option<(f64, f64)> {
    let stat = read_to_string("/proc/self/stat").ok()?;
    // The name of the process, in parentheses, may hold spaces; user and system time are fields 14 and 15.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let mut next = || Some(fields.next()?.parse::<f64>().ok()? / ticks);
    Some((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_memory_and_time() {
        let resident = resident_bytes().unwrap();
        // The peak is brought up to date now and then: it may lag behind.
        let (peak, machine) = (peak_resident_bytes().unwrap(), machine_bytes().unwrap());
        assert!(resident > 100_000 && peak > 100_000 && machine > peak, "{resident} {peak} {machine}");
        let (user, system) = cpu_seconds().unwrap();
        assert!(user >= 0.0 && system >= 0.0 && user + system < 3_600.0);
    }
}
