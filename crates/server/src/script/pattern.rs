//! Lua 5.1's string patterns, with a look at the time.
//!
//! A pattern with several quantifiers can take exponential time, and a hook of the interpreter does not run while its
//! own library searches; so scripts search with this one.

/// Captures of a pattern, as in Lua.
const MAX_CAPTURES: usize = 32;
/// Nesting of attempts, as in Lua; bounds the native stack.
const MAX_DEPTH: usize = 200;
/// Steps between two looks at the time.
const STEPS_A_LOOK: u32 = 1 << 12;

/// Why a search ended without an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The pattern is wrong; in the words of Lua.
    Malformed(String),
    /// The script has had its time.
    TimeUp,
}

fn malformed<T>(what: &str) -> Result<T, Fault> {
    Err(Fault::Malformed(what.into()))
}

/// What a pair of parentheses holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Open,
    /// `()`: the position itself.
    Position,
    Bytes(usize),
}

#[derive(Debug, Clone, Copy)]
struct Capture {
    start: usize,
    extent: Extent,
}

/// A capture as a script sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Captured<'s> {
    Text(&'s [u8]),
    /// Counted from 1.
    Position(usize),
}

/// A match in the subject.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Match<'s> {
    /// First byte, counted from 0.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
    pub captures: Vec<Captured<'s>>,
}

impl<'s> Match<'s> {
    /// The captures, or the whole match where the pattern has none.
    pub fn captures_or_whole(&self, subject: &'s [u8]) -> Vec<Captured<'s>> {
        if !self.captures.is_empty() {
            return self
                .captures
                .iter()
                .map(|one| match one {
                    Captured::Text(text) => Captured::Text(text),
                    Captured::Position(at) => Captured::Position(*at),
                })
                .collect();
        }
        vec![Captured::Text(&subject[self.start..self.end])]
    }
}

/// A pattern as the library of Lua 5.1 reads it: as a text of C, which ends at its first zero byte.
fn readable(pattern: &[u8]) -> &[u8] {
    let end = pattern.iter().position(|&byte| byte == 0);
    &pattern[..end.unwrap_or(pattern.len())]
}

/// Whether a pattern means itself.
pub(super) fn is_plain(pattern: &[u8]) -> bool {
    !readable(pattern).iter().any(|byte| b"^$*+?.([%-".contains(byte))
}

/// Finds `text` in `subject` from `from` on. `late` is asked now and then whether to give up.
pub(super) fn find_plain(
    subject: &[u8],
    text: &[u8],
    from: usize,
    late: &dyn Fn() -> bool,
) -> Result<Option<usize>, Fault> {
    let mut clock = Clock { steps: 0, late };
    let Some(last) = subject.len().checked_sub(text.len()) else { return Ok(None) };
    for at in from..=last {
        clock.tick()?;
        let same = subject[at..].iter().zip(text).take_while(|(a, b)| a == b).count();
        if same == text.len() {
            return Ok(Some(at));
        }
        clock.steps += (same / 16) as u32;
    }
    Ok(None)
}

/// Finds the first match that begins at `from` or later; with a leading `^` only at `from`. Where `anchors` is false a
/// `^` means itself, as in `gmatch`.
pub(super) fn search<'s>(
    subject: &'s [u8],
    pattern: &[u8],
    from: usize,
    anchors: bool,
    late: &dyn Fn() -> bool,
) -> Result<Option<Match<'s>>, Fault> {
    let pattern = readable(pattern);
    let anchored = anchors && pattern.first() == Some(&b'^');
    let pattern = if anchored { &pattern[1..] } else { pattern };
    let clock = Clock { steps: 0, late };
    let mut matcher = Matcher { subject, pattern, captures: Vec::new(), depth: 0, clock };
    for start in from..=subject.len() {
        matcher.captures.clear();
        if let Some(end) = matcher.at(start, 0)? {
            let captures = matcher.captured()?;
            return Ok(Some(Match { start, end, captures }));
        }
        if anchored {
            break;
        }
    }
    Ok(None)
}

struct Clock<'l> {
    steps: u32,
    late: &'l dyn Fn() -> bool,
}

