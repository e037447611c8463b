//! What an event says, typed by its family.
//!
//! Names are FlowFabric's. What a later version writes and this one does not know is
//! carried through by its word.

use std::fmt;

use serde::Serialize;

use crate::wire::named;
use crate::{LeaseEnd, SignalId, WaitpointId};

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventFact {
    /// Of the family `lease_history`.
    Lease(LeaseFact),
    /// Of the family `completion`.
    Completion(CompletionOutcome),
    /// Of the family `signal_delivery`.
    Signal(DeliveredSignal),
    /// Of the family `instance_tags`.
    Tag(TagFact),
    /// Of the family `operator`.
    Operator(OperatorFact),
    /// Of the family `registry`.
    Worker(WorkerFact),
    /// Of the family `flow`.
    Flow(FlowFact),
    /// Of the family `lifecycle`: the name of what happened.
    Lifecycle(String),
}

/// What happened to a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseFact {
    /// A worker took it.
    Acquired,
    /// Its holder renewed it.
    Renewed,
    /// Its time, or that of its attempt, passed.
    Expired(LeaseEnd),
    /// A worker took the execution again after its lease was lost.
    Reclaimed,
    /// It was taken from its holder.
    Revoked(RevokedBy),
    /// Its holder ended it, in this way: the name of what happened to the execution.
    Released(String),
    /// What this version does not know.
    Other(String),
}

named! {
    /// Who took a lease from its holder.
    pub enum RevokedBy ("source of a revocation") {
        /// An operator, or a caller with that role.
        Operator = "operator",
        /// A sweep that found a time limit of the execution to have passed.
        Reconciler = "reconciler",
        /// The engine itself.
        Backend = "backend",
    }
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompletionOutcome {
    /// It succeeded.
    Success,
    /// It failed.
    Failure,
    /// It was cancelled.
    Cancelled,
    /// Any other end by its word: `expired`, `skipped`, or one of a later version.
    Other(String),
}

/// A signal that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredSignal {
    /// The signal; of a repeated delivery, the first one. Absent if the event does not say.
    pub signal_id: Option<SignalId>,
    /// Where it arrived; absent if the event does not say.
    pub waitpoint_id: Option<WaitpointId>,
    /// Who sent it; absent if the event does not say.
    pub source_identity: Option<String>,
    /// What it did to the waitpoint.
    pub effect: SignalDeliveryEffect,
}

/// What a delivered signal did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignalDeliveryEffect {
    /// The condition of the suspension was satisfied.
    Satisfied,
    /// It is kept for a suspension to come.
    Buffered,
    /// It repeats one that was delivered with the same idempotency key.
    Deduped,
    /// Any other effect by its word.
    Other(String),
}

/// A label that was attached or cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagFact {
    /// It was attached, or its value changed.
    Attached {
        /// Key of the label.
        key: String,
        /// Its value, empty if it has none.
        value: String,
    },
    /// It was removed.
    Cleared {
        /// Key of the label.
        key: String,
    },
    /// Labels changed; an earlier version did not say which.
    Other(String),
}

/// What an operator did to an execution, or is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorFact {
    /// The priority changed; absent if an earlier version did not say how.
    PriorityChanged(Option<(i32, i32)>),
    /// A finished execution was made ready again; how it had ended.
    Replayed(Option<String>),
    /// Taken out of its queue; why.
    Blocked(Option<String>),
    /// Returned to its queue; what it had waited for.
    Unblocked(Option<String>),
    /// The time limit of a suspension passed, and operators are asked for a review.
    Escalated,
    /// The cancellation of a flow was requested; the policy that says which members it
    /// reaches.
    FlowCancelRequested(Option<String>),
    /// What this version does not know.
    Other(String),
}

/// What happened to a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowFact {
    /// All its members have ended: `completed`, `failed`, `cancelled`, or a word of a later
    /// version.
    Ended(Option<String>),
    /// Its cancellation was requested; the policy that says which members it reaches.
    CancelRequested(Option<String>),
    /// What this version does not know.
    Other(String),
}

/// What happened to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerFact {
    /// Registered, with the name of the worker the instance belongs to.
    Registered(Option<String>),
    /// Removed at its own request.
    Retired(Option<String>),
    /// Marked dead by an operator; why.
    MarkedDead(Option<String>),
    /// It did not report within its time to live.
    TimedOut(Option<String>),
    /// What this version does not know.
    Other(String),
}

impl CompletionOutcome {
    /// Returns its word: `success`, `failure`, `cancelled`, or another.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Other(word) => word,
        }
    }
}

