//! One test a rule of SEMANTICS 3.

use super::*;
use crate::error::Error;

#[test]
fn one_load_serves_all_askers() {
    let mut bench = Bench::new();
    let token = bench.hold(GateKind::Load, 1);
    for ticket in 2..1_000 {
        assert_eq!(bench.ask(GateKind::Load, ticket), Acquired::Queued);
    }
    assert_eq!(bench.finish(token, End::Stored), Standing::Holds(GateKind::Load));
    let expected: Vec<_> = (2..1_000).map(|ticket| (ticket, carried(b"loaded"))).collect();
    assert_eq!(bench.posted(), expected);
    assert!(bench.gates.is_empty());
    assert_eq!(bench.gates.bytes(), 0);
}

#[test]
fn the_error_of_a_loader_reaches_all_askers() {
    let mut bench = Bench::new();
    let token = bench.hold(GateKind::Load, 1);
    bench.ask(GateKind::Load, 2);
    let upserting = bench.ask(GateKind::Upsert, 3);
    assert_eq!(upserting, Acquired::Queued);
    let error: Arc<[u8]> = b"boom".as_slice().into();
    bench.finish(token, End::Failed(error.clone()));
    let posts = bench.posted();
    assert_eq!(posts[0], (2, Outcome::Failed(error)));
    granted_to(&posts[1..], 3);
}

#[test]
fn a_loader_that_finds_nothing_says_so() {
    let mut bench = Bench::new();
    let token = bench.hold(GateKind::Load, 1);
    bench.ask(GateKind::Load, 2);
    bench.finish(token, End::Kept);
    assert_eq!(bench.posted(), [(2, Outcome::Absent)]);
}

#[test]
fn a_value_set_meanwhile_wins_over_the_load() {
    let mut bench = Bench::new();
    let token = bench.hold(GateKind::Load, 1);
    bench.ask(GateKind::Load, 2);
    bench.preempt(Overtaking::Stored);
    assert_eq!(bench.posted(), [(1, carried(b"set")), (2, carried(b"set"))]);
    assert_eq!(bench.finish(token, End::Stored), Standing::Fenced);
    assert_eq!(bench.posted(), []);
    assert!(bench.gates.is_empty());
}

#[test]
fn a_delete_lets_the_load_end_for_those_who_asked_before() {
    let mut bench = Bench::new();
    let first = bench.hold(GateKind::Load, 1);
    bench.ask(GateKind::Load, 2);
    bench.preempt(Overtaking::Removed);
    assert_eq!(bench.gates.standing(KEY, first), Standing::Detached);
    let second = bench.hold(GateKind::Load, 3);
    assert_eq!(bench.finish(first, End::Returned), Standing::Detached);
    assert_eq!(bench.posted(), [(2, carried(b"loaded"))]);
    assert_eq!(bench.gates.standing(KEY, second), Standing::Holds(GateKind::Load));
    bench.finish(second, End::Stored);
    assert!(bench.gates.is_empty());
}

#[test]
fn a_set_after_a_delete_answers_detached_askers() {
    let mut bench = Bench::new();
    let token = bench.hold(GateKind::Load, 1);
    bench.ask(GateKind::Load, 2);
    bench.preempt(Overtaking::Removed);
    bench.preempt(Overtaking::Stored);
    assert_eq!(bench.posted(), [(1, carried(b"set")), (2, carried(b"set"))]);
    assert_eq!(bench.finish(token, End::Returned), Standing::Fenced);
}

#[test]
fn writers_are_served_in_the_order_they_came() {
    let mut bench = Bench::new();
    let mut token = bench.hold(GateKind::Upsert, 1);
    let kinds = [GateKind::Insert, GateKind::Upsert, GateKind::Update, GateKind::Upsert];
    for (ticket, kind) in (2..).zip(kinds) {
        bench.ask(kind, ticket);
    }
    for ticket in 2..6 {
        bench.finish(token, End::Kept);
        token = granted_to(&bench.posted(), ticket);
    }
    bench.finish(token, End::Deleted);
    assert!(bench.gates.is_empty());
}

#[test]
fn an_overtaken_upsert_is_told_and_fenced_and_the_next_one_runs() {
    for change in [Overtaking::Stored, Overtaking::Removed] {
        let mut bench = Bench::new();
        let first = bench.hold(GateKind::Upsert, 1);
        bench.ask(GateKind::Upsert, 2);
        bench.preempt(change);
        let posts = bench.posted();
        assert_eq!(posts[0], (1, Outcome::Ended(Error::Preempted)));
        let second = granted_to(&posts[1..], 2);
        assert_eq!(bench.finish(first, End::Stored), Standing::Fenced);
        assert_eq!(bench.finish(second, End::Stored), Standing::Holds(GateKind::Upsert));
    }
}

