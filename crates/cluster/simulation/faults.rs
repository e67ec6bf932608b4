//! What goes wrong in a seed.

use super::random::Random;

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The process is killed, and comes back after a while.
    Crash,
    /// The process is killed, and is back within 100 ms.
    CrashBriefly,
    /// The machine is gone: nothing refuses, nothing resets.
    Vanish,
    /// The process stands still.
    Pause,
    /// The process stands still again and again.
    Slow,
    /// The wall clock jumps.
    Skew,
    /// There is much less room than there was.
    Full,
    /// The process ends in good order, and comes back.
    Stop,
    /// Nothing gets through, for less than 300 ms.
    CutShort,
    /// Nothing gets through, for less than 1.2 s.
    CutMiddle,
    /// Nothing gets through, for longer than that.
    CutLong,
    /// Nothing gets through in one direction.
    CutOneWay,
    /// Connections are reset.
    Reset,
    /// Connections are reset, and refused for a while.
    Refuse,
    /// The way takes so long that a worker seems to be slow.
    Delay,
    /// A record is gone from a copy, and nobody knows.
    Rot,
    /// Nothing gets through from the start on, until both have begun alone.
    StartApart,
}

/// All of them.
pub const KINDS: [Kind; 17] = [
    Kind::Crash,
    Kind::CrashBriefly,
    Kind::Vanish,
    Kind::Pause,
    Kind::Slow,
    Kind::Skew,
    Kind::Full,
    Kind::Stop,
    Kind::CutShort,
    Kind::CutMiddle,
    Kind::CutLong,
    Kind::CutOneWay,
    Kind::Reset,
    Kind::Refuse,
    Kind::Delay,
    Kind::Rot,
    Kind::StartApart,
];

impl Kind {
    /// Whether data of one worker goes, or may if nobody is ready to take what it hands over.
    pub fn costs_a_copy(self) -> bool {
        matches!(self, Self::Crash | Self::CrashBriefly | Self::Vanish | Self::Stop | Self::Rot)
    }

    /// Whether the two may be unable to speak although both live.
    pub fn parts(self) -> bool {
        matches!(
            self,
            Self::CutMiddle | Self::CutLong | Self::CutOneWay | Self::StartApart | Self::Refuse | Self::Delay
        )
    }
}

/// One fault.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub kind: Kind,
    /// The worker that it hits.
    pub victim: usize,
    /// How long it lasts, in ms.
    pub lasts: u64,
    /// How long after the one before, or after everything was well again.
    pub pause: u64,
    /// The worker does not wait until everything is well again.
    pub at_once: bool,
    /// How far a clock jumps, in ms.
    pub jump: i64,
}

/// The faults of a seed: one, or several with time to recover, or several at a time.
pub fn plan(random: &mut Random) -> Vec<Fault> {
    let is_hasty = random.chance(25);
    let count = random.between(1, 3) + u64::from(is_hasty);
    let mut faults: Vec<Fault> = (0..count)
        .map(|index| {
            let kind = random.pick(&KINDS[..KINDS.len() - 1]);
            let lasts = match kind {
                Kind::Crash => random.between(100, 2_500),
                Kind::CrashBriefly => random.between(1, 99),
                Kind::Vanish => random.between(500, 4_000),
                Kind::Pause => random.pick(&[150, 250, 400, 1_000, 1_800, 3_000]) + random.below(100),
                Kind::Slow => random.between(500, 3_000),
                Kind::Skew => random.between(500, 3_000),
                Kind::Full => random.between(500, 2_500),
                Kind::Stop => random.between(50, 1_500),
                Kind::CutShort => random.between(20, 290),
                Kind::CutMiddle => random.between(300, 1_200),
                Kind::CutLong => random.between(1_500, 4_000),
                Kind::CutOneWay => random.between(100, 3_000),
                Kind::Reset => 0,
                Kind::Refuse => random.between(20, 600),
                Kind::Delay => random.between(500, 3_500),
                Kind::Rot => 2_500,
                Kind::StartApart => 0,
            };
            Fault {
                kind,
                victim: random.below(2) as usize,
                lasts,
                pause: if is_hasty { random.below(1_500) } else { random.below(300) },
                at_once: is_hasty && index > 0,
                jump: random.pick(&[-4_000, -600, -100, 100, 700, 5_000]),
            }
        })
        .collect();
    if random.chance(4) {
        let lasts = random.between(2_500, 4_000);
        faults.insert(0, Fault { kind: Kind::StartApart, victim: 0, lasts, pause: 0, at_once: true, jump: 0 });
    }
    faults
}
