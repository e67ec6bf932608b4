//! What a server knows of a client.

use tandem_wire::Protocol;

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
    /// Name given by `CLIENT SETNAME`; empty without one.
    pub name: Box<[u8]>,
}

impl Client {
    pub fn new(id: u64) -> Self {
        Self { id, db: 0, protocol: Protocol::Resp2, closing: false, cut: false, name: Box::default() }
    }
}
