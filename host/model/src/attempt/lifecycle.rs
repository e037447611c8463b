//! Why an attempt exists, and how its leases end.

use crate::wire::named;

named! {
    /// Why an attempt exists. Labels of the Postgres enum `attempt_type`.
    pub enum AttemptType ("attempt type") {
        /// It is the first attempt.
        Initial = "initial",
        /// The last one failed, and the retry policy allowed another.
        Retry = "retry",
        /// The last lease ended without an outcome.
        Reclaim = "reclaim",
        /// An operator replayed the finished execution.
        Replay = "replay",
        /// A fallback tier took over.
        Fallback = "fallback",
    }
}

named! {
    /// How a lease on an attempt ended. Labels of the Postgres enum
    /// `attempt_end`.
    ///
    /// An attempt that is interrupted and continued has one row for each lease;
    /// `Delayed`, `WaitingChildren` and `Suspended` end a lease and not the
    /// attempt.
    pub enum AttemptEnd ("attempt end") {
        /// The holder recorded a result.
        Success = "success",
        /// The attempt failed.
        Failure = "failure",
        /// The execution was cancelled.
        Cancelled = "cancelled",
        /// A time limit passed.
        Expired = "expired",
        /// The lease expired.
        LeaseExpired = "lease_expired",
        /// The lease was revoked.
        LeaseRevoked = "lease_revoked",
        /// The host returned the execution without running it.
        Released = "released",
        /// The holder delayed the execution.
        Delayed = "delayed",
        /// The holder lets the execution wait for its children.
        WaitingChildren = "waiting_children",
        /// The holder suspended the execution.
        Suspended = "suspended",
    }
}

named! {
    /// Why a lease that is to be revoked is gone already.
    pub enum AlreadySatisfied ("already satisfied") {
        /// The lease was revoked before.
        AlreadyRevoked = "already_revoked",
        /// The lease expired and was taken back.
        AlreadyExpired = "already_expired",
    }
}

named! {
    /// The state of one attempt.
    pub enum AttemptLifecycle ("attempt lifecycle") {
        /// The attempt runs.
        Started = "started",
        /// It was interrupted and continues later.
        Suspended = "suspended",
        /// It ended with a result.
        EndedSuccess = "ended_success",
        /// It ended with a failure or at a time limit.
        EndedFailure = "ended_failure",
        /// It ended by a cancellation.
        EndedCancelled = "ended_cancelled",
        /// Its lease ended without an outcome.
        InterruptedReclaimed = "interrupted_reclaimed",
    }
}

impl AttemptEnd {
    /// Returns why a lease that ended so cannot be revoked any more; `None` unless it
    /// was lost.
    pub const fn already(self) -> Option<AlreadySatisfied> {
        match self {
            Self::LeaseRevoked => Some(AlreadySatisfied::AlreadyRevoked),
            Self::LeaseExpired => Some(AlreadySatisfied::AlreadyExpired),
            _ => None,
        }
    }

    /// Returns the state of the attempt after its lease ended so.
    pub const fn lifecycle(self) -> AttemptLifecycle {
        match self {
            Self::Success => AttemptLifecycle::EndedSuccess,
            Self::Failure | Self::Expired => AttemptLifecycle::EndedFailure,
            Self::Cancelled => AttemptLifecycle::EndedCancelled,
            Self::LeaseExpired | Self::LeaseRevoked | Self::Released => {
                AttemptLifecycle::InterruptedReclaimed
            }
            Self::Delayed | Self::WaitingChildren | Self::Suspended => AttemptLifecycle::Suspended,
        }
    }
}
