//! Refusals: expected answers, one enum per group of verbs that shares them, each beside
//! the noun it is about. What every interface reads of them is here.

use crate::{
    ApiKeyRefusal, BlockingReason, Cursor, ExecutionId, GrantRefusal, Invalid,
    InvalidWaitpointToken, KeyRetireRefusal, KeyRotateRefusal, LaneState, Outcome, RedeemRefusal,
    RefusalCode, RegisterRefusal, SignalRefusal, StateKind, SuspendRefusal, WaitpointRefusal,
    WorkerRefusal,
};

/// An answer of a verb that did not do what it was asked, for a reason the caller can
/// act on. Its text is for people.
pub trait Refusal: std::error::Error + Clone + Send + Sync + 'static {
    /// Returns the stable code by which every interface names it.
    fn refusal_code(&self) -> RefusalCode;

    /// Returns the code as text.
    fn code(&self) -> &'static str {
        self.refusal_code().as_str()
    }

    /// Returns the facts that a program may need beside the code, each with a name.
    fn members(&self) -> Vec<(&'static str, Member)> {
        Vec::new()
    }
}

/// Gives refusals of this crate their code also without the trait in scope.
macro_rules! with_code {
    ($($refusal:ty),+ $(,)?) => {$(
        impl $refusal {
            /// Returns the stable code by which every interface names it.
            pub fn code(&self) -> &'static str {
                Refusal::code(self)
            }
        }
    )+};
}

with_code! {
    ApiKeyRefusal, CancelRefusal, CreateRefusal, EventsRefusal, GrantRefusal, InvalidWaitpointToken, KeyRetireRefusal,
    KeyRotateRefusal, LeaseRefusal, OperateRefusal, RedeemRefusal, RegisterRefusal,
    SignalRefusal, SuspendRefusal, WaitpointRefusal, WorkerRefusal,
}

/// A fact that a refusal tells programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// A name, an id or a word.
    Text(String),
    /// A count or an epoch.
    Number(u64),
    /// Several names.
    Texts(Vec<String>),
}

impl Member {
    /// Tells a value by its text.
    pub fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }
}

impl Refusal for Invalid {
    fn refusal_code(&self) -> RefusalCode {
        self.code
    }

    fn members(&self) -> Vec<(&'static str, Member)> {
        vec![("field", Member::text(self.field))]
    }
}

