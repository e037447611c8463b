//! Suspensions: requested by native workers, resumed from, and read.

use model::{
    ExecutionId, SignalId, SuspensionCloseReason, SuspensionId, SuspensionReason,
    SuspensionRequester, TimeoutBehavior, WaitpointId,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use super::answer::{answers, pages};
use super::operator::asks;
use super::payload::{encoded, present};
use super::{OpenWaitpoint, ReceivedSignal, Waitpoint};

/// A request to suspend an execution until a condition is satisfied. The lease ends,
/// unless signals received before satisfy the condition. At most one of `state`,
/// `state_text` and `state_base64` is given, of at most the size of a result.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendLease {
    /// Handle of the lease.
    pub lease: String,
    /// Condition that ends the suspension.
    #[schema(value_type = super::ResumeCondition)]
    pub resume_condition: model::ResumeCondition,
    /// Waitpoints whose signals count, at most 64. When empty, those that the condition
    /// names, each the pending one with that key or a new one; a new one if it names
    /// none.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub waitpoints: Vec<WaitpointBinding>,
    /// What happens when the condition is satisfied.
    #[serde(default)]
    #[schema(value_type = super::ResumePolicy)]
    pub resume_policy: model::ResumePolicy,
    /// Why it waits: `waiting_for_signal` (when absent), `waiting_for_approval`,
    /// `waiting_for_callback`, `waiting_for_tool_result`,
    /// `waiting_for_operator_review`, `paused_by_policy`, `paused_by_budget`,
    /// `step_boundary` or `manual_pause`.
    #[serde(default = "waiting_for_signal")]
    #[schema(value_type = String)]
    pub reason_code: SuspensionReason,
    /// Who requested it: `worker` (when absent), `operator` or `policy`.
    #[serde(default = "worker")]
    #[schema(value_type = String)]
    pub requested_by: SuspensionRequester,
    /// Time until it times out, in milliseconds from now; as the policy of the execution
    /// says when absent. Excludes `timeout_at`.
    pub timeout_ms: Option<u64>,
    /// Time it times out (RFC 3339), up to the year 9999 in UTC. Excludes `timeout_ms`.
    #[schema(format = DateTime)]
    pub timeout_at: Option<String>,
    /// What happens when it times out: `fail`, `cancel`, `expire`,
    /// `auto_resume_with_timeout_signal` or `escalate`; as the policy of the execution
    /// says when absent. Refused when neither of them limits the time.
    #[schema(value_type = Option<String>)]
    pub timeout_behavior: Option<TimeoutBehavior>,
    /// The state to resume from, as JSON; kept byte for byte.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub state: Option<Box<RawValue>>,
    /// The state to resume from, as text instead.
    pub state_text: Option<String>,
    /// The state to resume from, as base64 instead (standard alphabet, padded).
    pub state_base64: Option<String>,
    /// Media type of the state; when absent, that of the form it is given in.
    pub content_type: Option<String>,
    /// Identifies the suspension within its execution, 1 to 255 bytes: requested again
    /// after it was satisfied, also by a later attempt, it is answered with what
    /// satisfied it.
    pub idempotency_key: Option<String>,
    /// What the attempt logged so far; at most 65536 bytes.
    pub log: Option<String>,
}

const fn waiting_for_signal() -> SuspensionReason {
    SuspensionReason::WaitingForSignal
}

const fn worker() -> SuspensionRequester {
    SuspensionRequester::Worker
}

/// A waitpoint to bind to a suspension.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub enum WaitpointBinding {
    /// A new waitpoint; its key must not be that of an open one.
    #[schema(title = "FreshBinding")]
    Fresh(FreshWaitpoint),
    /// A waitpoint that is pending.
    #[schema(title = "UsePendingBinding")]
    UsePending(PendingWaitpoint),
    /// The pending waitpoint with this key, or else a new one.
    #[schema(title = "KeyedBinding")]
    Keyed(KeyedWaitpoint),
}

/// A new waitpoint to bind.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FreshWaitpoint {
    /// Key of the waitpoint; if it is the first, may be empty: `wpk:` and its id.
    #[serde(default)]
    pub waitpoint_key: String,
    /// Names of the signals its token may send, at most 16; any when empty.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub signal_names: Vec<String>,
}

/// A pending waitpoint to bind.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PendingWaitpoint {
    /// Id of the waitpoint.
    #[schema(value_type = String)]
    pub waitpoint_id: WaitpointId,
}

/// A waitpoint to bind that may exist or not.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyedWaitpoint {
    /// Key of the waitpoint.
    pub waitpoint_key: String,
}

/// What a request to suspend did. Tokens are in this answer and in no other.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum SuspendedLease {
    /// The execution is suspended; the lease has ended.
    #[schema(title = "LeaseSuspended")]
    Suspended {
        /// Id of the execution.
        #[schema(value_type = String)]
        id: ExecutionId,
        /// Id of the suspension.
        #[schema(value_type = String)]
        suspension_id: SuspensionId,
        /// Its waitpoints, in the order of the request.
        waitpoints: Vec<OpenWaitpoint>,
        /// Time it times out; absent when it never does.
        #[serde(
            default,
            with = "rfc3339::option",
            skip_serializing_if = "Option::is_none"
        )]
        timeout_at: Option<OffsetDateTime>,
    },
    /// Signals received before satisfy the condition; the lease continues.
    #[schema(title = "LeaseAlreadySatisfied")]
    AlreadySatisfied {
        /// Id of the execution.
        #[schema(value_type = String)]
        id: ExecutionId,
        /// What to resume from.
        resumption: Resumption,
        /// The pending waitpoints it was bound to, ordered by key. They are closed unless
        /// the resume policy keeps them open.
        waitpoints: Vec<BoundWaitpoint>,
    },
}

