//! Where two workers' pasts part.

use tandem_wire::replication::{Sequence, TermStart};

/// Terms that are remembered.
const KEPT: usize = 8;

/// Notes that a term begins.
pub(crate) fn add_term(history: &mut Vec<TermStart>, start: TermStart) {
    // Terms that would have begun later than this one were another past.
    history.retain(|one| one.after <= start.after && one.counter < start.counter);
    history.push(start);
    if history.len() > KEPT {
        history.remove(0);
    }
}

/// The last entry that both have; `None` if they remember no term in common.
pub(crate) fn common(
    mine: &[TermStart],
    my_end: Sequence,
    theirs: &[TermStart],
    their_end: Sequence,
) -> Option<Sequence> {
    let last_of = |history: &[TermStart], index: usize, end| history.get(index + 1).map_or(end, |next| next.after);
    mine.iter().enumerate().rev().find_map(|(index, start)| {
        let other = theirs.iter().position(|one| one == start)?;
        Some(last_of(mine, index, my_end).min(last_of(theirs, other, their_end)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(counter: u32, after: Sequence) -> TermStart {
        TermStart { counter, after }
    }

    #[test]
    fn the_past_in_common_ends_where_the_first_of_both_left_the_last_common_term() {
        let both = [start(1, 0)];
        assert_eq!(common(&both, 10, &both, 7), Some(7));
        // The other took over at 7, and went on; what is mine above 7 is mine alone.
        let theirs = [start(1, 0), start(2, 7)];
        assert_eq!(common(&both, 10, &theirs, 30), Some(7));
        assert_eq!(common(&theirs, 30, &both, 10), Some(7));
        // It took over at 12, which is more than I have.
        assert_eq!(common(&both, 10, &[start(1, 0), start(3, 12)], 30), Some(10));
        assert_eq!(common(&[start(4, 9)], 10, &theirs, 30), None);
    }

    #[test]
    fn a_history_forgets_its_oldest_terms_and_those_of_another_past() {
        let mut history = Vec::new();
        (1..=9).for_each(|counter| add_term(&mut history, start(counter, u64::from(counter) * 10)));
        assert_eq!((history.len(), history[0]), (KEPT, start(2, 20)));
        add_term(&mut history, start(12, 45));
        assert_eq!(history, [start(2, 20), start(3, 30), start(4, 40), start(12, 45)]);
    }
}
