//! Where an execution is when two verbs meet on it, and which verbs meet there.

use model::TimeoutBehavior;

use super::ask::Ask;

/// Where an execution is when two verbs meet on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Waiting,
    Blocked,
    /// Delayed, and due.
    Due,
    Children,
    Active,
    /// Active under an expired lease.
    Expired,
    Terminal,
    /// Active, with a pending waitpoint that has received a signal of the first of two sources.
    Early,
    /// Suspended until one signal.
    Suspended,
    /// Suspended until a second source; its timeout is overdue.
    Overdue(TimeoutBehavior),
}

impl Place {
    /// Returns what meets there: verbs that change something and one that
    /// must not.
    pub(super) fn asks(self) -> &'static [Ask] {
        match self {
            Self::Waiting => &[
                Ask::Claim,
                Ask::Cancel,
                Ask::Expire,
                Ask::Prioritize,
                Ask::Block,
                Ask::Unblock,
            ],
            Self::Blocked | Self::Children => &[
                Ask::Unblock,
                Ask::Cancel,
                Ask::Expire,
                Ask::Prioritize,
                Ask::Claim,
            ],
            Self::Due => &[
                Ask::Promote,
                Ask::Cancel,
                Ask::Expire,
                Ask::Prioritize,
                Ask::Claim,
            ],
            Self::Active => &[
                Ask::Renew,
                Ask::Progress,
                Ask::Complete,
                Ask::Fail,
                Ask::Delay,
                Ask::WaitChildren,
                Ask::Cancel,
                Ask::Expire,
                Ask::Revoke,
                Ask::Claim,
                Ask::SuspendFresh,
                Ask::SuspendKeyed,
                Ask::CreateWaitpoint,
            ],
            Self::Expired => &[
                Ask::Reclaim,
                Ask::Complete,
                Ask::Renew,
                Ask::Cancel,
                Ask::Revoke,
                Ask::SuspendFresh,
                Ask::CreateWaitpoint,
            ],
            Self::Terminal => &[Ask::Replay, Ask::Cancel, Ask::Claim, Ask::Complete],
            Self::Early => &[
                Ask::SuspendFresh,
                Ask::SuspendKeyed,
                Ask::SuspendPending,
                Ask::CreateWaitpoint,
                Ask::Hint,
                Ask::Signal,
                Ask::CloseWaitpoint,
                Ask::Renew,
                Ask::Complete,
                Ask::Cancel,
            ],
            Self::Suspended => &[
                Ask::Hint,
                Ask::Signal,
                Ask::Resume,
                Ask::CloseWaitpoint,
                Ask::Cancel,
                Ask::Expire,
                Ask::Prioritize,
                Ask::Claim,
            ],
            Self::Overdue(_) => &[
                Ask::Timeout,
                Ask::Hint,
                Ask::Signal,
                Ask::Resume,
                Ask::CloseWaitpoint,
                Ask::Cancel,
            ],
        }
    }
}
