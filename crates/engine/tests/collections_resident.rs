//! Hashes and sets stay under the byte bound of the whole process. A process of its own, so that nothing else moves its
//! resident set.
#![cfg(target_os = "linux")]

use tandem_engine::{Cache, Element, Growth, Kind, NewValue, Options, WriteOptions};

const MAX_BYTES: u64 = 64 << 20;

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// What a phase of the churn does; lengths are drawn below the given ones.
struct Phase {
    name: &'static str,
    steps: u64,
    /// Of so many changes, how many store a string instead of a field.
    strings_in_ten: u64,
    keys: u64,
    fields: u64,
    value_bytes: u64,
}

fn churn(cache: &Cache, phase: &Phase, random: &mut Random) {
    let noise: Vec<u8> = (0..1 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for _ in 0..phase.steps {
        let key = random.below(phase.keys);
        let value = &noise[..random.below(phase.value_bytes) as usize];
        if random.below(10) < phase.strings_in_ten {
            let value = NewValue { kind: Kind::Bytes, codec: 0, bytes: value };
            cache.set(format!("string:{key}").as_bytes(), value, &WriteOptions::default()).unwrap();
            continue;
        }
        let kind = if key.is_multiple_of(4) { Kind::Set } else { Kind::Hash };
        let names: Vec<String> = (0..8).map(|_| format!("field:{}", random.below(phase.fields))).collect();
        let elements =
            || names.iter().map(|name| Element { name: name.as_bytes(), value: (kind == Kind::Hash).then_some(value) });
        let growth = Growth::from_iter(elements());
        let remove = random.below(4) == 0;
        let done = cache.change_collection(format!("many:{key}").as_bytes(), kind, true, growth, |collection| {
            for element in elements() {
                if remove {
                    collection.remove(element.name);
                } else {
                    collection.put(element);
                }
            }
            Ok(())
        });
        done.unwrap();
    }
}

#[test]
fn churn_of_hashes_and_sets_stays_in_the_bound_of_the_process() {
    let before = resident_bytes();
    let cache = Cache::new(Options { max_bytes: MAX_BYTES, ..Options::default() }).unwrap();
    let mut random = Random(88_172_645_463_325_252);
    let phases = [
        Phase { name: "small fields", steps: 300_000, strings_in_ten: 0, keys: 400, fields: 20_000, value_bytes: 60 },
        Phase { name: "strings beside", steps: 200_000, strings_in_ten: 5, keys: 5_000, fields: 500, value_bytes: 600 },
        Phase {
            name: "many small hashes",
            steps: 200_000,
            strings_in_ten: 1,
            keys: 30_000,
            fields: 300,
            value_bytes: 90,
        },
        Phase { name: "large fields", steps: 30_000, strings_in_ten: 1, keys: 300, fields: 300, value_bytes: 20_000 },
        Phase { name: "strings alone", steps: 200_000, strings_in_ten: 10, keys: 200_000, fields: 1, value_bytes: 700 },
        Phase { name: "small again", steps: 200_000, strings_in_ten: 0, keys: 900, fields: 9_000, value_bytes: 40 },
    ];
    // What the process itself needs beside the cache: stacks, the allocator's heap, the test's noise.
    let idle = 5 << 20;
    for phase in &phases {
        churn(&cache, phase, &mut random);
        let (resident, stats) = (resident_bytes() - before, cache.stats());
        let values = stats.key_bytes + stats.value_bytes;
        println!("{}: {resident} resident, {} charged, {values} of values", phase.name, stats.bytes);
        assert!(stats.bytes <= MAX_BYTES);
        assert!(resident <= MAX_BYTES * 105 / 100 + idle, "{}: {resident} resident", phase.name);
    }
    assert!(cache.stats().evictions > 0, "the churn is to fill the cache");
    cache.verify().unwrap();
    cache.clear();
    while cache.maintain() {}
    let (resident, bytes) = (resident_bytes() - before, cache.stats().bytes);
    assert!(bytes < 2 << 20, "{bytes} bytes are charged after everything went");
    assert!(resident < 8 << 20, "{resident} bytes are resident after everything went");
}
