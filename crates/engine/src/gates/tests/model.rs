//! Random programs. An observer, who sees only answers and posts, keeps a record of every ticket and checks after each
//! step that nobody is forgotten, that turns come in order, and that tokens are worth what they should be.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::error::Error;

#[derive(Debug, Clone)]
enum Step {
    Ask {
        key: u8,
        owner: u64,
        kind: GateKind,
        hold_ms: Option<u64>,
    },
    /// Finishes the token at this place in the list of all tokens ever granted, dead ones included.
    Finish {
        pick: prop::sample::Index,
        end: End,
    },
    Preempt {
        key: u8,
        change: Overtaking,
    },
    Cancel {
        pick: prop::sample::Index,
    },
    OwnerGone {
        owner: u64,
    },
    Tick {
        ms: u64,
    },
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        3 => Just(GateKind::Load),
        3 => Just(GateKind::Upsert),
        1 => Just(GateKind::Insert),
        1 => Just(GateKind::Update),
        1 => Just(GateKind::Stable),
    ];
    let end = prop_oneof![
        Just(End::Stored),
        Just(End::Returned),
        Just(End::Kept),
        Just(End::Deleted),
        Just(End::Failed(b"boom".as_slice().into())),
        Just(End::Abandoned),
    ];
    let change = prop_oneof![Just(Overtaking::Stored), Just(Overtaking::Removed)];
    prop_oneof![
        8 => (0..3_u8, 0..4_u64, kind, prop::option::of(1..50_u64))
            .prop_map(|(key, owner, kind, hold_ms)| Step::Ask { key, owner, kind, hold_ms }),
        5 => (any::<prop::sample::Index>(), end).prop_map(|(pick, end)| Step::Finish { pick, end }),
        2 => (0..3_u8, change).prop_map(|(key, change)| Step::Preempt { key, change }),
        2 => any::<prop::sample::Index>().prop_map(|pick| Step::Cancel { pick }),
        1 => (0..4_u64).prop_map(|owner| Step::OwnerGone { owner }),
        1 => (0..40_u64).prop_map(|ms| Step::Tick { ms }),
        1 => Just(Step::Clear),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Holding(u64),
    Detached(u64),
    Done,
}

#[derive(Debug)]
struct Ticket {
    key: u8,
    owner: u64,
    kind: GateKind,
    state: State,
    /// Its own ask was cancelled while it goes on loading for others.
    silent: bool,
}

struct Observer {
    gates: Gates,
    posts: Arc<Recorder>,
    now_ms: u64,
    /// By number of the ticket, which is the order of arrival.
    tickets: BTreeMap<u64, Ticket>,
    /// (token, key) of every grant.
    tokens: Vec<(u64, u8)>,
    present: [bool; 3],
}

impl Observer {
    fn new() -> Self {
        let gates = Gates::new(1, 1, 12);
        Self { gates, posts: Arc::default(), now_ms: 0, tickets: BTreeMap::new(), tokens: vec![], present: [false; 3] }
    }

    fn open(&self) -> usize {
        self.tickets.values().filter(|ticket| ticket.state != State::Done).count()
    }

