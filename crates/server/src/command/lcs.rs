//! The longest common subsequence of two values.

use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::ranges::copy_shown;
use super::strings::BASE;
use super::{Command, Context, Flag, Keys, refusal};

/// `LCS`, a member of the family of [`super::ranges`].
pub(super) const LCS: Command = Command {
    name: "lcs",
    syntax: "LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    summary: "Find the longest common subsequence",
    since: "7.0.0",
    complexity: "O(N*M) where N and M are the lengths of s1 and s2, respectively",
    arity: -3,
    flags: &[Flag::ReadOnly],
    keys: Keys { first: 1, last: 2, step: 1 },
    run: lcs,
    ..BASE
};

/// Largest product of both lengths: a few hundredths of a second of work on a table of 32 MiB. The shorter value then has
/// at most 4,096 bytes, so that two bytes hold every length in the table.
const MAX_CELLS: usize = 1 << 24;

#[derive(Default)]
struct Options {
    length: bool,
    positions: bool,
    with_match_length: bool,
    /// Shorter matches are not shown.
    min_match: i64,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, &'static str> {
        let mut options = Self::default();
        let mut at = 0;
        while at < args.len() {
            match args[at].to_ascii_lowercase().as_slice() {
                b"len" => options.length = true,
                b"idx" => options.positions = true,
                b"withmatchlen" => options.with_match_length = true,
                b"minmatchlen" if at + 1 < args.len() => {
                    at += 1;
                    options.min_match = parse_i64(&args[at]).ok_or(refusal::NOT_INTEGER)?;
                }
                _ => return Err(refusal::SYNTAX),
            }
            at += 1;
        }
        if options.length && options.positions {
            return Err("ERR If you want both the length and indexes, please just use IDX.");
        }
        Ok(options)
    }
}

fn lcs(context: &mut Context<'_>, args: Args<'_>) {
    let (Ok(a), Ok(b)) = (copy_shown(context, &args[1]), copy_shown(context, &args[2])) else {
        return context.error("ERR The specified keys must contain string values");
    };
    let options = match Options::parse(args.skip(3)) {
        Ok(options) => options,
        Err(message) => return context.error(message),
    };
    if a.len().saturating_mul(b.len()) > MAX_CELLS {
        return context.error(format_args!(
            "ERR values of {} and {} bytes are too long for LCS: the product of their lengths may be {MAX_CELLS}",
            a.len(),
            b.len()
        ));
    }
    let table = Table::new(&a, &b);
    let protocol = context.client.protocol;
    let out = context.output.bytes();
    if options.positions {
        let mut runs = table.runs();
        runs.retain(|run| run.length as i64 >= options.min_match);
        reply::map(out, protocol, 2);
        reply::bulk(out, b"matches");
        reply::array(out, runs.len());
        for run in &runs {
            reply::array(out, 2 + usize::from(options.with_match_length));
            for start in [run.in_a, run.in_b] {
                reply::array(out, 2);
                reply::integer(out, start as i64);
                reply::integer(out, (start + run.length - 1) as i64);
            }
            if options.with_match_length {
                reply::integer(out, run.length as i64);
            }
        }
        reply::bulk(out, b"len");
        reply::integer(out, table.length() as i64);
    } else if options.length {
        reply::integer(out, table.length() as i64);
    } else {
        let common: Vec<u8> =
            table.runs().iter().rev().flat_map(|run| &a[run.in_a..run.in_a + run.length]).copied().collect();
        reply::bulk(out, &common);
    }
}

/// Bytes that follow each other in both values.
struct Run {
    in_a: usize,
    in_b: usize,
    length: usize,
}

/// The length of the longest common subsequence of each pair of beginnings of `a` and `b`.
///
/// Wagner and Fischer, "The string-to-string correction problem", JACM 1974.
struct Table<'a> {
    a: &'a [u8],
    b: &'a [u8],
    lengths: Vec<u16>,
}

impl<'a> Table<'a> {
    fn new(a: &'a [u8], b: &'a [u8]) -> Self {
        let width = b.len() + 1;
        let mut lengths = vec![0_u16; (a.len() + 1) * width];
        for (row, byte) in a.iter().enumerate() {
            let (above, here) = lengths[row * width..(row + 2) * width].split_at_mut(width);
            for (column, other) in b.iter().enumerate() {
                here[column + 1] = if byte == other { above[column] + 1 } else { above[column + 1].max(here[column]) };
            }
        }
        Self { a, b, lengths }
    }

    fn at(&self, in_a: usize, in_b: usize) -> u16 {
        self.lengths[in_a * (self.b.len() + 1) + in_b]
    }

    fn length(&self) -> u16 {
        self.at(self.a.len(), self.b.len())
    }

    /// The runs that make up one such subsequence, the last one first; where several are equally long, Redis' choice.
    fn runs(&self) -> Vec<Run> {
        let (mut in_a, mut in_b) = (self.a.len(), self.b.len());
        let mut runs: Vec<Run> = Vec::new();
        let mut in_run = false;
        while in_a > 0 && in_b > 0 {
            if self.a[in_a - 1] == self.b[in_b - 1] {
                (in_a, in_b) = (in_a - 1, in_b - 1);
                match runs.last_mut() {
                    Some(run) if in_run => *run = Run { in_a, in_b, length: run.length + 1 },
                    _ => runs.push(Run { in_a, in_b, length: 1 }),
                }
                in_run = true;
            } else {
                in_run = false;
                if self.at(in_a - 1, in_b) > self.at(in_a, in_b - 1) {
                    in_a -= 1;
                } else {
                    in_b -= 1;
                }
            }
        }
        runs
    }
}
