//! Refusals: expected answers, one enum per group of verbs that shares them.

use crate::{
    BlockingReason, Cursor, ExecutionId, GrantRefusal, Invalid, InvalidToken, KeyRetireRefusal,
    KeyRotateRefusal, LaneState, Outcome, RedeemRefusal, RegisterRefusal, SignalRefusal, StateKind,
    SuspendRefusal, WaitpointRefusal, WorkerRefusal,
};

/// An answer of a verb that did not do what it was asked, for a reason the caller can
/// act on.
pub trait Refusal: std::error::Error + Clone + Send + Sync + 'static {
    /// Returns the stable code by which every interface names it.
    fn code(&self) -> &'static str;
}

macro_rules! refusals {
    ($($refusal:ty),+ $(,)?) => {$(
        impl Refusal for $refusal {
            fn code(&self) -> &'static str {
                self.code()
            }
        }
    )+};
}

refusals! {
    CancelRefusal, CreateRefusal, EventsRefusal, GrantRefusal, KeyRetireRefusal,
    KeyRotateRefusal, LeaseRefusal, OperateRefusal, RedeemRefusal, RegisterRefusal,
    SignalRefusal, SuspendRefusal, WaitpointRefusal, WorkerRefusal,
}

impl Refusal for Invalid {
    fn code(&self) -> &'static str {
        "invalid_input"
    }
}

impl Refusal for InvalidToken {
    fn code(&self) -> &'static str {
        Self::code(*self)
    }
}

/// Why a write under a lease was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseRefusal {
    /// No such execution.
    #[error("no such execution")]
    ExecutionNotFound,
    /// The execution does not run.
    #[error("the execution is {}, not active (epoch {epoch})", shown(*state, *outcome))]
    ExecutionNotActive {
        /// What it does instead.
        state: StateKind,
        /// How it ended, if it did.
        outcome: Option<Outcome>,
        /// Its present epoch.
        epoch: u64,
    },
    /// The lease was taken away.
    #[error("the lease was revoked")]
    LeaseRevoked,
    /// The lease lapsed.
    #[error("the lease has expired")]
    LeaseExpired,
    /// The execution runs under another lease.
    #[error("the execution runs under another lease")]
    StaleLease,
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl LeaseRefusal {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ExecutionNotFound => "execution_not_found",
            Self::ExecutionNotActive { .. } => "execution_not_active",
            Self::LeaseRevoked => "lease_revoked",
            Self::LeaseExpired => "lease_expired",
            Self::StaleLease => "stale_lease",
            Self::Invalid(_) => "invalid_input",
        }
    }
}

fn shown(state: StateKind, outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(outcome) => outcome.as_str(),
        None => state.as_str(),
    }
}

/// Why an execution was not created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateRefusal {
    /// The key was used before with another request.
    #[error(
        "the idempotency key was used before with another request; it made execution {existing}"
    )]
    IdempotencyConflict {
        /// What the first request made.
        existing: ExecutionId,
    },
    /// Nobody is known to handle that kind.
    #[error(
        "nothing handles kind `{0}`: publish a component for it with `flowhost component publish FILE --kind {0}`, or define it with PUT /v1/kinds/{0}"
    )]
    UnknownKind(String),
    /// The lane takes no new work.
    #[error("lane `{lane}` is {state}: it takes no new work")]
    LaneDisabled {
        /// Which.
        lane: String,
        /// Draining or disabled.
        state: LaneState,
    },
    /// The id belongs to an execution that another request made, in this namespace
    /// or in another: which of them is not told.
    #[error(
        "the id {id} belongs to an execution that another request made; leave it out to have one made"
    )]
    IdConflict {
        /// The id that was asked for.
        id: ExecutionId,
    },
    /// The request names what the contract has and this version does not act on.
    #[error("{field} is not offered by this version; leave it out")]
    NotOffered {
        /// The member.
        field: &'static str,
    },
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl CreateRefusal {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::IdempotencyConflict { .. } => "idempotency_conflict",
            Self::UnknownKind(_) => "unknown_kind",
            Self::LaneDisabled { .. } => "lane_disabled",
            Self::IdConflict { .. } => "id_conflict",
            Self::NotOffered { .. } => "not_offered",
            Self::Invalid(_) => "invalid_input",
        }
    }
}

/// Why an execution was not cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelRefusal {
    /// No such execution.
    #[error("no such execution")]
    ExecutionNotFound,
    /// It ended some other way first.
    #[error("the execution ended as {outcome} before it could be cancelled")]
    ExecutionNotActive {
        /// How.
        outcome: Outcome,
    },
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl CancelRefusal {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ExecutionNotFound => "execution_not_found",
            Self::ExecutionNotActive { .. } => "execution_not_active",
            Self::Invalid(_) => "invalid_input",
        }
    }
}

/// Why a verb that needs no fence was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperateRefusal {
    /// No such execution.
    #[error("no such execution")]
    ExecutionNotFound,
    /// The execution is finished, or does not run where it must.
    #[error("the execution is {}", shown(*state, *outcome))]
    ExecutionNotActive {
        /// What it does instead.
        state: StateKind,
        /// How it ended, if it did.
        outcome: Option<Outcome>,
    },
    /// The execution is in no state in which this can be done.
    #[error("the execution is {} ({reason}), in which this cannot be done", shown(*state, *outcome))]
    ExecutionNotEligible {
        /// Where it is.
        state: StateKind,
        /// How it ended, if it did.
        outcome: Option<Outcome>,
        /// What it waits for.
        reason: BlockingReason,
    },
    /// The execution is not finished.
    #[error("the execution is {state}; only a finished one can be replayed")]
    ExecutionNotTerminal {
        /// What it does instead.
        state: StateKind,
    },
    /// The execution waits for no signal.
    #[error("the execution is {}, not suspended", shown(*state, *outcome))]
    ExecutionNotSuspended {
        /// What it does instead.
        state: StateKind,
        /// How it ended, if it did.
        outcome: Option<Outcome>,
    },
    /// The execution was replayed as often as its policy allows.
    #[error("the execution was replayed {replays} times, which is all its policy allows")]
    MaxReplaysExhausted {
        /// How often.
        replays: u32,
    },
    /// Nobody holds a lease on the execution.
    #[error("the execution is {}: there is no lease", shown(*state, *outcome))]
    NoActiveLease {
        /// What it does instead.
        state: StateKind,
        /// How it ended, if it did.
        outcome: Option<Outcome>,
    },
    /// The execution runs under another lease than the caller expected.
    #[error("the execution runs under another lease")]
    StaleLease,
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl OperateRefusal {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ExecutionNotFound => "execution_not_found",
            Self::ExecutionNotActive { .. } => "execution_not_active",
            Self::ExecutionNotEligible { .. } => "execution_not_eligible",
            Self::ExecutionNotTerminal { .. } => "execution_not_terminal",
            Self::ExecutionNotSuspended { .. } => "execution_not_suspended",
            Self::MaxReplaysExhausted { .. } => "max_replays_exhausted",
            Self::NoActiveLease { .. } => "no_active_lease",
            Self::StaleLease => "stale_lease",
            Self::Invalid(_) => "invalid_input",
        }
    }
}

/// Why events were not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventsRefusal {
    /// Events after the cursor were removed.
    #[error(
        "the events after {after} are no longer kept: read the state anew, then go on from {floor}"
    )]
    CursorTooOld {
        /// Where the reader was.
        after: Cursor,
        /// The last place that was removed: every event after it is kept.
        floor: Cursor,
    },
}

impl EventsRefusal {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CursorTooOld { .. } => "cursor_too_old",
        }
    }
}
