//! How long nobody answers for a lane while it goes from one worker to the other, on a way of 1 ms.

use std::collections::BTreeMap;

use tandem_cluster::{Identity, Input, Node, Now, Output, Rules, Service, Shape};
use tandem_wire::replication::{Frame, Incarnation, NodeId};

use super::copy::Copy;

struct Pair {
    now: u64,
    nodes: [Node; 2],
    copies: [Copy; 2],
    /// What comes when, and to whom.
    coming: BTreeMap<u64, Vec<(usize, Input)>>,
    /// Connections that each has dialled.
    dialled: [u64; 2],
}

const WAY: u64 = 1;

impl Pair {
    fn new(shape: Shape) -> Self {
        let node = |me: u64| {
            let (me, partner, incarnation) = (NodeId(me), NodeId(3 - me), Incarnation(me));
            let identity = Identity { me, partner, incarnation, capacity: 1_000, has_witness: false };
            Node::new(identity, shape, Rules::default(), me.0)
        };
        let copy = || Copy::new(shape, 1_000);
        Self { now: 0, nodes: [node(1), node(2)], copies: [copy(), copy()], coming: BTreeMap::new(), dialled: [0; 2] }
    }

    fn step(&mut self, worker: usize, input: Input) {
        let mut out = Vec::new();
        self.nodes[worker].step(
            Now { at: 1_000 + self.now, wall: self.now },
            input,
            &mut self.copies[worker],
            &mut out,
        );
        for output in out {
            let coming = self.coming.entry(self.now + WAY).or_default();
            match output {
                Output::Send(body) => {
                    let frame = Frame { header: self.nodes[worker].header(), body };
                    coming.push((1 - worker, Input::Frame { connection: self.dialled[worker], frame }));
                }
                Output::Dial => {
                    self.dialled[worker] += 1;
                    coming.push((worker, Input::Dialled));
                }
                _ => {}
            }
        }
    }

    /// A millisecond passes.
    fn pass(&mut self) {
        self.now += 1;
        for (worker, input) in self.coming.remove(&self.now).unwrap_or_default() {
            self.step(worker, input);
        }
        if self.now.is_multiple_of(10) {
            self.step(0, Input::Tick);
            self.step(1, Input::Tick);
        }
    }

    fn answers(&self, worker: usize, lane: u16) -> bool {
        self.nodes[worker].service(lane, true, 1_000 + self.now) == Service::Here
    }
}

#[test]
fn a_lane_is_handed_over_within_ten_milliseconds() {
    let shape = Shape::default();
    let mut pair = Pair::new(shape);
    let lanes = 0..shape.lanes();
    while !lanes.clone().all(|lane| pair.nodes[0].is_primary(lane) && !pair.nodes[0].is_alone(lane)) {
        pair.pass();
        assert!(pair.now < 5_000, "the two become a pair");
    }
    pair.step(0, Input::Stop);
    let mut pauses = vec![0; usize::from(shape.lanes())];
    let stopped = pair.now;
    while !lanes.clone().all(|lane| pair.answers(1, lane)) {
        pair.pass();
        assert!(pair.now < stopped + 1_000, "the other one takes all lanes");
        for lane in lanes.clone() {
            let answering = usize::from(pair.answers(0, lane)) + usize::from(pair.answers(1, lane));
            assert!(answering < 2, "both answer for lane {lane}");
            pauses[usize::from(lane)] += u64::from(answering == 0);
        }
    }
    let longest = pauses.into_iter().max().unwrap_or(0);
    assert!((1..=10).contains(&longest), "{longest} ms");
}
