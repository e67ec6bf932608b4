//! Whether what clients saw of one key fits some order in which everything happened at one moment each.
//!
//! Wing and Gong's search with the memory of Lowe's ("Testing for linearizability", 2017). Values are unique, so a write
//! of unknown outcome that nobody has seen can be left out, unless it had an end.

use std::collections::HashSet;

/// What was done to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Shows a value.
    Read,
    /// Leaves a value.
    Write(u64),
    /// Leaves a value, and shows the one before.
    Swap(u64),
    /// Leaves nothing.
    Remove,
    /// Leaves nothing where this value was.
    Expire(u64),
}

/// What is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act {
    /// What was done.
    pub deed: Deed,
    /// When it was asked for.
    pub call: u64,
    /// When it was answered; `None`: it may have happened at any time since, or not at all.
    pub answered: Option<u64>,
    /// What it showed.
    pub seen: Option<u64>,
}

/// What came of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is such an order.
    Fits,
    /// There is none.
    Broken,
    /// It was given up.
    TooLong,
}

/// Searches for an order that starts with nothing there.
pub fn judge(acts: &[Act]) -> Verdict {
    let is_seen = |value: u64| acts.iter().any(|act| act.answered.is_some() && act.seen == Some(value));
    let nothing_seen = acts
        .iter()
        .any(|act| act.answered.is_some() && act.seen.is_none() && matches!(act.deed, Deed::Read | Deed::Swap(_)));
    // It may have ended before anybody saw it.
    let ends = |value: u64| nothing_seen && acts.iter().any(|act| act.deed == Deed::Expire(value));
    let mut acts: Vec<Act> = acts
        .iter()
        .copied()
        .filter(|act| {
            act.answered.is_some()
                || match act.deed {
                    Deed::Read => false,
                    Deed::Write(value) | Deed::Swap(value) => is_seen(value) || ends(value),
                    Deed::Remove | Deed::Expire(_) => nothing_seen,
                }
        })
        .collect();
    acts.sort_by_key(|act| act.call);
    if acts.iter().all(|act| act.answered.is_none()) {
        return Verdict::Fits;
    }
    let mut search = Search { done: vec![0; acts.len().div_ceil(64)], acts, memory: HashSet::new(), first: 0 };
    search.go()
}

struct Search {
    acts: Vec<Act>,
    /// One bit for each act that has happened.
    done: Vec<u64>,
    memory: HashSet<(Vec<u64>, Option<u64>)>,
    first: usize,
}

/// States after which a search is given up.
const LIMIT: usize = 300_000;

impl Search {
    fn is_done(&self, index: usize) -> bool {
        self.done[index / 64] & 1 << (index % 64) != 0
    }

    fn go(&mut self) -> Verdict {
        // Each level: the state before, and the acts that are still to be tried.
        let mut levels = vec![(None, self.candidates(), usize::MAX)];
        loop {
            let Some((state, candidates, _)) = levels.last_mut() else { return Verdict::Broken };
            let state = *state;
            let Some(index) = candidates.pop() else {
                let (_, _, entered_by) = levels.pop().expect("there is a level");
                if entered_by != usize::MAX {
                    self.done[entered_by / 64] &= !(1 << (entered_by % 64));
                    self.first = self.first.min(entered_by);
                }
                continue;
            };
            let Some(after) = self.acts[index].on(state) else { continue };
            self.done[index / 64] |= 1 << (index % 64);
            if (0..self.acts.len()).skip(self.first).all(|at| self.is_done(at) || self.acts[at].answered.is_none()) {
                return Verdict::Fits;
            }
            if self.memory.len() > LIMIT {
                return Verdict::TooLong;
            }
            if self.memory.insert((self.done.clone(), after)) {
                while self.first < self.acts.len() && self.is_done(self.first) {
                    self.first += 1;
                }
                let candidates = self.candidates();
                levels.push((after, candidates, index));
            } else {
                self.done[index / 64] &= !(1 << (index % 64));
            }
        }
    }