impl Clock<'_> {
    #[inline]
    fn tick(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps >= STEPS_A_LOOK {
            self.steps = 0;
            if (self.late)() {
                return Err(Fault::TimeUp);
            }
        }
        Ok(())
    }
}

struct Matcher<'s, 'p, 'l> {
    subject: &'s [u8],
    pattern: &'p [u8],
    captures: Vec<Capture>,
    depth: usize,
    clock: Clock<'l>,
}

impl<'s> Matcher<'s, '_, '_> {
    /// Matches the pattern from `p` on at `s`; returns where the match ends.
    fn at(&mut self, s: usize, p: usize) -> Result<Option<usize>, Fault> {
        if self.depth >= MAX_DEPTH {
            return malformed("pattern too complex");
        }
        self.depth += 1;
        let end = self.run(s, p);
        self.depth -= 1;
        end
    }

    fn run(&mut self, mut s: usize, mut p: usize) -> Result<Option<usize>, Fault> {
        loop {
            self.clock.tick()?;
            match self.pattern[p..] {
                [] => return Ok(Some(s)),
                [b'(', b')', ..] => return self.open(s, p + 2, Extent::Position),
                [b'(', ..] => return self.open(s, p + 1, Extent::Open),
                [b')', ..] => return self.close(s, p + 1),
                [b'$'] => return Ok((s == self.subject.len()).then_some(s)),
                [b'%', b'b', ..] => match self.balanced(s, p + 2)? {
                    Some(end) => (s, p) = (end, p + 4),
                    None => return Ok(None),
                },
                [b'%', b'f', ..] => {
                    p += 2;
                    if self.pattern.get(p) != Some(&b'[') {
                        return malformed("missing '[' after '%f' in pattern");
                    }
                    let end = self.item_end(p)?;
                    let before = if s == 0 { 0 } else { self.subject[s - 1] };
                    let here = self.subject.get(s).copied().unwrap_or(0);
                    if self.in_set(before, p, end - 1) || !self.in_set(here, p, end - 1) {
                        return Ok(None);
                    }
                    p = end;
                }
                [b'%', digit @ b'0'..=b'9', ..] => {
                    let text = self.back_reference(digit)?;
                    if !self.subject[s..].starts_with(text) {
                        return Ok(None);
                    }
                    (s, p) = (s + text.len(), p + 2);
                }
                _ => {
                    let end = self.item_end(p)?;
                    let fits = self.fits(s, p, end);
                    match self.pattern.get(end) {
                        Some(b'?') => {
                            if fits && let Some(end) = self.at(s + 1, end + 1)? {
                                return Ok(Some(end));
                            }
                            p = end + 1;
                        }
                        Some(b'*') => return self.longest(s, p, end),
                        Some(b'+') => return if fits { self.longest(s + 1, p, end) } else { Ok(None) },
                        Some(b'-') => return self.shortest(s, p, end),
                        _ if fits => (s, p) = (s + 1, end),
                        _ => return Ok(None),
                    }
                }
            }
        }
    }

    fn longest(&mut self, s: usize, p: usize, end: usize) -> Result<Option<usize>, Fault> {
        let mut count = 0;
        while self.fits(s + count, p, end) {
            self.clock.tick()?;
            count += 1;
        }
        loop {
            if let Some(found) = self.at(s + count, end + 1)? {
                return Ok(Some(found));
            }
            if count == 0 {
                return Ok(None);
            }
            count -= 1;
        }
    }

    fn shortest(&mut self, mut s: usize, p: usize, end: usize) -> Result<Option<usize>, Fault> {
        loop {
            if let Some(found) = self.at(s, end + 1)? {
                return Ok(Some(found));
            }
            if !self.fits(s, p, end) {
                return Ok(None);
            }
            s += 1;
        }
    }

    fn open(&mut self, s: usize, p: usize, extent: Extent) -> Result<Option<usize>, Fault> {
        if self.captures.len() >= MAX_CAPTURES {
            return malformed("too many captures");
        }
        let level = self.captures.len();
        self.captures.push(Capture { start: s, extent });
        let end = self.at(s, p)?;
        if end.is_none() {
            self.captures.truncate(level);
        }
        Ok(end)
    }

