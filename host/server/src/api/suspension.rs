//! Suspensions: how a worker that is no component asks for one, what it goes on
//! with, and how people see them.

use model::{
    ExecutionId, SignalId, SuspensionCloseReason, SuspensionId, SuspensionReason,
    SuspensionRequester, TimeoutBehavior, WaitpointId,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::operate::asks;
use super::request::present;
use super::{OpenWaitpoint, ReceivedSignal, Waitpoint};

/// A wish to wait for signals. The lease ends, unless what came before satisfies
/// the condition. At most one of `state`, `state_text` and `state_base64` is given;
/// bounded as a result is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendLease {
    /// The handle.
    pub lease: String,
    /// What it waits for.
    #[schema(value_type = super::ResumeCondition)]
    pub resume_condition: model::ResumeCondition,
    /// Where it waits, at most 64. When empty: at the waitpoints that the
    /// condition names, each the pending one with that key or a new one; at a new
    /// one if it names none.
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
    /// Who asked for it: `worker` (when absent), `operator` or `policy`.
    #[serde(default = "worker")]
    #[schema(value_type = String)]
    pub requested_by: SuspensionRequester,
    /// When it times out, in milliseconds from now; absent, as the policy of the
    /// execution says.
    pub timeout_ms: Option<u64>,
    /// The same as a time, up to the year 9999 in UTC; one of the two at most.
    #[schema(format = DateTime)]
    pub timeout_at: Option<String>,
    /// What happens then: `fail`, `cancel`, `expire`,
    /// `auto_resume_with_timeout_signal` or `escalate`; absent, as the policy of
    /// the execution says. Refused when nothing limits the time, here or there.
    #[schema(value_type = Option<String>)]
    pub timeout_behavior: Option<TimeoutBehavior>,
    /// What the worker goes on with, as JSON; kept byte for byte.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub state: Option<Box<RawValue>>,
    /// What it goes on with, as text.
    pub state_text: Option<String>,
    /// What it goes on with, as base64 (standard alphabet, padded).
    pub state_base64: Option<String>,
    /// Media type of that; absent, it follows from the form.
    pub content_type: Option<String>,
    /// Names the suspension within its execution, 1 to 255 bytes: asked for again
    /// after it was satisfied, also by a later attempt, it is answered by what
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

/// A waitpoint a suspension waits at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub enum WaitpointBinding {
    /// A new one; its key must not be that of an open one.
    Fresh {
        /// Its key; may be empty for the first: `wpk:` and its id.
        #[serde(default)]
        waitpoint_key: String,
        /// Names of signals its token may send, at most 16; any when empty.
        #[serde(default)]
        #[schema(max_items = 16)]
        signal_names: Vec<String>,
    },
    /// One that is pending.
    UsePending {
        /// The waitpoint.
        #[schema(value_type = String)]
        waitpoint_id: WaitpointId,
    },
    /// The pending one with this key, or else a new one.
    Keyed {
        /// Its key.
        waitpoint_key: String,
    },
}

/// What became of a wish to wait. Tokens are shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum SuspendedLease {
    /// The execution waits; the lease is gone.
    Suspended {
        /// The execution.
        #[schema(value_type = String)]
        id: ExecutionId,
        /// The suspension.
        #[schema(value_type = String)]
        suspension_id: SuspensionId,
        /// Where it waits, in the order asked for.
        waitpoints: Vec<OpenWaitpoint>,
        /// When it times out.
        #[serde(
            default,
            with = "time::serde::rfc3339::option",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(value_type = Option<String>, format = DateTime)]
        timeout_at: Option<OffsetDateTime>,
    },
    /// What came before satisfies the condition; the lease stays.
    AlreadySatisfied {
        /// The execution.
        #[schema(value_type = String)]
        id: ExecutionId,
        /// What to go on with.
        resumption: Resumption,
    },
}

