//! Kinds of events, as the log stores them.

use crate::wire::named;

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
        /// A label was attached to the execution, or changed.
        Tagged = "tagged",
        /// The execution was suspended.
        Suspended = "suspended",
        /// A suspension ended by signals, at its time limit or by an operator, and the
        /// execution resumes.
        Resumed = "resumed",
        /// The time limit of a suspension passed, and operators are asked for a review.
        Escalated = "escalated",
        /// A signal was accepted, or recognized as one that was.
        Signalled = "signalled",
        /// A label of the execution was removed.
        Cleared = "cleared",
        /// A worker was registered.
        Registered = "registered",
        /// A worker was removed from the registry at its own request.
        Retired = "retired",
        /// An operator marked a worker dead.
        MarkedDead = "marked_dead",
        /// A worker did not report within its time to live.
        TimedOut = "timed_out",
        /// All members of a flow have ended.
        FlowEnded = "flow_ended",
        /// The cancellation of a flow was requested.
        FlowCancelRequested = "flow_cancel_requested",
    }
}
