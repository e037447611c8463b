//! Events: facts that subscribers read, in four families, and one more for operators.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::wire::named;
use crate::{Cursor, ExecutionId, LeaseId, SignalId};

named! {
    /// A family of events, which is what a reader subscribes to. Labels of the Postgres enum
    /// `event_family`.
    pub enum Family ("event family") {
        /// Leases: who held which execution, from when to when.
        LeaseHistory = "lease_history",
        /// Executions that were created, waited or ended.
        Completion = "completion",
        /// Signals and their effects.
        SignalDelivery = "signal_delivery",
        /// Changes of labels.
        InstanceTags = "instance_tags",
        /// Requests of operators, and questions to them.
        Operator = "operator",
    }
}

named! {
    /// What happened. Labels of the Postgres enum `event_kind`.
    pub enum EventKind ("event kind") {
        /// An execution was created.
        Created = "created",
        /// A worker took a lease.
        Acquired = "acquired",
        /// A lease was renewed.
        Renewed = "renewed",
        /// A holder ended its lease, with or without an outcome.
        Released = "released",
        /// A lease expired.
        Expired = "expired",
        /// An execution was claimed again after a lost lease.
        Reclaimed = "reclaimed",
        /// An operator revoked a lease.
        Revoked = "revoked",
        /// A retry was scheduled.
        RetryScheduled = "retry_scheduled",
        /// The execution was delayed until a time.
        Delayed = "delayed",
        /// The execution became ready.
        Promoted = "promoted",
        /// The execution ended with success.
        Success = "success",
        /// The execution ended as failed.
        Failed = "failed",
        /// The execution ended as cancelled.
        Cancelled = "cancelled",
        /// The execution ended as expired.
        ExecutionExpired = "execution_expired",
        /// The execution ended as skipped.
        Skipped = "skipped",
        /// The execution began to wait for its children.
        WaitingChildren = "waiting_children",
        /// The execution was taken out of its queue.
        Blocked = "blocked",
        /// The execution was returned to its queue.
        Unblocked = "unblocked",
        /// An operator changed the execution's priority.
        Prioritized = "prioritised",
        /// A finished execution was made ready again.
        Replayed = "replayed",
        /// The labels of the execution changed.
        Tagged = "tagged",
        /// The execution was suspended.
        Suspended = "suspended",
        /// A suspension ended by signals, at its time limit or by an operator, and the
        /// execution resumes.
        Resumed = "resumed",
        /// The time limit of a suspension passed, and operators are asked for a review.
        Escalated = "escalated",
        /// A signal was accepted.
        Signalled = "signalled",
    }
}

impl EventKind {
    /// Returns the family the event belongs to.
    pub const fn family(self) -> Family {
        match self {
            Self::Acquired
            | Self::Renewed
            | Self::Released
            | Self::Expired
            | Self::Reclaimed
            | Self::Revoked => Family::LeaseHistory,
            Self::Created
            | Self::RetryScheduled
            | Self::Delayed
            | Self::Promoted
            | Self::Success
            | Self::Failed
            | Self::Cancelled
            | Self::ExecutionExpired
            | Self::Skipped
            | Self::WaitingChildren
            | Self::Blocked
            | Self::Unblocked
            | Self::Replayed
            | Self::Suspended
            | Self::Resumed => Family::Completion,
            Self::Signalled => Family::SignalDelivery,
            Self::Tagged => Family::InstanceTags,
            Self::Prioritized | Self::Escalated => Family::Operator,
        }
    }
}

/// One event as a subscriber sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The cursor after this event, from which a reader continues.
    pub cursor: Cursor,
    /// What happened to the execution.
    pub kind: EventKind,
    /// The execution it happened to.
    pub execution_id: ExecutionId,
    /// The namespace of the execution.
    pub namespace: String,
    /// The epoch of the execution after the event.
    pub epoch: u64,
    /// The attempt concerned, counted from zero; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The lease concerned; absent if none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_id: Option<LeaseId>,
    /// The worker instance concerned; absent if none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_instance_id: Option<String>,
    /// The signal concerned; absent if none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal_id: Option<SignalId>,
    /// When it happened, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}
