//! Rounds of the expiry sweep.

use super::Log;

/// One look of the expiry sweep at every segment, queue after queue, from the oldest to the newest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) queue: usize,
    /// The segment to look at next; `NONE`: the queue is through.
    pub(crate) at: u32,
    /// No record in the segments that the round has behind it expires before this.
    pub(crate) next_deadline: u64,
}

impl Log {
    /// A round of the sweep begins with the oldest segment of `queue`; `next_deadline` is that of the queues before.
    pub(crate) fn begin_round(&self, queue: usize, next_deadline: u64) -> Round {
        Round { queue, at: self.queues[queue].oldest, next_deadline }
    }

    /// Lets the round of the sweep know of a deadline, which may lie in a segment that it has behind it.
    #[inline]
    pub(crate) fn lower_round(&mut self, deadline: u64) {
        if let Some(round) = &mut self.round {
            round.next_deadline = round.next_deadline.min(deadline);
        }
    }

    /// Lets the round go on with `newer` if `segment`, which goes, is next.
    pub(super) fn skip_in_round(&mut self, segment: u32, newer: u32) {
        if let Some(round) = self.round.as_mut().filter(|round| round.at == segment) {
            round.at = newer;
        }
    }
}
