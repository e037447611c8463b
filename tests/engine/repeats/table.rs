//! What a repeat of each verb is answered with.

use self::Expected::{Does, Refused, Same};

/// What a repeat is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// What the first was answered with, and nothing happens.
    Same,
    /// It is another request, and does what it says.
    Does,
    /// This refusal.
    Refused(&'static str),
}

/// One verb: asked again immediately, later, of another host after the answer was lost, and
/// immediately with something else in it (absent where it says nothing that could differ).
pub(super) struct Row(
    pub(super) Verb,
    pub(super) Expected,
    pub(super) Expected,
    pub(super) Expected,
    pub(super) Option<Expected>,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    // Of a holder.
    Renew,
    Progress,
    Complete,
    FailRetried,
    FailForGood,
    TimedOut,
    Delay,
    WaitChildren,
    Release,
    CancelHeld,
    Suspend,
    SuspendUntil,
    SuspendKeyed,
    CreateWaitpoint,
    CloseHeldWaitpoint,
    // Of an operator.
    Cancel,
    Expire,
    Revoke,
    RevokeAny,
    Replay,
    Prioritize,
    Block,
    Unblock,
    Resume,
    Tag,
    CompleteOverride,
    FailOverride,
    DelayOverride,
    WaitChildrenOverride,
    CloseWaitpoint,
    // Of any caller.
    Create,
    Signal,
    ClaimGrant,
}

const NOT_ACTIVE: Expected = Refused("execution_not_active");

/// Later, an hour has passed, sweeps have run, what could run was finished by another
/// worker, and the lane takes no work; and what a holder ended was replayed as well, and
/// runs again.
pub(super) const TABLE: &[Row] = &[
    // A lease that ended is not renewed, and its progress is not kept.
    Row(Verb::Renew, Does, Refused("stale_lease"), Does, None),
    Row(
        Verb::Progress,
        Same,
        Refused("stale_lease"),
        Same,
        Some(Does),
    ),
    Row(Verb::Complete, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::FailRetried, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::FailForGood, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::TimedOut, Same, Same, Same, None),
    Row(Verb::Delay, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::WaitChildren, Same, Same, Same, None),
    Row(Verb::Release, Same, Same, Same, None),
    Row(Verb::CancelHeld, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::Suspend, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::SuspendUntil, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::SuspendKeyed, Same, Same, Same, Some(NOT_ACTIVE)),
    // A worker that lost the lease gets no token.
    Row(
        Verb::CreateWaitpoint,
        Same,
        Refused("stale_lease"),
        Same,
        None,
    ),
    Row(Verb::CloseHeldWaitpoint, Same, Same, Same, None),
    Row(Verb::Cancel, Same, Same, Same, Some(Same)),
    Row(Verb::Expire, Same, Same, Same, Some(Same)),
    Row(
        Verb::Revoke,
        Same,
        Same,
        Same,
        Some(Refused("no_active_lease")),
    ),
    Row(
        Verb::RevokeAny,
        Same,
        Refused("no_active_lease"),
        Same,
        None,
    ),
    // It has ended again meanwhile.
    Row(
        Verb::Replay,
        Same,
        Does,
        Same,
        Some(Refused("execution_not_terminal")),
    ),
    Row(Verb::Prioritize, Same, Same, Same, Some(Does)),
    Row(
        Verb::Block,
        Same,
        Same,
        Same,
        Some(Refused("execution_not_eligible")),
    ),
    Row(
        Verb::Unblock,
        Same,
        Same,
        Same,
        Some(Refused("execution_not_eligible")),
    ),
    Row(
        Verb::Resume,
        Same,
        Same,
        Same,
        Some(Refused("execution_not_suspended")),
    ),
    Row(Verb::Tag, Same, Same, Same, Some(Does)),
    Row(Verb::CompleteOverride, Same, Same, Same, Some(NOT_ACTIVE)),
    // Another lease has ended since, which it may have been meant for.
    Row(Verb::FailOverride, Same, NOT_ACTIVE, Same, Some(NOT_ACTIVE)),
    Row(
        Verb::DelayOverride,
        Same,
        NOT_ACTIVE,
        Same,
        Some(NOT_ACTIVE),
    ),
    Row(Verb::WaitChildrenOverride, Same, NOT_ACTIVE, Same, None),
    Row(Verb::CloseWaitpoint, Same, Same, Same, None),
    Row(
        Verb::Create,
        Same,
        Same,
        Same,
        Some(Refused("idempotency_conflict")),
    ),
    Row(Verb::Signal, Same, Same, Same, Some(Same)),
    Row(
        Verb::ClaimGrant,
        Refused("grant_already_exists"),
        Refused("execution_not_eligible"),
        Refused("grant_already_exists"),
        Some(Refused("grant_already_exists")),
    ),
];
