//! Requests that clients have numbered, with what was answered: a retry gets the same answer, and changes nothing twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tandem_wire::replication::{RequestId, Sequence};

/// Answers that are kept for each session: so many requests of it may be under way.
const WINDOW: usize = 256;
/// Memory of all answers of a lane, about; beyond it the sessions go that were not used for the longest time.
const BYTES: usize = 256 << 10;
/// Memory of an answer besides its bytes, about.
const OVERHEAD: usize = 64;

/// What is known of a numbered request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recall {
    /// Nothing: it is to be done.
    New,
    /// It was done, and this was answered. To be given as if it had been read now: once everything is acknowledged that
    /// its lanes hold.
    Done(Arc<[u8]>),
    /// It may have been done, but its answer is not kept any more.
    Forgotten,
}

/// The sessions of a lane.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    of: HashMap<u64, Session>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Session {
    /// The client has the answers up to this number, or they were dropped.
    settled: u64,
    answers: BTreeMap<u64, (Arc<[u8]>, Sequence)>,
    used: Sequence,
}

impl Session {
    fn bytes(&self) -> usize {
        OVERHEAD + self.answers.values().map(|(reply, _)| OVERHEAD + reply.len()).sum::<usize>()
    }
}

impl Sessions {
    /// What is known of request `number` of `session`.
    pub(super) fn recall(&self, session: u64, number: u64) -> Recall {
        let Some(known) = self.of.get(&session) else { return Recall::New };
        match known.answers.get(&number) {
            Some((reply, _)) => Recall::Done(Arc::clone(reply)),
            None if number <= known.settled => Recall::Forgotten,
            None => Recall::New,
        }
    }

    /// Entry `sequence` has done this.
    pub(super) fn note(&mut self, request: &RequestId, sequence: Sequence) {
        self.bytes -= self.of.get(&request.session).map_or(0, Session::bytes);
        let session = self.of.entry(request.session).or_default();
        session.used = sequence;
        session.settled = session.settled.max(request.settled);
        session.answers.insert(request.number, (Arc::clone(&request.reply), sequence));
        session.answers = session.answers.split_off(&(session.settled + 1));
        while session.answers.len() > WINDOW || session.answers.len() > 1 && session.bytes() > BYTES {
            session.settled = session.answers.pop_first().map_or(session.settled, |(number, _)| number);
        }
        self.bytes += session.bytes();
        while self.bytes > BYTES && self.of.len() > 1 {
            let oldest = self.of.iter().min_by_key(|&(&id, one)| (one.used, id)).map(|(&id, _)| id);
            let Some(oldest) = oldest.and_then(|id| self.of.remove(&id)) else { break };
            self.bytes -= oldest.bytes();
        }
    }

    /// What entries behind `common` have done was not done after all.
    pub(super) fn rewind(&mut self, common: Sequence) {
        self.of.retain(|_, session| {
            session.answers.retain(|_, &mut (_, sequence)| sequence <= common);
            session.settled > 0 || !session.answers.is_empty()
        });
        self.bytes = self.of.values().map(Session::bytes).sum();
    }

    /// Everything that is kept, in pieces of about `bytes`.
    pub(super) fn pieces(&self, bytes: usize) -> Vec<Vec<RequestId>> {
        let mut ids: Vec<_> = self.of.iter().collect();
        ids.sort_by_key(|&(&id, session)| (session.used, id));
        let mut pieces: Vec<Vec<RequestId>> = Vec::new();
        let mut room = 0;
        for (&id, session) in ids {
            for (&number, (reply, _)) in &session.answers {
                let cost = OVERHEAD + reply.len();
                if cost > room || pieces.is_empty() {
                    pieces.push(Vec::new());
                    room = bytes;
                }
                room = room.saturating_sub(cost);
                let request = RequestId { session: id, number, settled: session.settled, reply: Arc::clone(reply) };
                pieces.last_mut().expect("there is one").push(request);
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(session: u64, number: u64, settled: u64) -> RequestId {
        RequestId { session, number, settled, reply: Arc::from(number.to_string().as_bytes()) }
    }

    fn answer(number: u64) -> Recall {
        Recall::Done(Arc::from(number.to_string().as_bytes()))
    }

    #[test]
    fn a_retry_gets_the_answer_until_the_client_has_it() {
        let mut sessions = Sessions::default();
        sessions.note(&request(7, 1, 0), 10);
        sessions.note(&request(7, 3, 0), 11);
        assert_eq!(sessions.recall(7, 1), answer(1));
        assert_eq!(sessions.recall(7, 2), Recall::New);
        assert_eq!(sessions.recall(8, 1), Recall::New);
        sessions.note(&request(7, 4, 2), 12);
        assert_eq!(sessions.recall(7, 1), Recall::Forgotten);
        assert_eq!(sessions.recall(7, 3), answer(3));
    }

    #[test]
    fn a_window_and_the_sessions_are_bounded() {
        let mut sessions = Sessions::default();
        for number in 1..=WINDOW as u64 + 1 {
            sessions.note(&request(1, number, 0), number);
        }
        assert_eq!(sessions.recall(1, 1), Recall::Forgotten);
        assert_eq!(sessions.recall(1, 2), answer(2));
        for session in 2..10_000 {
            sessions.note(&request(session, 1, 0), 1_000 + session);
        }
        assert!(sessions.bytes <= BYTES && sessions.bytes > BYTES - 200);
        assert_eq!(sessions.recall(1, 2), Recall::New);
        assert_eq!(sessions.recall(9_999, 1), answer(1));
        let large = RequestId { reply: Arc::from(vec![0; 2 * BYTES]), ..request(1, 1, 0) };
        sessions.note(&large, 20_000);
        assert_eq!(sessions.of.len(), 1);
        assert_eq!(sessions.recall(1, 1), Recall::Done(large.reply));
    }

    #[test]
    fn what_was_undone_is_new_again_and_pieces_tell_everything() {
        let mut sessions = Sessions::default();
        sessions.note(&request(1, 1, 0), 10);
        sessions.note(&request(1, 2, 0), 20);
        sessions.note(&request(2, 1, 0), 30);
        let pieces = sessions.pieces(70);
        assert_eq!(pieces.concat().len(), 3);
        assert_eq!(pieces.len(), 3);
        sessions.rewind(10);
        assert_eq!(sessions.recall(1, 1), answer(1));
        assert_eq!(sessions.recall(1, 2), Recall::New);
        assert_eq!(sessions.recall(2, 1), Recall::New);
    }
}
