//! The requests of a load: which command, which key, which value.

use std::sync::Arc;

use rand::distr::{Distribution, Uniform};
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::Zipf;
use tandem_wire::reply;

use crate::plan::{Operation, Plan, Weight};

/// How keys are chosen.
enum Choice {
    Even(Uniform<u64>),
    /// The first key is the most frequent.
    Zipf(Zipf<f64>),
}

/// Makes requests; the same for the same plan and seed.
pub(crate) struct Workload {
    random: SmallRng,
    choice: Choice,
    sizes: Uniform<usize>,
    mix: Vec<Weight>,
    shares: f64,
    /// Bytes that no codec can shrink; a value is a beginning of them.
    payload: Arc<[u8]>,
}

/// The bytes that values are made of.
pub(crate) fn payload(plan: &Plan) -> Arc<[u8]> {
    let mut bytes = vec![0; plan.value_bytes.1];
    SmallRng::seed_from_u64(plan.seed).fill_bytes(&mut bytes);
    bytes.into()
}

impl Workload {
    /// For a plan that was checked. `number` tells the loads of a run apart.
    pub fn new(plan: &Plan, payload: &Arc<[u8]>, number: u64) -> Self {
        let even = || Uniform::new(0, plan.keys).expect("a checked plan has keys");
        let (least, greatest) = plan.value_bytes;
        Self {
            random: SmallRng::seed_from_u64(plan.seed.wrapping_add(number)),
            choice: match plan.zipf {
                Some(exponent) => {
                    Choice::Zipf(Zipf::new(plan.keys as f64, exponent).expect("a checked plan has a fair exponent"))
                }
                None => Choice::Even(even()),
            },
            sizes: Uniform::new_inclusive(least, greatest).expect("a checked plan has a range of sizes"),
            mix: plan.mix.clone(),
            shares: plan.mix.iter().map(|weight| weight.share).sum(),
            payload: Arc::clone(payload),
        }
    }

    /// Writes the next request.
    pub fn next(&mut self, out: &mut Vec<u8>) {
        let operation = self.operation();
        if operation == Operation::Ping {
            return request(out, &[b"PING"]);
        }
        let number = match &self.choice {
            Choice::Even(even) => even.sample(&mut self.random),
            Choice::Zipf(zipf) => zipf.sample(&mut self.random) as u64 - 1,
        };
        let (prefix, name): (&[u8; 4], &[u8]) = match operation {
            Operation::Get => (b"key:", b"GET"),
            Operation::Set => return self.set(number, out),
            Operation::Del => (b"key:", b"DEL"),
            Operation::Incr | Operation::Ping => (b"num:", b"INCR"),
        };
        request(out, &[name, &key(*prefix, number)]);
    }

    /// Writes the request that stores key `number`.
    pub fn set(&mut self, number: u64, out: &mut Vec<u8>) {
        let size = self.sizes.sample(&mut self.random);
        request(out, &[b"SET", &key(*b"key:", number), &self.payload[..size]]);
    }

    fn operation(&mut self) -> Operation {
        if let [one] = self.mix.as_slice() {
            return one.operation;
        }
        let mut at = self.random.random::<f64>() * self.shares;
        let chosen = self.mix.iter().find(|weight| {
            at -= weight.share;
            at < 0.0
        });
        // Rounding may leave a little behind the last one.
        chosen.unwrap_or(&self.mix[self.mix.len() - 1]).operation
    }
}

/// `key:000000000012`, as `redis-benchmark` has it, so that both load the same keys.
fn key(prefix: [u8; 4], mut number: u64) -> [u8; 16] {
    let mut key = [b'0'; 16];
    key[..4].copy_from_slice(&prefix);
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    key
}

/// Writes one request.
pub(crate) fn request(out: &mut Vec<u8>, parts: &[&[u8]]) {
    reply::array(out, parts.len());
    parts.iter().for_each(|part| reply::bulk(out, part));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::Length;

    fn plan() -> Plan {
        Plan {
            servers: Vec::new(),
            connections: 1,
            pipeline: 1,
            keys: 1000,
            zipf: None,
            value_bytes: (3, 5),
            mix: vec![Weight { operation: Operation::Get, share: 1.0 }],
            rate: None,
            connects: None,
            length: Length::Time(Duration::from_secs(1)),
            rounds: 1,
            fill: true,
            seed: 7,
        }
    }

    fn requests(plan: &Plan, number: u64, count: usize) -> Vec<String> {
        let mut workload = Workload::new(plan, &payload(plan), number);
        let make = |_| {
            let mut out = Vec::new();
            workload.next(&mut out);
            out.escape_ascii().to_string()
        };
        (0..count).map(make).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_requests() {
        let plan = plan();
        assert_eq!(requests(&plan, 1, 100), requests(&plan, 1, 100));
        assert_ne!(requests(&plan, 1, 100), requests(&plan, 2, 100));
        assert_ne!(requests(&plan, 1, 100), requests(&Plan { seed: 8, ..plan.clone() }, 1, 100));
    }

    #[test]
    fn requests_are_resp() {
        let mut plan = plan();
        plan.keys = 1;
        plan.value_bytes = (0, 0);
        for (operation, expected) in [
            (Operation::Get, r"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000000\r\n"),
            (Operation::Set, r"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000000\r\n$0\r\n\r\n"),
            (Operation::Del, r"*2\r\n$3\r\nDEL\r\n$16\r\nkey:000000000000\r\n"),
            (Operation::Incr, r"*2\r\n$4\r\nINCR\r\n$16\r\nnum:000000000000\r\n"),
            (Operation::Ping, r"*1\r\n$4\r\nPING\r\n"),
        ] {
            plan.mix = vec![Weight { operation, share: 1.0 }];
            assert_eq!(requests(&plan, 0, 1), [expected]);
        }
        assert_eq!(&key(*b"key:", 987_654_321_012), b"key:987654321012");
    }

    #[test]
    fn shares_and_sizes_come_out() {
        let mut plan = plan();
        let weight = |operation, share| Weight { operation, share };
        plan.mix = vec![weight(Operation::Get, 30.0), weight(Operation::Set, 10.0)];
        let requests = requests(&plan, 0, 10_000);
        let sets: Vec<&String> = requests.iter().filter(|one| one.contains("SET")).collect();
        assert!((2_300..2_700).contains(&sets.len()), "{}", sets.len());
        let of_size = |size: usize| sets.iter().filter(|one| one.contains(&format!("${size}\\r\\n"))).count();
        // `$3` is also the length of the word SET.
        assert_eq!(of_size(3), sets.len());
        for size in [4, 5] {
            assert!((600..1_100).contains(&of_size(size)), "{size}: {}", of_size(size));
        }
    }

    #[test]
    fn zipf_prefers_the_first_keys() {
        let mut plan = plan();
        plan.zipf = Some(1.0);
        let requests = requests(&plan, 0, 20_000);
        let count = |number: u64| requests.iter().filter(|one| one.contains(&format!("{number:012}"))).count() as f64;
        // The law: the n-th key comes 1/n times as often as the first.
        assert!((count(0) / count(1) - 2.0).abs() < 0.3, "{} {}", count(0), count(1));
        assert!((count(0) / count(9) - 10.0).abs() < 3.0, "{} {}", count(0), count(9));
    }
}