#[test]
fn inserts_and_updates_keep_their_turn_when_overtaken() {
    for kind in [GateKind::Insert, GateKind::Update] {
        let mut bench = Bench::new();
        let token = bench.hold(kind, 1);
        bench.preempt(Overtaking::Stored);
        bench.preempt(Overtaking::Removed);
        assert_eq!(bench.posted(), []);
        assert_eq!(bench.gates.standing(KEY, token), Standing::Holds(kind));
    }
}

#[test]
fn a_load_behind_an_upsert_takes_what_it_stored_or_loads() {
    let mut bench = Bench::new();
    let token = bench.hold(GateKind::Upsert, 1);
    bench.ask(GateKind::Load, 2);
    bench.ask(GateKind::Upsert, 3);
    bench.ask(GateKind::Load, 4);
    bench.finish(token, End::Kept);
    let load = granted_to(&bench.posted(), 2);
    bench.finish(load, End::Stored);
    let posts = bench.posted();
    assert_eq!(posts[0], (4, carried(b"loaded")));
    granted_to(&posts[1..], 3);
    bench.ask(GateKind::Load, 5);
    let Outcome::Granted { token } = posts[1].1 else { panic!() };
    bench.finish(token, End::Stored);
    assert_eq!(bench.posted(), [(5, carried(b"loaded"))]);
}

#[test]
fn cancelling_one_asker_leaves_the_others() {
    let mut bench = Bench::new();
    let token = bench.hold(GateKind::Load, 1);
    bench.ask(GateKind::Load, 2);
    bench.ask(GateKind::Load, 3);
    assert_eq!(bench.cancel(2), Cancelled::Left);
    assert_eq!(bench.cancel(2), Cancelled::Unknown);
    assert_eq!(bench.cancel(1), Cancelled::StillLoading);
    assert_eq!(bench.cancel(1), Cancelled::Unknown);
    bench.finish(token, End::Stored);
    assert_eq!(bench.posted(), [(3, carried(b"loaded"))]);
}

#[test]
fn a_load_that_nobody_asks_for_is_ended() {
    let mut bench = Bench::new();
    let token = bench.hold(GateKind::Load, 1);
    bench.ask(GateKind::Load, 2);
    bench.cancel(1);
    assert_eq!(bench.cancel(2), Cancelled::Left);
    assert_eq!(bench.posted(), [(1, Outcome::Ended(Error::Cancelled))]);
    assert_eq!(bench.finish(token, End::Stored), Standing::Fenced);
    assert!(bench.gates.is_empty());

    let token = bench.hold(GateKind::Load, 3);
    assert_eq!(bench.cancel(3), Cancelled::Left);
    assert_eq!(bench.finish(token, End::Stored), Standing::Fenced);
    assert!(bench.gates.is_empty());
}

#[test]
fn when_the_loading_owner_dies_the_oldest_asker_loads() {
    let mut bench = Bench::new();
    let first = bench.hold(GateKind::Load, 1);
    bench.ask(GateKind::Load, 2);
    bench.ask(GateKind::Load, 3);
    bench.owner_gone(1);
    let second = granted_to(&bench.posted(), 2);
    assert_eq!(bench.finish(first, End::Stored), Standing::Fenced);
    bench.owner_gone(3);
    bench.finish(second, End::Stored);
    assert_eq!(bench.posted(), []);
    assert!(bench.gates.is_empty());
}

#[test]
fn an_abandoned_detached_load_lets_its_askers_load_anew() {
    let mut bench = Bench::new();
    bench.hold(GateKind::Load, 1);
    bench.ask(GateKind::Load, 2);
    bench.preempt(Overtaking::Removed);
    let newer = bench.hold(GateKind::Load, 3);
    bench.ask(GateKind::Load, 4);
    bench.owner_gone(1);
    assert_eq!(bench.posted(), []);
    bench.finish(newer, End::Stored);
    assert_eq!(bench.posted(), [(2, carried(b"loaded")), (4, carried(b"loaded"))]);
}

#[test]
fn deadlines_fence_the_holder_and_serve_the_next() {
    let mut bench = Bench::new();
    let request = bench.request(GateKind::Upsert, 1, 1, Some(30));
    let Ok(Acquired::Granted { token }) = bench.gates.acquire(KEY, request, 1_000) else { panic!() };
    let request = bench.request(GateKind::Upsert, 2, 2, Some(30));
    bench.gates.acquire(KEY, request, 1_010).unwrap();
    assert!(!bench.tick(1_029));
    assert_eq!(bench.posted(), []);
    bench.tick(1_030);
    let posts = bench.posted();
    assert_eq!(posts[0], (1, Outcome::Ended(Error::Timeout)));
    granted_to(&posts[1..], 2);
    assert_eq!(bench.gates.standing(KEY, token), Standing::Fenced);
    // The second one's time began with its grant, not with its request.
    bench.tick(1_059);
    assert_eq!(bench.posted(), []);
    bench.tick(1_060);
    assert_eq!(bench.posted(), [(2, Outcome::Ended(Error::Timeout))]);
    assert_eq!(bench.gates.bytes(), 0);
}

