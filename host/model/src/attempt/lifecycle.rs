//! Attempts: numbered tries at an execution.

use crate::wire::named;

named! {
    /// Why an attempt exists. Labels of the Postgres enum `attempt_type`.
    pub enum AttemptType ("attempt type") {
        /// The first.
        Initial = "initial",
        /// After a failure the retry policy allowed.
        Retry = "retry",
        /// After a lease that ended without an outcome.
        Reclaim = "reclaim",
        /// After an operator replayed a finished execution.
        Replay = "replay",
        /// After a fallback tier took over.
        Fallback = "fallback",
    }
}

named! {
    /// How a lease on an attempt ended. Labels of the Postgres enum
    /// `attempt_end`.
    ///
    /// An attempt that is put down and taken up again has one row per lease;
    /// `Delayed`, `WaitingChildren` and `Suspended` end a lease and not the
    /// attempt.
    pub enum AttemptEnd ("attempt end") {
        /// With a result.
        Success = "success",
        /// With a failure.
        Failure = "failure",
        /// By a cancellation.
        Cancelled = "cancelled",
        /// By a time limit.
        Expired = "expired",
        /// The lease lapsed.
        LeaseExpired = "lease_expired",
        /// The lease was revoked.
        LeaseRevoked = "lease_revoked",
        /// The host gave the work back untouched.
        Released = "released",
        /// Put down until a time.
        Delayed = "delayed",
        /// Put down until other executions finished.
        WaitingChildren = "waiting_children",
        /// Put down until a signal.
        Suspended = "suspended",
    }
}

named! {
    /// Why a lease that is to be taken away is gone already.
    pub enum AlreadySatisfied ("already satisfied") {
        /// It was revoked before.
        AlreadyRevoked = "already_revoked",
        /// It lapsed and was taken back.
        AlreadyExpired = "already_expired",
    }
}

named! {
    /// Where one attempt stands.
    pub enum AttemptLifecycle ("attempt lifecycle") {
        /// Runs.
        Started = "started",
        /// Put down, goes on later.
        Suspended = "suspended",
        /// Ended with a result.
        EndedSuccess = "ended_success",
        /// Ended with a failure or by a time limit.
        EndedFailure = "ended_failure",
        /// Ended by a cancellation.
        EndedCancelled = "ended_cancelled",
        /// Its lease ended without an outcome.
        InterruptedReclaimed = "interrupted_reclaimed",
    }
}

impl AttemptEnd {
    /// Returns why a lease that ended so cannot be taken away any more, if it was lost.
    pub const fn already(self) -> Option<AlreadySatisfied> {
        match self {
            Self::LeaseRevoked => Some(AlreadySatisfied::AlreadyRevoked),
            Self::LeaseExpired => Some(AlreadySatisfied::AlreadyExpired),
            _ => None,
        }
    }

    /// Returns where the attempt stands after its lease ended so.
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
