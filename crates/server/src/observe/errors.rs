//! Errors that were answered, by their code.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// Codes that are told apart; those of further ones count together.
const MAX_CODES: usize = 128;
const MAX_CODE_BYTES: usize = 32;
const OTHER: &str = "OTHER";

/// Errors by their code, the first word of the answer.
#[derive(Default)]
pub(crate) struct Errors(Mutex<BTreeMap<String, u64>>);

impl Errors {
    /// Counts an answer, which begins behind its `-`.
    pub fn count(&self, answer: &[u8]) {
        let end = answer.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(answer.len());
        let code = std::str::from_utf8(&answer[..end.min(MAX_CODE_BYTES)]).unwrap_or(OTHER);
        let mut counts = self.0.lock();
        if let Some(count) = counts.get_mut(code) {
            *count += 1;
            return;
        }
        let code = if counts.len() < MAX_CODES { code } else { OTHER };
        *counts.entry(code.to_owned()).or_default() += 1;
    }

    pub fn all(&self) -> BTreeMap<String, u64> {
        self.0.lock().clone()
    }

    pub fn reset(&self) {
        self.0.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_count_by_their_first_word() {
        let errors = Errors::default();
        for answer in [&b"ERR syntax error\r\n"[..], b"ERR\r\n", b"WRONGTYPE Operation", b"", b"\xFF"] {
            errors.count(answer);
        }
        let all: Vec<(String, u64)> = errors.all().into_iter().collect();
        assert_eq!(all, [(String::new(), 2), ("ERR".into(), 2), ("WRONGTYPE".into(), 1)]);
        (0..1_000).for_each(|number| errors.count(format!("E{number}").as_bytes()));
        assert_eq!(errors.all().len(), MAX_CODES + 1);
        assert_eq!(errors.all().values().sum::<u64>(), 1_005);
    }
}
