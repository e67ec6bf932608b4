//! The one password of a server.

use std::fmt;

use subtle::ConstantTimeEq;

/// What clients must know before they may do anything. Any bytes, 1 to [`Password::MAX_BYTES`].
///
/// It is never shown: not by `Debug`, not by `CONFIG GET`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<[u8]>);

impl Password {
    /// Longest password in bytes. What a client says before it is known is bounded, so that this must be, too.
    pub const MAX_BYTES: usize = 1024;

    /// Takes `bytes` as the password; `None` if there are none or more than [`Password::MAX_BYTES`].
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=Self::MAX_BYTES).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// Whether `word` is the password. How long that takes tells at most its length.
    pub fn matches(&self, word: &[u8]) -> bool {
        self.0.ct_eq(word).into()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_bytes_match() {
        let password = Password::new(b"s\0cret \xFF").unwrap();
        assert!(password.matches(b"s\0cret \xFF"));
        for other in [&b""[..], b"s", b"s\0cret ", b"s\0cret \xFE", b"S\0CRET \xFF", b"s\0cret \xFF\0"] {
            assert!(!password.matches(other), "{other:?}");
        }
    }

    #[test]
    fn the_length_is_bounded() {
        assert!(Password::new(b"").is_none());
        assert!(Password::new(&[b'x'; Password::MAX_BYTES]).is_some());
        assert!(Password::new(&[b'x'; Password::MAX_BYTES + 1]).is_none());
    }

    #[test]
    fn it_is_not_shown() {
        let shown = format!("{:?}", Password::new(b"secret").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