/// What a worker goes on with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Resumption {
    /// The suspension that is over.
    #[schema(value_type = String)]
    pub suspension_id: SuspensionId,
    /// Why: `satisfied`, `operator_resume` or `timed_out_auto_resume`.
    #[schema(value_type = String)]
    pub reason: SuspensionCloseReason,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub closed_at: OffsetDateTime,
    /// Media type of the state that was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_type: Option<String>,
    /// The state that was saved, as base64 (standard alphabet, padded); absent if
    /// none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_base64: Option<String>,
    /// The signals that satisfied it, in the order they were accepted: the first
    /// 256, or fewer if they bring more than a MiB.
    pub signals: Vec<ReceivedSignal>,
    /// How many there are; `POST /v1/leases/signals` reads the rest.
    pub signal_count: u32,
}

/// A waitpoint a worker makes before it suspends.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateLeaseWaitpoint {
    /// The handle.
    pub lease: String,
    /// Its name within the execution, 1 to 128 bytes without control characters;
    /// `wpk:` and its id when absent. An open waitpoint with that key is given
    /// again, with a new token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waitpoint_key: Option<String>,
    /// How long it waits for its suspension, in milliseconds; 24 hours when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
    /// Names of signals its token may send, at most 16; any when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub signal_names: Vec<String>,
}

/// A wish to read the signals that satisfied the last suspension.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ObserveSignals {
    /// The handle.
    pub lease: String,
    /// How many of them to pass by; none when absent.
    #[serde(default)]
    pub first: u32,
}

/// Signals that satisfied a suspension, in the order they were accepted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ObservedSignals {
    /// As many as one answer holds; none after the last one.
    pub signals: Vec<ReceivedSignal>,
}

asks! {
    /// How a suspended execution goes on without its condition.
    #[derive(Default)]
    ResumeExecution {
        /// How long it waits before it is ready, in milliseconds, at most ten
        /// years; absent, as its resume policy says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delay_ms: Option<u64>,
    }
}

/// A suspension.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Suspension {
    /// The suspension.
    #[schema(value_type = String)]
    pub suspension_id: SuspensionId,
    /// Which attempt it put down, from zero.
    pub attempt: u32,
    /// Why, as in the wish for it.
    #[schema(value_type = String)]
    pub reason_code: SuspensionReason,
    /// Who asked for it: `worker`, `operator`, `policy` or `system_timeout_policy`.
    #[schema(value_type = String)]
    pub requested_by: SuspensionRequester,
    /// What it waits for.
    #[schema(value_type = super::ResumeCondition)]
    pub resume_condition: model::ResumeCondition,
    /// What happens then.
    #[schema(value_type = super::ResumePolicy)]
    pub resume_policy: model::ResumePolicy,
    /// When it times out.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub timeout_at: Option<OffsetDateTime>,
    /// What happens then: `fail`, `cancel`, `expire`,
    /// `auto_resume_with_timeout_signal` or `escalate`.
    #[schema(value_type = String)]
    pub timeout_behavior: TimeoutBehavior,
    /// When an operator was asked, if its time passed.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub escalated_at: Option<OffsetDateTime>,
    /// Bytes of the state its handler saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_bytes: Option<u64>,
    /// The name its handler gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub suspended_at: OffsetDateTime,
    /// Until when; absent while it lasts.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<OffsetDateTime>,
    /// Why it is over: `satisfied`, `operator_resume`, `cancelled`,
    /// `timed_out_fail`, `timed_out_cancel`, `timed_out_expire` or
    /// `timed_out_auto_resume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub close_reason: Option<SuspensionCloseReason>,
    /// The signal with which it was satisfied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub closer_signal_id: Option<SignalId>,
    /// All signals that satisfied it.
    #[schema(value_type = Vec<String>)]
    pub satisfiers: Vec<SignalId>,
}

/// The last suspensions of an execution, at most 1000, oldest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Suspensions {
    /// The suspensions.
    pub suspensions: Vec<Suspension>,
    /// Rows that cannot be shown; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
}

/// The suspension that lasts, and where it waits.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OpenSuspension {
    /// The suspension.
    #[serde(flatten)]
    pub suspension: Suspension,
    /// Where signals for it arrive.
    pub waitpoints: Vec<Waitpoint>,
}