/// Tells where an execution is, and how it ended if it did.
fn whereabouts(state: StateKind, outcome: Option<Outcome>) -> Vec<(&'static str, Member)> {
    let outcome = outcome.map(|outcome| ("outcome", Member::text(outcome)));
    let state = ("state", Member::text(state));
    std::iter::once(state).chain(outcome).collect()
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
        /// The present epoch of the execution.
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

impl Refusal for LeaseRefusal {
    fn refusal_code(&self) -> RefusalCode {
        match self {
            Self::ExecutionNotFound => RefusalCode::ExecutionNotFound,
            Self::ExecutionNotActive { .. } => RefusalCode::ExecutionNotActive,
            Self::LeaseRevoked => RefusalCode::LeaseRevoked,
            Self::LeaseExpired => RefusalCode::LeaseExpired,
            Self::StaleLease => RefusalCode::StaleLease,
            Self::Invalid(invalid) => invalid.code,
        }
    }

    fn members(&self) -> Vec<(&'static str, Member)> {
        match self {
            Self::ExecutionNotActive {
                state,
                outcome,
                epoch,
            } => {
                let mut members = whereabouts(*state, *outcome);
                members.push(("epoch", Member::Number(*epoch)));
                members
            }
            Self::Invalid(invalid) => invalid.members(),
            _ => Vec::new(),
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
    /// No component and no worker is known to handle that kind.
    #[error(
        "nothing handles kind `{0}`: publish a component for it with `flowhost component publish FILE --kind {0}`, or define it with PUT /v1/kinds/{0}"
    )]
    UnknownKind(String),
    /// The lane takes no new work.
    #[error("lane `{lane}` is {state}: it takes no new work")]
    LaneDisabled {
        /// The lane that was named.
        lane: String,
        /// What the lane does: drain, or nothing.
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
        /// The member of the request.
        field: &'static str,
    },
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for CreateRefusal {
    fn refusal_code(&self) -> RefusalCode {
        match self {
            Self::IdempotencyConflict { .. } => RefusalCode::IdempotencyConflict,
            Self::UnknownKind(_) => RefusalCode::UnknownKind,
            Self::LaneDisabled { .. } => RefusalCode::LaneDisabled,
            Self::IdConflict { .. } => RefusalCode::IdConflict,
            Self::NotOffered { .. } => RefusalCode::NotOffered,
            Self::Invalid(invalid) => invalid.code,
        }
    }

    fn members(&self) -> Vec<(&'static str, Member)> {
        match self {
            Self::IdempotencyConflict { existing } => vec![("existing", Member::text(existing))],
            Self::UnknownKind(kind) => vec![("kind", Member::text(kind))],
            Self::LaneDisabled { lane, state } => {
                vec![("lane", Member::text(lane)), ("state", Member::text(state))]
            }
            Self::IdConflict { id } => vec![("id", Member::text(id))],
            Self::NotOffered { field } => vec![("field", Member::text(field))],
            Self::Invalid(invalid) => invalid.members(),
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
        /// How the execution ended.
        outcome: Outcome,
    },
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for CancelRefusal {
    fn refusal_code(&self) -> RefusalCode {
        match self {
            Self::ExecutionNotFound => RefusalCode::ExecutionNotFound,
            Self::ExecutionNotActive { .. } => RefusalCode::ExecutionNotActive,
            Self::Invalid(invalid) => invalid.code,
        }
    }

    fn members(&self) -> Vec<(&'static str, Member)> {
        match self {
            Self::ExecutionNotFound => Vec::new(),
            Self::ExecutionNotActive { outcome } => vec![("outcome", Member::text(outcome))],
            Self::Invalid(invalid) => invalid.members(),
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
        /// The state it is in.
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
        /// How often it was replayed.
        replays: u32,
    },
    /// No worker holds a lease on the execution.
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

impl Refusal for OperateRefusal {
    fn refusal_code(&self) -> RefusalCode {
        match self {
            Self::ExecutionNotFound => RefusalCode::ExecutionNotFound,
            Self::ExecutionNotActive { .. } => RefusalCode::ExecutionNotActive,
            Self::ExecutionNotEligible { .. } => RefusalCode::ExecutionNotEligible,
            Self::ExecutionNotTerminal { .. } => RefusalCode::ExecutionNotTerminal,
            Self::ExecutionNotSuspended { .. } => RefusalCode::ExecutionNotSuspended,
            Self::MaxReplaysExhausted { .. } => RefusalCode::MaxReplaysExhausted,
            Self::NoActiveLease { .. } => RefusalCode::NoActiveLease,
            Self::StaleLease => RefusalCode::StaleLease,
            Self::Invalid(invalid) => invalid.code,
        }
    }

    fn members(&self) -> Vec<(&'static str, Member)> {
        match self {
            Self::ExecutionNotActive { state, outcome }
            | Self::ExecutionNotSuspended { state, outcome }
            | Self::NoActiveLease { state, outcome } => whereabouts(*state, *outcome),
            Self::ExecutionNotEligible {
                state,
                outcome,
                reason,
            } => {
                let mut members = whereabouts(*state, *outcome);
                members.push(("blocking_reason", Member::text(reason)));
                members
            }
            Self::ExecutionNotTerminal { state } => whereabouts(*state, None),
            Self::MaxReplaysExhausted { replays } => {
                vec![("replays", Member::Number((*replays).into()))]
            }
            Self::Invalid(invalid) => invalid.members(),
            Self::ExecutionNotFound | Self::StaleLease => Vec::new(),
        }
    }
}

/// Why events were not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventsRefusal {
    /// Events after the cursor were removed.
    #[error(
        "the events after {after} are no longer kept: read the state again, then continue from {floor}"
    )]
    CursorTooOld {
        /// Where the reader was.
        after: Cursor,
        /// The last place that was removed: every event after it is kept.
        floor: Cursor,
    },
}

impl Refusal for EventsRefusal {
    fn refusal_code(&self) -> RefusalCode {
        match self {
            Self::CursorTooOld { .. } => RefusalCode::CursorTooOld,
        }
    }
}