    fn close(&mut self, s: usize, p: usize) -> Result<Option<usize>, Fault> {
        let Some(level) = self.captures.iter().rposition(|one| one.extent == Extent::Open) else {
            return malformed("invalid pattern capture");
        };
        self.captures[level].extent = Extent::Bytes(s - self.captures[level].start);
        let end = self.at(s, p)?;
        if end.is_none() {
            self.captures[level].extent = Extent::Open;
        }
        Ok(end)
    }

    /// Where `%bxy` ends, whose two bytes are at `p`.
    fn balanced(&mut self, s: usize, p: usize) -> Result<Option<usize>, Fault> {
        let [opening, closing, ..] = self.pattern[p..] else { return malformed("unbalanced pattern") };
        if self.subject.get(s) != Some(&opening) {
            return Ok(None);
        }
        let mut depth = 1;
        for at in s + 1..self.subject.len() {
            self.clock.tick()?;
            let byte = self.subject[at];
            if byte == closing {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(at + 1));
                }
            } else if byte == opening {
                depth += 1;
            }
        }
        Ok(None)
    }

    fn back_reference(&self, digit: u8) -> Result<&'s [u8], Fault> {
        let capture = digit.checked_sub(b'1').and_then(|level| self.captures.get(usize::from(level)));
        match capture {
            Some(Capture { start, extent: Extent::Bytes(length) }) => Ok(&self.subject[*start..start + length]),
            _ => malformed("invalid capture index"),
        }
    }

    /// The end of the item at `p`: of a byte, a class or a set.
    fn item_end(&self, p: usize) -> Result<usize, Fault> {
        match self.pattern[p] {
            b'%' if p + 1 == self.pattern.len() => malformed("malformed pattern (ends with '%')"),
            b'%' => Ok(p + 2),
            b'[' => {
                let mut at = p + 1 + usize::from(self.pattern.get(p + 1) == Some(&b'^'));
                // A bracket in the first place is a member.
                loop {
                    match self.pattern.get(at) {
                        None => return malformed("malformed pattern (missing ']')"),
                        Some(b'%') => at += 2,
                        Some(_) => at += 1,
                    }
                    if self.pattern.get(at) == Some(&b']') {
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    /// Whether the byte at `s` fits the item from `p` to `end`.
    fn fits(&self, s: usize, p: usize, end: usize) -> bool {
        let Some(&byte) = self.subject.get(s) else { return false };
        match self.pattern[p] {
            b'.' => true,
            b'%' => is_of_class(byte, self.pattern[p + 1]),
            b'[' => self.in_set(byte, p, end - 1),
            literal => literal == byte,
        }
    }

    /// Whether `byte` is in the set whose brackets are at `p` and `end`.
    fn in_set(&self, byte: u8, p: usize, end: usize) -> bool {
        let negated = self.pattern[p + 1] == b'^';
        let mut members = &self.pattern[p + 1 + usize::from(negated)..end];
        loop {
            members = match *members {
                [] => return negated,
                [b'%', class, ..] if is_of_class(byte, class) => return !negated,
                [b'%', _, ref rest @ ..] => rest,
                [from, b'-', to, ref rest @ ..] => {
                    if (from..=to).contains(&byte) {
                        return !negated;
                    }
                    rest
                }
                [member, ..] if member == byte => return !negated,
                [_, ref rest @ ..] => rest,
            };
        }
    }

    fn captured(&self) -> Result<Vec<Captured<'s>>, Fault> {
        let one = |capture: &Capture| match capture.extent {
            Extent::Open => malformed("unfinished capture"),
            Extent::Position => Ok(Captured::Position(capture.start + 1)),
            Extent::Bytes(length) => Ok(Captured::Text(&self.subject[capture.start..capture.start + length])),
        };
        self.captures.iter().map(one).collect()
    }
}

/// Whether `byte` belongs to the class named by a letter; other bytes name themselves.
fn is_of_class(byte: u8, class: u8) -> bool {
    let is = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0B,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    is != class.is_ascii_uppercase()
}
