//! Defects that the simulator has to find. They can be chosen only with the feature `planted`, never in a release.

/// A defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// A write is acknowledged before the partner has it.
    AcknowledgeEarly,
    /// A worker that was away itself takes the partner for silent.
    SoloAfterOwnGap,
    /// Who is primary of an older term counts.
    IgnoreTerm,
    /// A worker without data answers.
    EmptyAnswers,
    /// What comes later wins.
    MergeByArrival,
    /// Halves are merged although one of them should follow.
    MergeForFollow,
    /// An eviction does not raise the floor.
    ForgetFloor,
    /// A connection that was reset counts as a dead partner.
    ResetIsDeath,
    /// A slow partner is left behind before it knows.
    SoloUnconfirmed,
    /// A process starts with the incarnation of the one before.
    ReuseIncarnation,
    /// A changed slot is not remembered.
    WrongDirtyBit,
    /// A batch that got lost is not asked for again.
    LostCredit,
}