answers! {
    /// A waitpoint that a suspension was bound to.
    BoundWaitpoint(waitpoint: engine::SuspensionWaitpoint) {
        /// Id of the waitpoint.
        waitpoint_id: WaitpointId as String = waitpoint.id,
        /// Key of the waitpoint within the execution.
        waitpoint_key: String = waitpoint.key,
    }
}

answers! {
    /// What a worker resumes from.
    Resumption(resumption: engine::Resumption) {
        /// The suspension that is over.
        suspension_id: SuspensionId as String,
        /// Why it is over: `satisfied`, `operator_resume` or `timed_out_auto_resume`.
        reason: SuspensionCloseReason as String,
        /// Time the suspension ended.
        #[serde(with = "rfc3339")]
        closed_at: OffsetDateTime,
        /// Media type of the state that was saved; absent without one.
        state_type?: Option<String> = resumption.state.as_ref().map(|it| it.content_type.clone()),
        /// The state that was saved, as base64 (standard alphabet, padded); absent
        /// without one.
        state_base64?: Option<String> = resumption.state.map(|it| encoded(&it.data)),
        /// The signals that satisfied it, in the order they were accepted: the first
        /// 256, or fewer if their payloads exceed a MiB.
        signals: Vec<ReceivedSignal> = resumption.signals.into_iter().map(Into::into).collect(),
        /// Number of all of them; `POST /v1/leases/signals` reads the rest.
        signal_count: u32,
    }
}

/// A waitpoint a worker creates before it suspends.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateLeaseWaitpoint {
    /// Handle of the lease.
    pub lease: String,
    /// Key of the waitpoint within the execution, 1 to 128 bytes without control
    /// characters; `wpk:` and its id when absent. An open waitpoint with that key is
    /// answered instead, with a new token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waitpoint_key: Option<String>,
    /// Time until it expires unless a suspension binds it, in milliseconds; 24 hours
    /// when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
    /// Names of the signals its token may send, at most 16; any when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub signal_names: Vec<String>,
}

/// A request to read the signals that satisfied the last suspension.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ObserveSignals {
    /// Handle of the lease.
    pub lease: String,
    /// Number of signals to skip; none when absent.
    #[serde(default)]
    pub first: u32,
}

/// Signals that satisfied a suspension, in the order they were accepted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ObservedSignals {
    /// The signals, at most 256 or a MiB of payloads; none after the last one.
    pub signals: Vec<ReceivedSignal>,
}

asks! {
    /// How a suspended execution resumes without its condition.
    #[derive(Default)]
    ResumeExecution {
        /// Delay before it is ready, in milliseconds, at most ten years; as its resume
        /// policy says when absent.
        delay_ms?: Option<u64>,
    }
}

answers! {
    /// A suspension of an execution.
    Suspension(info: engine::SuspensionInfo) {
        /// Id of the suspension.
        suspension_id: SuspensionId as String = info.id,
        /// Number of the attempt it suspended, from zero.
        attempt: u32,
        /// Why it waits, as in the request for it.
        reason_code: SuspensionReason as String = info.reason,
        /// `worker`, `operator`, `policy` or `system_timeout_policy`.
        requested_by: SuspensionRequester as String,
        /// Condition that ends it.
        resume_condition: model::ResumeCondition as super::ResumeCondition = info.condition,
        /// What happens when the condition is satisfied.
        resume_policy: model::ResumePolicy as super::ResumePolicy,
        /// Time it times out; absent when it never does.
        #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
        timeout_at: Option<OffsetDateTime>,
        /// What happens when it times out: `fail`, `cancel`, `expire`,
        /// `auto_resume_with_timeout_signal` or `escalate`.
        timeout_behavior: TimeoutBehavior as String,
        /// Time it timed out and was escalated to operators; absent when it was not.
        #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
        escalated_at: Option<OffsetDateTime>,
        /// Size in bytes of the state its handler saved; absent without one.
        state_bytes?: Option<u64>,
        /// Idempotency key its handler gave; absent without one.
        idempotency_key?: Option<String>,
        /// Time the suspension began.
        #[serde(with = "rfc3339")]
        suspended_at: OffsetDateTime = info.created_at,
        /// Time it ended; absent while it is open.
        #[serde(default, with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
        closed_at: Option<OffsetDateTime>,
        /// Why it ended: `satisfied`, `operator_resume`, `cancelled`,
        /// `timed_out_fail`, `timed_out_cancel`, `timed_out_expire` or
        /// `timed_out_auto_resume`; absent while it is open.
        close_reason?: Option<SuspensionCloseReason> as Option<String>,
        /// The signal that satisfied its condition; absent when none did.
        closer_signal_id?: Option<SignalId> as Option<String>,
        /// All signals that count for its condition, once that is satisfied.
        satisfiers: Vec<SignalId> as Vec<String>,
    }
}

pages! {
    /// A page of the suspensions of an execution, oldest first.
    Suspensions of engine::SuspensionInfo {
        /// The suspensions of the page.
        suspensions: Vec<Suspension>,
    }
}

/// An open suspension and its waitpoints.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OpenSuspension {
    /// The suspension that is open.
    #[serde(flatten)]
    pub suspension: Suspension,
    /// Open waitpoints whose signals count for it, at most 256.
    pub waitpoints: Vec<Waitpoint>,
}
