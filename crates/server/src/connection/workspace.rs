//! The buffers of a loop.

use std::io;
use std::sync::Arc;

use tandem_engine::Prefetched;

use crate::connection::requests::Requests;
use crate::database::KeySpace;
use crate::observe::CommandStats;
use crate::output::Output;
use crate::shared::Shared;

/// Bytes read at once, into the loop's buffer.
const READ_BYTES: usize = 64 << 10;
/// Longest request of the text protocol where what one read delivers is one: a read that fills the buffer is not known
/// to be the whole of it.
pub(crate) const MAX_MESSAGE_BYTES: usize = READ_BYTES - 1;
/// Connections that are read before the first of them runs a request.
pub(crate) const READ_AHEAD: usize = 16;
/// Bytes read ahead for one of them.
const READ_AHEAD_BYTES: usize = 16 << 10;

/// The buffers of a loop. A connection borrows them while it works, and owns some only when it must stop half-way.
pub(crate) struct Workspace {
    pub(super) input: Box<[u8]>,
    /// What was read ahead, one place for each connection.
    pub(super) ahead: [Box<[u8]>; READ_AHEAD],
    pub(super) requests: Requests,
    pub(super) output: Output,
    pub(super) keys: KeySpace,
    /// Seconds since the start of the server, as of the present round of events.
    pub now_s: u32,
}

impl Workspace {
    /// `stats`: where the loop counts its requests. `keys`: how it finds the keys of databases.
    pub fn new(stats: &Arc<CommandStats>, keys: KeySpace) -> Self {
        Self {
            input: vec![0; READ_BYTES].into_boxed_slice(),
            ahead: std::array::from_fn(|_| vec![0; READ_AHEAD_BYTES].into_boxed_slice()),
            requests: Requests::new(Arc::clone(stats)),
            output: Output::default(),
            keys,
            now_s: 0,
        }
    }

    /// A round of requests begins, of so many connections.
    pub fn begin_round(&mut self, connections: usize) {
        self.requests.begin_round(connections);
    }

    /// Has the processor fetch the first line that the first request of a connection will need, which was read ahead
    /// into `place`.
    #[inline]
    pub fn glance(&mut self, read: &Option<io::Result<usize>>, place: usize, shared: &Shared) -> Option<Prefetched> {
        let &Some(Ok(count)) = read else { return None };
        self.requests.glance(&self.ahead[place][..count], &shared.cache, &shared.options.limits.request)
    }
}
