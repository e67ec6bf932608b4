//! What a worker makes of what the partner says of a lane.

use tandem_wire::replication::{LaneReport, Standing, Term};

use super::primary::Mode;
use super::{Context, Lane, Role};
use crate::output::Event;
use crate::planted::Defect;
use crate::rules::Reunion;
use crate::store::Store;

impl Lane {
    /// What the partner says of the lane.
    pub(crate) fn on_report<S: Store>(&mut self, cx: &mut Context<'_, S>, theirs: &LaneReport) {
        if !theirs.lineage.exists() {
            return;
        }
        // Who has no data takes the term of whoever has, be it lower than one that was heard of before.
        let counts_anyway = !self.lineage.exists() || cx.rules.has(Defect::IgnoreTerm);
        if theirs.term > self.term || (counts_anyway && theirs.term != self.term) {
            if theirs.term.node == cx.me {
                self.on_appointed(cx, theirs);
            } else {
                self.meet(cx, theirs);
            }
        }
        if theirs.term == self.term && !self.is_primary() {
            self.on_primary_report(cx, theirs);
        }
    }

    /// The partner wants this worker to be primary. If this copy is not the one that it meant, it has to be itself.
    fn on_appointed<S: Store>(&mut self, cx: &mut Context<'_, S>, theirs: &LaneReport) {
        let is_meant = self.lineage == theirs.lineage && self.standing == Standing::Ready && self.end() >= theirs.end;
        if is_meant && !self.is_primary() {
            let until = self.end();
            self.become_primary(cx, theirs.term, Mode::Joining { until });
            cx.tell(Event::TookOver(self.number));
        } else {
            self.step_down(cx, Term { counter: theirs.term.counter + 1, node: cx.peer });
        }
    }

    /// The partner is primary in a higher term.
    fn meet<S: Store>(&mut self, cx: &mut Context<'_, S>, theirs: &LaneReport) {
        let is_foreign = self.lineage.exists() && self.lineage != theirs.lineage;
        let reunion = if !self.lineage.exists() {
            Reunion::Follow
        } else if is_foreign {
            cx.rules.divergence.foreign
        } else {
            // Who has something that a stale primary lacks is like one who has acknowledged alone.
            let has_own = self.is_alone() || theirs.stale && self.standing == Standing::Ready;
            cx.rules.divergence.of[usize::from(has_own)][usize::from(theirs.alone)]
        };
        if reunion == Reunion::Claim && self.standing == Standing::Ready {
            let counter = theirs.term.counter + 1;
            self.become_primary_again(cx, Term { counter, node: cx.me });
            return;
        }
        self.step_down(cx, theirs.term);
        if let Role::Partner(partner) = &mut self.role {
            partner.merges = reunion != Reunion::Follow || cx.rules.has(Defect::MergeForFollow);
            partner.gives_all = theirs.stale;
        }
        if self.lineage.exists() {
            self.standing = Standing::Syncing;
        }
    }

    /// As primary of an older term that has acknowledged alone, or as a partner that had.
    fn become_primary_again<S: Store>(&mut self, cx: &mut Context<'_, S>, term: Term) {
        let end = self.end();
        let pending = self.is_primary().then_some(self.committed);
        self.become_primary(cx, term, Mode::Solo);
        // What waits still waits, until this worker may acknowledge alone again.
        self.committed = pending.unwrap_or(end);
        self.advance(cx);
    }
}
