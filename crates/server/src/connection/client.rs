//! What a server knows of a client.

use tandem_wire::Protocol;

/// States that take the requests of a client off the fast path; all of them are tested at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Special(u16);

impl Special {
    /// `CLIENT REPLY OFF`: nothing is answered.
    pub const REPLY_OFF: Self = Self(1);
    /// `CLIENT REPLY SKIP`: the next request is not answered.
    pub const SKIP_NEXT: Self = Self(1 << 1);
    /// The present request is not answered.
    pub const SKIP: Self = Self(1 << 2);
    /// The client has not said the password.
    pub const NEEDS_AUTH: Self = Self(1 << 3);

    /// Whether the client is an ordinary one.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, state: Self) -> bool {
        self.0 & state.0 != 0
    }

    pub fn insert(&mut self, state: Self) {
        self.0 |= state.0;
    }

    /// Ends a state; whether it was there.
    pub fn take(&mut self, state: Self) -> bool {
        let there = self.contains(state);
        self.0 &= !state.0;
        there
    }
}

/// A client, as its commands see it.
#[derive(Debug)]
pub(crate) struct Client {
    /// Number of the connection; never used twice.
    pub id: u64,
    /// Selected database.
    pub db: u8,
    /// Protocol of replies.
    pub protocol: Protocol,
    /// Set by the client: the answer to the present request is the last one.
    pub closing: bool,
    /// The reply to the present request is more than a connection may have unsent: it ends without one.
    pub cut: bool,
    /// Rare states.
    pub special: Special,
    /// What only some clients have; absent as long as there is nothing.
    pub session: Option<Box<Session>>,
}

/// What only some clients have.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Name given by `CLIENT SETNAME`; empty without one.
    pub name: Box<[u8]>,
}

impl Client {
    /// A client that has just connected; `knocks`: it must say the password first.
    pub fn new(id: u64, knocks: bool) -> Self {
        let mut special = Special::default();
        if knocks {
            special.insert(Special::NEEDS_AUTH);
        }
        Self { id, db: 0, protocol: Protocol::Resp2, closing: false, cut: false, special, session: None }
    }

    /// Makes the client what it was when it connected, but for its connection and `closing`.
    pub fn reset(&mut self, knocks: bool) {
        *self = Self { closing: self.closing, cut: self.cut, ..Self::new(self.id, knocks) };
    }

    /// The session, made where there was none.
    pub fn session(&mut self) -> &mut Session {
        self.session.get_or_insert_default()
    }

    /// Name given by `CLIENT SETNAME`; empty without one.
    pub fn name(&self) -> &[u8] {
        self.session.as_ref().map_or(&[], |session| &session.name)
    }
}