    fn holder_of(&self, token: u64) -> Option<u64> {
        let held = |ticket: &Ticket| matches!(ticket.state, State::Holding(t) | State::Detached(t) if t == token);
        self.tickets.iter().find(|(_, ticket)| held(ticket)).map(|(&number, _)| number)
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Ask { key, owner, kind, hold_ms } => self.ask(key, owner, kind, hold_ms),
            Step::Finish { pick, end } => self.finish(pick, end),
            Step::Preempt { key, change } => {
                let mut effects = Effects::default();
                self.gates.preempt(&[key], change, self.now_ms, &mut effects);
                self.overtaken(key, change);
                self.settle(effects);
            }
            Step::Cancel { pick } => self.cancel(pick),
            Step::OwnerGone { owner } => {
                let mut effects = Effects::default();
                self.gates.owner_gone(owner, self.now_ms, &mut effects);
                for ticket in self.tickets.values_mut().filter(|ticket| ticket.owner == owner) {
                    ticket.state = State::Done;
                }
                self.settle(effects);
            }
            Step::Tick { ms } => {
                self.now_ms += ms;
                let mut effects = Effects::default();
                assert!(!self.gates.tick(self.now_ms, &mut effects));
                self.settle(effects);
            }
            Step::Clear => {
                let mut effects = Effects::default();
                self.gates.preempt_all(self.now_ms, &mut effects);
                for key in 0..3 {
                    self.overtaken(key, Overtaking::Removed);
                }
                self.settle(effects);
            }
        }
        self.check();
    }

    /// A removal detaches a load in flight with everybody who asks for it; that is not posted.
    fn overtaken(&mut self, key: u8, change: Overtaking) {
        self.present[key as usize] = change == Overtaking::Stored;
        if change == Overtaking::Removed {
            for ticket in self.tickets.values_mut().filter(|ticket| ticket.key == key && ticket.kind == GateKind::Load)
            {
                if let State::Holding(token) = ticket.state {
                    ticket.state = State::Detached(token);
                }
            }
        }
    }

    fn ask(&mut self, key: u8, owner: u64, kind: GateKind, hold_ms: Option<u64>) {
        let number = self.tickets.len() as u64;
        if kind == GateKind::Stable && self.gates.is_quiet(&[key]) && self.present[key as usize] {
            return;
        }
        let request = Request { kind, owner, ticket: number, hold_ms, wake: self.posts.clone() };
        let of_key = |ticket: &&Ticket| ticket.key == key && ticket.state != State::Done;
        let full = self.tickets.values().filter(of_key).count() >= 12;
        let state = match self.gates.acquire(&[key], request, self.now_ms) {
            Ok(Acquired::Granted { token }) => {
                self.tokens.push((token, key));
                State::Holding(token)
            }
            Ok(Acquired::Queued) => State::Waiting,
            Err(error) => {
                assert!(full && matches!(error, Error::Overloaded { .. }));
                return;
            }
        };
        assert!(!full, "accepted beyond the limit");
        self.tickets.insert(number, Ticket { key, owner, kind, state, silent: false });
    }

    fn finish(&mut self, pick: prop::sample::Index, end: End) {
        if self.tokens.is_empty() {
            return;
        }
        let (token, key) = self.tokens[pick.index(self.tokens.len())];
        let holder = self.holder_of(token);
        let mut effects = Effects::default();
        let stored = end == End::Stored;
        let standing = self.gates.finish(&[key], token, end.clone(), self.now_ms, &mut effects);
        assert_eq!(standing == Standing::Fenced, holder.is_none());
        if let Some(holder) = holder {
            self.tickets.get_mut(&holder).expect("found above").state = State::Done;
        }
        if let Standing::Holds(_) = standing {
            match end {
                End::Stored => self.present[key as usize] = true,
                End::Deleted => self.present[key as usize] = false,
                _ => {}
            }
        }
        self.settle(effects);
        if stored && matches!(standing, Standing::Holds(_)) {
            let waits =
                |ticket: &Ticket| ticket.key == key && ticket.kind == GateKind::Load && ticket.state == State::Waiting;
            // Those of a detached load wait for that one.
            let detached = |ticket: &Ticket| ticket.key == key && matches!(ticket.state, State::Detached(_));
            assert!(!self.tickets.values().any(waits) || self.tickets.values().any(detached));
        }
    }

    fn cancel(&mut self, pick: prop::sample::Index) {
        if self.tickets.is_empty() {
            return;
        }
        let number = pick.index(self.tickets.len()) as u64;
        let Some(ticket) = self.tickets.get(&number) else { return };
        let (key, owner) = (ticket.key, ticket.owner);
        let mut effects = Effects::default();
        let cancelled = self.gates.cancel(&[key], owner, number, self.now_ms, &mut effects);
        let ticket = self.tickets.get_mut(&number).expect("found above");
        match cancelled {
            Cancelled::Left => {
                assert_ne!(ticket.state, State::Done);
                ticket.state = State::Done;
            }
            Cancelled::StillLoading => {
                assert!(matches!(ticket.state, State::Holding(_) | State::Detached(_)) && !ticket.silent);
                ticket.silent = true;
            }
            Cancelled::Unknown => assert!(ticket.state == State::Done || ticket.silent),
        }
        self.settle(effects);
    }

    /// Does what the engine does under its lock, delivers, and takes the posts down in their order.
    fn settle(&mut self, mut effects: Effects) {
        for key in effects.take_quiet() {
            if self.present[key[0] as usize] && self.gates.stable_due(&key) {
                self.gates.answer_stable(&key, &mut effects);
            }
        }
        effects.deliver(Some(value(b"value")));
        let posts = std::mem::take(&mut *self.posts.0.lock());
        for (number, outcome) in posts {
            if let Outcome::Granted { token } = outcome {
                self.granted(number, token);
                continue;
            }
            let ticket = self.tickets.get_mut(&number).expect("posts go to known tickets");
            assert_ne!(ticket.state, State::Done, "ticket {number} was answered twice");
            assert!(!ticket.silent || matches!(outcome, Outcome::Ended(_)), "a cancelled ask was answered");
            ticket.state = State::Done;
        }
    }

    fn granted(&mut self, number: u64, token: u64) {
        let ticket = &self.tickets[&number];
        assert_eq!(ticket.state, State::Waiting);
        assert_ne!(ticket.kind, GateKind::Stable);
        let key = ticket.key;
        let detached = self.tickets.values().any(|other| other.key == key && matches!(other.state, State::Detached(_)));
        let earlier = self.tickets.range(..number).find(|(_, other)| {
            // Askers of a detached load are not in the queue; which they are, only the gate knows.
            let queued = other.kind != GateKind::Stable && !(detached && other.kind == GateKind::Load);
            other.key == key && other.state == State::Waiting && queued
        });
        assert!(earlier.is_none(), "{number} was served before {earlier:?}");
        self.tokens.push((token, key));
        self.tickets.get_mut(&number).expect("looked up above").state = State::Holding(token);
    }

    fn check(&self) {
        for key in 0..3_u8 {
            let of_key = || self.tickets.values().filter(move |ticket| ticket.key == key);
            let holding = of_key().filter(|ticket| matches!(ticket.state, State::Holding(_))).count();
            assert!(holding <= 1, "{holding} hold key {key}");
            let waiting = |ticket: &&Ticket| ticket.state == State::Waiting && ticket.kind != GateKind::Stable;
            let detached = of_key().any(|ticket| matches!(ticket.state, State::Detached(_)));
            let asked = of_key().any(|ticket| ticket.kind == GateKind::Load && ticket.state == State::Waiting);
            let silent = of_key().find(|ticket| ticket.silent && ticket.state != State::Done);
            assert!(asked || silent.is_none(), "{silent:?} loads for nobody");
            if holding == 0 {
                let forgotten = of_key().filter(waiting).find(|ticket| !(detached && ticket.kind == GateKind::Load));
                assert!(forgotten.is_none(), "{forgotten:?} waits for nobody");
                let stable = |ticket: &Ticket| ticket.kind == GateKind::Stable && ticket.state == State::Waiting;
                let quiet = self.gates.is_quiet(&[key]);
                assert!(!(quiet && self.present[key as usize] && of_key().any(stable)), "stable waits on a quiet key");
            }
        }
        for &(token, key) in &self.tokens {
            let expected = match self.holder_of(token).map(|number| &self.tickets[&number]) {
                Some(Ticket { state: State::Holding(_), kind, .. }) => Standing::Holds(*kind),
                Some(_) => Standing::Detached,
                None => Standing::Fenced,
            };
            assert_eq!(self.gates.standing(&[key], token), expected);
        }
        assert_eq!(self.gates.ledger.tickets, self.open());
        assert_eq!(self.gates.is_empty(), self.open() == 0);
        assert_eq!(self.gates.bytes() == 0, self.open() == 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nobody_is_forgotten_and_turns_come_in_order(steps in prop::collection::vec(step(), 1..80)) {
        let mut observer = Observer::new();
        for step in steps {
            observer.run(step);
        }
        let mut effects = Effects::default();
        observer.gates.close(&mut effects);
        observer.settle(effects);
        prop_assert_eq!(observer.open(), 0);
        observer.check();
    }
}