#[test]
fn a_step_of_deadlines_is_bounded() {
    let mut bench = Bench::new();
    for ticket in 0..100_u64 {
        let request = bench.request(GateKind::Upsert, 1, ticket, Some(1));
        bench.gates.acquire(&ticket.to_le_bytes(), request, 0).unwrap();
    }
    assert!(bench.tick(10));
    assert!(!bench.tick(10));
    assert_eq!(bench.posted().len(), 100);
    assert!(bench.gates.is_empty());
}

#[test]
fn stable_waits_for_quiet_and_for_the_key() {
    let mut bench = Bench::new();
    let token = bench.hold(GateKind::Upsert, 1);
    bench.ask(GateKind::Insert, 2);
    bench.ask(GateKind::Stable, 3);
    bench.preempt(Overtaking::Stored);
    let posts = bench.posted();
    assert_eq!(posts[0].0, 1);
    let insert = granted_to(&posts[1..], 2);
    assert_eq!(bench.finish(token, End::Stored), Standing::Fenced);
    // The insert finds the key; nobody is left, and the caller sees that the key is there.
    let mut effects = Effects::default();
    bench.gates.finish(KEY, insert, End::Kept, 0, &mut effects);
    assert_eq!(effects.take_quiet(), [Arc::from(KEY)]);
    assert!(bench.gates.stable_due(KEY));
    bench.gates.answer_stable(KEY, &mut effects);
    effects.deliver(Some(value(b"there")));
    assert_eq!(bench.posted(), [(3, carried(b"there"))]);
    assert!(bench.gates.is_empty());

    // Absent and quiet: it waits for the next value.
    assert_eq!(bench.ask(GateKind::Stable, 4), Acquired::Queued);
    bench.preempt(Overtaking::Removed);
    assert_eq!(bench.posted(), []);
    bench.preempt(Overtaking::Stored);
    assert_eq!(bench.posted(), [(4, carried(b"set"))]);
}

#[test]
fn bounds_are_kept_and_refusals_change_nothing() {
    let mut bench = Bench::with_limit(3);
    bench.hold(GateKind::Upsert, 1);
    bench.ask(GateKind::Load, 2);
    bench.ask(GateKind::Stable, 3);
    let bytes = bench.gates.bytes();
    let over_key = bench.gates.acquire(KEY, bench.request(GateKind::Load, 4, 4, None), 0);
    assert!(matches!(over_key, Err(Error::Overloaded { .. })));
    assert_eq!(bench.gates.bytes(), bytes);
    bench.gates.acquire(b"other", bench.request(GateKind::Load, 4, 4, None), 0).unwrap();
    assert_eq!(bench.gates.len(), 2);
}

#[test]
fn close_answers_everybody_and_refuses_later_requests() {
    let mut bench = Bench::new();
    bench.hold(GateKind::Load, 1);
    bench.ask(GateKind::Load, 2);
    bench.preempt(Overtaking::Removed);
    bench.hold(GateKind::Upsert, 3);
    for (ticket, kind) in [(4, GateKind::Load), (5, GateKind::Insert), (6, GateKind::Stable)] {
        bench.ask(kind, ticket);
    }
    let mut effects = Effects::default();
    bench.gates.close(&mut effects);
    effects.deliver(None);
    let mut posts = bench.posted();
    posts.sort_by_key(|post| post.0);
    let expected: Vec<_> = (1..=6).map(|ticket| (ticket, Outcome::Ended(Error::Closed))).collect();
    assert_eq!(posts, expected);
    assert_eq!(bench.gates.bytes(), 0);
    let late = bench.gates.acquire(KEY, bench.request(GateKind::Load, 7, 7, None), 0);
    assert!(matches!(late, Err(Error::Closed)));
}

#[test]
fn clearing_overtakes_every_key() {
    let mut bench = Bench::new();
    for ticket in 0..10_u64 {
        let request = bench.request(GateKind::Upsert, 1, ticket, None);
        bench.gates.acquire(&ticket.to_le_bytes(), request, 0).unwrap();
    }
    let mut effects = Effects::default();
    bench.gates.preempt_all(0, &mut effects);
    effects.deliver(None);
    assert_eq!(bench.posted().len(), 10);
    assert!(bench.gates.is_empty());
}

#[test]
fn tokens_of_shards_never_meet() {
    let shards: Vec<_> = (1..=4).map(|first| Gates::new(first, 4, DEFAULT_PER_KEY)).collect();
    let mut seen = std::collections::HashSet::new();
    for mut gates in shards {
        for ticket in 0..100_u64 {
            let wake = Arc::new(Recorder::default());
            let request = Request { kind: GateKind::Upsert, owner: 1, ticket, hold_ms: None, wake };
            let Ok(Acquired::Granted { token }) = gates.acquire(&ticket.to_le_bytes(), request, 0) else { panic!() };
            assert!(token != 0 && seen.insert(token));
        }
    }
}
