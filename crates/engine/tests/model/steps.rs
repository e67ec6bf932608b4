//! Programs: what a case does, as data that proptest can shrink.

use proptest::prelude::*;
use proptest::strategy::Union;
use tandem_engine::{Kind, MAX_KEY_BYTES, ReadMode};

/// A value by its recipe, so that a shrunk program stays readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipe {
    Integer(i64),
    /// Decimal digits under a kind that `incr` may read.
    Digits(i64, Kind),
    /// Noise, which LZ4 leaves alone.
    Noise {
        kind: Kind,
        len: u32,
        seed: u8,
    },
    /// A repeated phrase, which LZ4 shrinks.
    Phrase {
        kind: Kind,
        len: u32,
        seed: u8,
    },
}

impl Recipe {
    pub fn kind(self) -> Kind {
        match self {
            Recipe::Integer(_) => Kind::Integer,
            Recipe::Digits(_, kind) | Recipe::Noise { kind, .. } | Recipe::Phrase { kind, .. } => kind,
        }
    }

    pub fn codec(self) -> u8 {
        if self.kind() == Kind::Coded { 3 } else { 0 }
    }

    pub fn bytes(self) -> Vec<u8> {
        match self {
            Recipe::Integer(value) => value.to_le_bytes().to_vec(),
            Recipe::Digits(value, _) => value.to_string().into_bytes(),
            Recipe::Noise { len, seed, .. } => {
                let mut state = u64::from(seed) << 32 | u64::from(len);
                std::iter::repeat_with(|| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 56) as u8
                })
                .take(len as usize)
                .collect()
            }
            Recipe::Phrase { len, seed, .. } => {
                let phrase = format!("{len} bytes of the phrase number {seed}; ");
                phrase.bytes().cycle().take(len as usize).collect()
            }
        }
    }
}

/// The bytes of key number `key`: mostly short, some too long for a segment's part, one empty.
pub fn key_bytes(key: u16) -> Vec<u8> {
    let name = format!("key:{key}");
    let len = match key {
        0 => 0,
        _ if key % 32 == 31 => 60_000 + usize::from(key),
        _ if key % 32 == 30 => 1_500,
        1 => MAX_KEY_BYTES,
        _ => name.len(),
    };
    let mut bytes = name.into_bytes();
    bytes.resize(len, b'.');
    bytes
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    Absent,
    Present,
    ThisVersion,
    OlderVersion,
    VersionZero,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ttl {
    Default,
    Never,
    Keep,
    In(u64),
    /// At this many ms from now, which may be in the past.
    At(i64),
    /// The largest time there is: the same as none.
    AtEnd,
}

#[derive(Debug, Clone, Copy)]
pub enum Answer {
    Keep,
    Delete,
    Store(Recipe, Ttl),
}

#[derive(Debug, Clone, Copy)]
pub enum Step {
    Set {
        key: u16,
        value: Recipe,
        ttl: Ttl,
        idle: Option<u64>,
        cost: Option<u64>,
        when: When,
    },
    /// Many writes without a check in between, to turn the log over.
    Fill {
        first: u16,
        count: u16,
        value: Recipe,
    },
    Read(u16, ReadMode),
    Contains(u16),
    Delete(u16, When),
    Take(u16),
    Incr(u16, i64),
    Transform(u16, Answer),
    SetExpiry(u16, Ttl),
    Advance(u64),
    Maintain(u8),
    Scan,
    Recency {
        limit: u8,
        newest_first: bool,
    },
    Clear,
    /// A new bound, in KiB.
    Resize(u32),
}

/// Ranges the steps of a case are drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub keys: u16,
    pub largest_value: u32,
    pub largest_cost: u64,
    pub fills: bool,
    /// Bounds to resize to, in KiB; empty for none.
    pub bounds: (u32, u32),
}

