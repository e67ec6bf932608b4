//! Memory is measured in a process of its own for every figure: freed memory of one would hide the need of the next.

use std::process::{Command, Stdio};

/// Runs this program with `arguments` and returns the figures on its only line of output.
///
/// # Panics
/// If the child fails, with its arguments.
pub fn figures(arguments: &[String]) -> Vec<f64> {
    let program = std::env::current_exe().expect("the path of this program is known");
    let output =
        Command::new(program).args(arguments).stderr(Stdio::inherit()).output().expect("this program can be started");
    assert!(output.status.success(), "the child process `{}` failed", arguments.join(" "));
    let text = String::from_utf8(output.stdout).expect("a child prints text");
    text.split_whitespace().map(|word| word.parse().expect("a child prints numbers")).collect()
}

/// Resident bytes of this process.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages: u64 = statm.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("statm has a second number");
    // SAFETY: sysconf has no preconditions.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64
}