    /// Acts that may come next: no other that is still to come was answered before they were asked for. The last is
    /// tried first.
    fn candidates(&self) -> Vec<usize> {
        let mut earliest = u64::MAX;
        let mut found = Vec::new();
        for (index, act) in self.acts.iter().enumerate().skip(self.first) {
            if act.call > earliest {
                break;
            }
            if !self.is_done(index) {
                earliest = earliest.min(act.answered.unwrap_or(u64::MAX));
                found.push(index);
            }
        }
        found.retain(|&index| self.acts[index].call <= earliest);
        // What is certain is tried before what is not.
        found.sort_by_key(|&index| std::cmp::Reverse((self.acts[index].answered.is_none(), index)));
        found
    }
}

impl Act {
    /// What is there afterwards; `None` if it cannot happen where `state` is there.
    fn on(&self, state: Option<u64>) -> Option<Option<u64>> {
        match self.deed {
            Deed::Read => (state == self.seen).then_some(state),
            Deed::Write(value) => Some(Some(value)),
            Deed::Swap(value) => (self.answered.is_none() || state == self.seen).then_some(Some(value)),
            Deed::Remove => Some(None),
            Deed::Expire(value) => (state == Some(value)).then_some(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(deed: Deed, call: u64, answered: u64, seen: Option<u64>) -> Act {
        Act { deed, call, answered: Some(answered), seen }
    }

    fn lost(deed: Deed, call: u64) -> Act {
        Act { deed, call, answered: None, seen: None }
    }

    #[test]
    fn good_histories_fit() {
        use Deed::*;
        let good: [&[Act]; 7] = [
            &[],
            &[act(Read, 1, 2, None), act(Write(1), 3, 4, None), act(Read, 5, 6, Some(1))],
            // Two at a time, in either order.
            &[act(Write(1), 1, 9, None), act(Write(2), 2, 8, None), act(Read, 10, 11, Some(1))],
            // A write whose outcome is unknown happens late.
            &[lost(Write(1), 1), act(Write(2), 2, 3, None), act(Read, 4, 5, Some(2)), act(Read, 6, 7, Some(1))],
            &[act(Write(1), 1, 2, None), act(Swap(2), 3, 6, Some(1)), act(Read, 4, 5, Some(2))],
            &[act(Write(1), 1, 2, None), lost(Expire(1), 1), act(Read, 3, 4, Some(1)), act(Read, 5, 6, None)],
            // It took effect, and ended, and nobody saw it.
            &[act(Write(1), 1, 2, None), lost(Write(2), 3), lost(Expire(2), 3), act(Read, 4, 5, None)],
        ];
        for history in good {
            assert_eq!(judge(history), Verdict::Fits, "{history:?}");
        }
    }

    #[test]
    fn bad_histories_do_not() {
        use Deed::*;
        let bad: [&[Act]; 7] = [
            // Out of nothing.
            &[act(Read, 1, 2, Some(1))],
            // Lost.
            &[act(Write(1), 1, 2, None), act(Read, 3, 4, None)],
            // Older after newer.
            &[act(Write(1), 1, 2, None), act(Write(2), 3, 4, None), act(Read, 5, 6, Some(1))],
            // New, then old, while the write is under way.
            &[
                act(Write(1), 1, 2, None),
                act(Write(2), 3, 10, None),
                act(Read, 4, 5, Some(2)),
                act(Read, 6, 7, Some(1)),
            ],
            // Two changes of the same value.
            &[act(Write(1), 1, 2, None), act(Swap(2), 3, 4, Some(1)), act(Swap(3), 5, 6, Some(1))],
            // Removed and back.
            &[act(Write(1), 1, 2, None), act(Remove, 3, 4, None), act(Read, 5, 6, Some(1))],
            // What has expired is another value.
            &[act(Write(1), 1, 2, None), act(Write(2), 3, 4, None), lost(Expire(1), 1), act(Read, 5, 6, None)],
        ];
        for history in bad {
            assert_eq!(judge(history), Verdict::Broken, "{history:?}");
        }
    }
}