impl SignalDeliveryEffect {
    /// Returns the effect that a word stands for; never an error.
    pub fn from_word(word: &str) -> Self {
        match word {
            "satisfied" | "resume_condition_satisfied" => Self::Satisfied,
            "buffered" | "buffered_for_pending_waitpoint" => Self::Buffered,
            "deduped" => Self::Deduped,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Returns its word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Satisfied => "satisfied",
            Self::Buffered => "buffered",
            Self::Deduped => "deduped",
            Self::Other(word) => word,
        }
    }
}

impl EventFact {
    /// Returns the name of what happened, in the words of its family.
    pub fn name(&self) -> &str {
        match self {
            Self::Lease(LeaseFact::Acquired) => "acquired",
            Self::Lease(LeaseFact::Renewed) => "renewed",
            Self::Lease(LeaseFact::Expired(_)) => "expired",
            Self::Lease(LeaseFact::Reclaimed) => "reclaimed",
            Self::Lease(LeaseFact::Revoked(_)) => "revoked",
            Self::Lease(LeaseFact::Released(_)) => "released",
            Self::Completion(outcome) => outcome.as_str(),
            Self::Signal(signal) => signal.effect.as_str(),
            Self::Tag(TagFact::Attached { .. }) => "attached",
            Self::Tag(TagFact::Cleared { .. }) => "cleared",
            Self::Operator(OperatorFact::PriorityChanged(_)) => "priority_changed",
            Self::Operator(OperatorFact::Replayed(_)) => "replayed",
            Self::Operator(OperatorFact::Blocked(_)) => "blocked",
            Self::Operator(OperatorFact::Unblocked(_)) => "unblocked",
            Self::Operator(OperatorFact::Escalated) => "escalated",
            Self::Operator(OperatorFact::FlowCancelRequested(_)) => "flow_cancel_requested",
            Self::Flow(FlowFact::Ended(_)) => "ended",
            Self::Flow(FlowFact::CancelRequested(_)) => "cancel_requested",
            Self::Worker(WorkerFact::Registered(_)) => "registered",
            Self::Worker(WorkerFact::Retired(_)) => "retired",
            Self::Worker(WorkerFact::MarkedDead(_)) => "marked_dead",
            Self::Worker(WorkerFact::TimedOut(_)) => "timed_out",
            Self::Lifecycle(word)
            | Self::Flow(FlowFact::Other(word))
            | Self::Lease(LeaseFact::Other(word))
            | Self::Tag(TagFact::Other(word))
            | Self::Operator(OperatorFact::Other(word))
            | Self::Worker(WorkerFact::Other(word)) => word,
        }
    }

    /// Returns what it says beside its name.
    pub fn detail(&self) -> EventDetail {
        let mut detail = EventDetail::default();
        match self {
            Self::Lease(LeaseFact::Expired(end)) => detail.reason = Some(end.to_string()),
            Self::Lease(LeaseFact::Revoked(by)) => detail.revoked_by = Some(*by),
            Self::Lease(LeaseFact::Released(word)) => detail.reason = Some(word.clone()),
            Self::Signal(signal) => {
                detail.signal_id = signal.signal_id;
                detail.waitpoint_id = signal.waitpoint_id;
                detail.source_identity.clone_from(&signal.source_identity);
            }
            Self::Tag(TagFact::Attached { key, value }) => {
                detail.tag = Some(key.clone());
                detail.value = Some(value.clone());
            }
            Self::Tag(TagFact::Cleared { key }) => detail.tag = Some(key.clone()),
            Self::Operator(OperatorFact::PriorityChanged(Some((before, after)))) => {
                detail.priority_before = Some(*before);
                detail.priority = Some(*after);
            }
            Self::Operator(
                OperatorFact::Replayed(word)
                | OperatorFact::Blocked(word)
                | OperatorFact::Unblocked(word)
                | OperatorFact::FlowCancelRequested(word),
            )
            | Self::Flow(FlowFact::CancelRequested(word))
            | Self::Worker(WorkerFact::MarkedDead(word)) => detail.reason.clone_from(word),
            Self::Worker(
                WorkerFact::Registered(name)
                | WorkerFact::Retired(name)
                | WorkerFact::TimedOut(name),
            ) => detail.worker_id.clone_from(name),
            _ => {}
        }
        detail
    }
}

/// What an event says beside its name; absent where it says nothing of that.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct EventDetail {
    /// Of a lease that expired or was released: how. Of an execution that was blocked,
    /// unblocked or replayed: why, or how it had ended. Of a dead worker: why. Of a flow that
    /// is to be cancelled: the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who took a lease from its holder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<RevokedBy>,
    /// The signal; of a repeated delivery, the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal_id: Option<SignalId>,
    /// Where a signal arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waitpoint_id: Option<WaitpointId>,
    /// Who sent a signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
    /// Key of a label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Value of a label that was attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The priority before a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_before: Option<i32>,
    /// The priority after a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// The worker that an instance belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
}

impl fmt::Display for CompletionOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