fn recipe(largest: u32) -> impl Strategy<Value = Recipe> {
    let kind = || prop::sample::select(vec![Kind::Text, Kind::Bytes, Kind::Coded, Kind::Wire]);
    let len = move || {
        prop_oneof![
            1 => Just(0u32),
            6 => 1u32..200,
            // Around the inline limit of the smallest segments, 4 KiB.
            4 => 3_900u32..4_150,
            3 => 200u32..3_900,
            2 => 4_000u32..=largest,
        ]
    };
    let text = prop::sample::select(vec![Kind::Text, Kind::Bytes, Kind::Wire, Kind::Coded]);
    prop_oneof![
        2 => prop_oneof![Just(0), -5i64..5, Just(i64::MAX), Just(i64::MIN)].prop_map(Recipe::Integer),
        1 => (-1_000i64..1_000, text).prop_map(|(value, kind)| Recipe::Digits(value, kind)),
        6 => (kind(), len(), any::<u8>()).prop_map(|(kind, len, seed)| Recipe::Noise { kind, len, seed }),
        4 => (kind(), len(), any::<u8>()).prop_map(|(kind, len, seed)| Recipe::Phrase { kind, len, seed }),
    ]
}

fn ttl() -> impl Strategy<Value = Ttl> {
    prop_oneof![
        6 => Just(Ttl::Default),
        2 => Just(Ttl::Never),
        2 => Just(Ttl::Keep),
        3 => (0u64..3_000).prop_map(Ttl::In),
        2 => (-500i64..3_000).prop_map(Ttl::At),
        1 => Just(Ttl::AtEnd),
    ]
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        8 => Just(When::Always),
        1 => Just(When::Absent),
        1 => Just(When::Present),
        1 => Just(When::ThisVersion),
        1 => Just(When::OlderVersion),
        1 => Just(When::VersionZero),
    ]
}

pub fn step(range: Range) -> impl Strategy<Value = Step> {
    let Range { keys, largest_value, largest_cost, fills, bounds } = range;
    let key = move || 0..keys;
    let idle = prop_oneof![8 => Just(None), 2 => (1u64..3_000).prop_map(Some), 1 => Just(Some(0))];
    let cost = prop_oneof![4 => Just(None), 4 => (1..=largest_cost).prop_map(Some), 1 => Just(Some(0))];
    let set = (key(), recipe(largest_value), ttl(), idle, cost, when())
        .prop_map(|(key, value, ttl, idle, cost, when)| Step::Set { key, value, ttl, idle, cost, when });
    let mode = prop::sample::select(vec![ReadMode::Use, ReadMode::Use, ReadMode::Peek]);
    let answer = prop_oneof![
        1 => Just(Answer::Keep),
        1 => Just(Answer::Delete),
        3 => (recipe(largest_value), ttl()).prop_map(|(value, ttl)| Answer::Store(value, ttl)),
    ];
    let fill = (key(), 1..400u16, recipe(6_000)).prop_map(|(first, count, value)| Step::Fill { first, count, value });
    let mut kinds = vec![
        (14, set.boxed()),
        (8, (key(), mode).prop_map(|(key, mode)| Step::Read(key, mode)).boxed()),
        (1, key().prop_map(Step::Contains).boxed()),
        (3, (key(), when()).prop_map(|(key, when)| Step::Delete(key, when)).boxed()),
        (2, key().prop_map(Step::Take).boxed()),
        (3, (key(), prop_oneof![-3i64..3, Just(i64::MAX)]).prop_map(|(key, delta)| Step::Incr(key, delta)).boxed()),
        (2, (key(), answer).prop_map(|(key, answer)| Step::Transform(key, answer)).boxed()),
        (3, (key(), ttl()).prop_map(|(key, ttl)| Step::SetExpiry(key, ttl)).boxed()),
        (2, prop_oneof![4 => 1u64..2_000, 1 => Just(1 << 28)].prop_map(Step::Advance).boxed()),
        (1, (1u8..20).prop_map(Step::Maintain).boxed()),
        (1, Just(Step::Scan).boxed()),
        (1, (1u8..20, any::<bool>()).prop_map(|(limit, newest_first)| Step::Recency { limit, newest_first }).boxed()),
        (1, prop_oneof![2 => Just(Step::Scan), 1 => Just(Step::Clear)].boxed()),
    ];
    if fills {
        kinds.push((2, fill.boxed()));
    }
    if bounds.1 > bounds.0 {
        kinds.push((1, (bounds.0..=bounds.1).prop_map(Step::Resize).boxed()));
    }
    Union::new_weighted(kinds)
}
