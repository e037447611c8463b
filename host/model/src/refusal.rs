//! Refusals: expected answers, one enum per group of verbs that shares them, each beside
//! the noun it is about. What every interface reads of them is here.

use serde::Serialize;
use serde_json::Value;

use crate::{
    ApiKeyRefusal, AppendRefusal, BlockingReason, EventFamily, EventPlace, ExecutionId,
    FlowCancelRefusal, FlowRefusal, GrantRefusal, Invalid, InvalidWaitpointToken, KeyRetireRefusal,
    KeyRotateRefusal, LaneState, Outcome, RedeemRefusal, RefusalCode, RegisterRefusal,
    SignalRefusal, StateKind, StreamRefusal, SuspendRefusal, WaitpointRefusal, WebhookRefusal,
    WorkerRefusal,
};

/// An answer of a verb that did not do what it was asked, for a reason the caller can
/// act on. Its text is for people.
pub trait Refusal: std::error::Error + Clone + Send + Sync + 'static {
    /// Returns what programs read of it: its code and the facts beside it.
    fn told(&self) -> Told;

    /// Returns the code as text.
    fn code(&self) -> &'static str {
        self.told().code.as_str()
    }
}

/// What programs read of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The stable code by which every interface names the refusal.
    pub code: RefusalCode,
    /// The facts that a program may need beside the code, each with a name: texts, numbers,
    /// lists of texts.
    pub members: Vec<(&'static str, Value)>,
}

impl Told {
    /// Adds a fact, unless it is absent.
    #[must_use]
    pub fn with(mut self, name: &'static str, fact: impl Serialize) -> Self {
        let fact = serde_json::to_value(fact).expect("invariant: facts are texts and numbers");
        if !fact.is_null() {
            self.members.push((name, fact));
        }
        self
    }
}

impl RefusalCode {
    /// Tells the code without further facts.
    pub const fn alone(self) -> Told {
        Told {
            code: self,
            members: Vec::new(),
        }
    }

    /// Tells the code with a fact, unless that is absent.
    pub fn with(self, name: &'static str, fact: impl Serialize) -> Told {
        self.alone().with(name, fact)
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
    ApiKeyRefusal, AppendRefusal, CancelRefusal, CreateRefusal, EventsRefusal, FlowCancelRefusal,
    FlowRefusal, GrantRefusal, InvalidWaitpointToken, KeyRetireRefusal,
    KeyRotateRefusal, LeaseRefusal, OperateRefusal, RedeemRefusal, RegisterRefusal,
    SignalRefusal, StreamRefusal, SuspendRefusal, WaitpointRefusal, WebhookRefusal, WorkerRefusal,
}

impl Refusal for Invalid {
    fn told(&self) -> Told {
        self.code.with("field", self.field)
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
    fn told(&self) -> Told {
        match self {
            Self::ExecutionNotFound => RefusalCode::ExecutionNotFound.alone(),
            Self::ExecutionNotActive {
                state,
                outcome,
                epoch,
            } => RefusalCode::ExecutionNotActive
                .with("state", state)
                .with("outcome", outcome)
                .with("epoch", epoch),
            Self::LeaseRevoked => RefusalCode::LeaseRevoked.alone(),
            Self::LeaseExpired => RefusalCode::LeaseExpired.alone(),
            Self::StaleLease => RefusalCode::StaleLease.alone(),
            Self::Invalid(invalid) => invalid.told(),
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
    fn told(&self) -> Told {
        match self {
            Self::IdempotencyConflict { existing } => {
                RefusalCode::IdempotencyConflict.with("existing", existing)
            }
            Self::UnknownKind(kind) => RefusalCode::UnknownKind.with("kind", kind),
            Self::LaneDisabled { lane, state } => RefusalCode::LaneDisabled
                .with("lane", lane)
                .with("state", state),
            Self::IdConflict { id } => RefusalCode::IdConflict.with("id", id),
            Self::NotOffered { field } => RefusalCode::NotOffered.with("field", field),
            Self::Invalid(invalid) => invalid.told(),
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
    fn told(&self) -> Told {
        match self {
            Self::ExecutionNotFound => RefusalCode::ExecutionNotFound.alone(),
            Self::ExecutionNotActive { outcome } => {
                RefusalCode::ExecutionNotActive.with("outcome", outcome)
            }
            Self::Invalid(invalid) => invalid.told(),
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
    /// The execution waits for other members of its flow.
    #[error("the execution waits for other members of its flow; cancel, complete or replay those")]
    DepsNotSatisfied,
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
    fn told(&self) -> Told {
        match self {
            Self::ExecutionNotFound => RefusalCode::ExecutionNotFound.alone(),
            Self::ExecutionNotActive { state, outcome } => RefusalCode::ExecutionNotActive
                .with("state", state)
                .with("outcome", outcome),
            Self::ExecutionNotEligible {
                state,
                outcome,
                reason,
            } => RefusalCode::ExecutionNotEligible
                .with("state", state)
                .with("outcome", outcome)
                .with("blocking_reason", reason),
            Self::DepsNotSatisfied => RefusalCode::DepsNotSatisfied.alone(),
            Self::ExecutionNotTerminal { state } => {
                RefusalCode::ExecutionNotTerminal.with("state", state)
            }
            Self::ExecutionNotSuspended { state, outcome } => RefusalCode::ExecutionNotSuspended
                .with("state", state)
                .with("outcome", outcome),
            Self::MaxReplaysExhausted { replays } => {
                RefusalCode::MaxReplaysExhausted.with("replays", replays)
            }
            Self::NoActiveLease { state, outcome } => RefusalCode::NoActiveLease
                .with("state", state)
                .with("outcome", outcome),
            Self::StaleLease => RefusalCode::StaleLease.alone(),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}

/// Why events were not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventsRefusal {
    /// A field is missing or wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The text is not a cursor of this family of events and this generation of the
    /// instance.
    #[error(
        "is not a cursor of the events of {family} of this instance: begin again with one that was given for them, from the beginning, or from now"
    )]
    InvalidCursor {
        /// The family that was read.
        family: EventFamily,
    },
    /// Events after the cursor were removed.
    #[error(
        "the events after {after} are no longer kept: read the state again, then continue from {floor}"
    )]
    CursorTooOld {
        /// Where the reader was.
        after: EventPlace,
        /// The last place that was removed: every event after it is kept.
        floor: EventPlace,
    },
}

impl Refusal for EventsRefusal {
    fn told(&self) -> Told {
        match self {
            Self::Invalid(invalid) => invalid.told(),
            Self::InvalidCursor { .. } => RefusalCode::InvalidCursor.alone(),
            Self::CursorTooOld { .. } => RefusalCode::CursorTooOld.alone(),
        }
    }
}
