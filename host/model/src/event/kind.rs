//! Facts announced to the outside, in four typed families and one for
//! operators.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::wire::named;
use crate::{Cursor, ExecutionId};

named! {
    /// A family of events one subscribes to. Labels of the Postgres enum
    /// `event_family`.
    pub enum Family ("event family") {
        /// Who held what, from when to when.
        LeaseHistory = "lease_history",
        /// Executions that came into being, waited or ended.
        Completion = "completion",
        /// Signals and what they did.
        SignalDelivery = "signal_delivery",
        /// Labels that changed.
        InstanceTags = "instance_tags",
        /// What operators did.
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
        /// A lease ended with an outcome or was put down.
        Released = "released",
        /// A lease lapsed.
        Expired = "expired",
        /// An execution was granted anew after a lost lease.
        Reclaimed = "reclaimed",
        /// A lease was taken away.
        Revoked = "revoked",
        /// A retry was scheduled.
        RetryScheduled = "retry_scheduled",
        /// The execution was put down until a time.
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
        /// The execution was put down until its children finished.
        WaitingChildren = "waiting_children",
        /// The execution was taken out of its queue.
        Blocked = "blocked",
        /// The execution was put back into its queue.
        Unblocked = "unblocked",
        /// The execution changed its place in the queue.
        Prioritised = "prioritised",
        /// A finished execution was made ready again.
        Replayed = "replayed",
        /// Its labels changed.
        Tagged = "tagged",
        /// The execution was put down to wait for signals.
        Suspended = "suspended",
        /// What it waited for came, its time passed, or an operator woke it.
        Resumed = "resumed",
        /// Its time passed, and an operator is asked.
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
            Self::Prioritised | Self::Escalated => Family::Operator,
        }
    }
}

/// One event as a subscriber sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Where to go on after this event.
    pub cursor: Cursor,
    /// What happened.
    pub kind: EventKind,
    /// To which execution.
    pub execution_id: ExecutionId,
    /// In which namespace.
    pub namespace: String,
    /// Epoch of the execution after the event.
    pub epoch: u64,
    /// Attempt concerned, from zero; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Lease concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_id: Option<crate::LeaseId>,
    /// Worker instance concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_instance_id: Option<String>,
    /// Signal concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal_id: Option<crate::SignalId>,
    /// When, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}
