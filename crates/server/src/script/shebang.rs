//! The first line of a script that says what it is: `#!lua flags=no-writes,allow-stale`.

/// All flags there are. Those that are about replicas, clusters and a full server change nothing here.
const FLAGS: [&str; 5] = [NO_WRITES, "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"];
const NO_WRITES: &str = "no-writes";

/// What the line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shebang {
    /// Length in bytes, without the line break; 0 where there is no such line.
    pub length: usize,
    /// The script may not write.
    pub no_writes: bool,
}

impl Shebang {
    /// Reads the first line.
    ///
    /// # Errors
    /// What is wrong with it, in Redis' words.
    pub fn of(source: &[u8]) -> Result<Self, String> {
        if !source.starts_with(b"#!") {
            return Ok(Self::default());
        }
        let Some(length) = source.iter().position(|&byte| byte == b'\n') else {
            return Err("ERR Invalid script shebang".into());
        };
        let line = String::from_utf8_lossy(&source[..length]);
        let mut words = line.split_ascii_whitespace();
        let engine = words.next().unwrap_or_default();
        if engine != "#!lua" {
            return Err(format!("ERR Unexpected engine in script shebang: {engine}"));
        }
        let mut no_writes = false;
        for word in words {
            let Some(flags) = word.strip_prefix("flags=") else {
                return Err(format!("ERR Unknown lua shebang option: {word}"));
            };
            for flag in flags.split(',').filter(|_| !flags.is_empty()) {
                if !FLAGS.contains(&flag) {
                    return Err(format!("ERR Unexpected flag in script shebang: {flag}"));
                }
                no_writes |= flag == NO_WRITES;
            }
        }
        Ok(Self { length, no_writes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_read_or_refused() {
        for (source, shebang) in [
            ("return 1", Shebang::default()),
            ("#!lua\nreturn 1", Shebang { length: 5, no_writes: false }),
            ("#!lua flags=\n", Shebang { length: 12, no_writes: false }),
            ("#!lua  flags=allow-stale,no-writes\n", Shebang { length: 34, no_writes: true }),
        ] {
            assert_eq!(Shebang::of(source.as_bytes()), Ok(shebang), "{source}");
        }
        for (source, error) in [
            ("#!lua", "ERR Invalid script shebang"),
            ("#!python\n", "ERR Unexpected engine in script shebang: #!python"),
            ("#!lua name=x\n", "ERR Unknown lua shebang option: name=x"),
            ("#!lua flags=no-writes,x\n", "ERR Unexpected flag in script shebang: x"),
        ] {
            assert_eq!(Shebang::of(source.as_bytes()), Err(error.into()), "{source}");
        }
    }
}
