//! What native workers report about the leases they hold.

use model::{EdgeKind, ExecutionId, FailureClass};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use super::claim::lease_ttl_ms;
use crate::api::EdgeGroupPolicy;
use crate::api::payload::present;

/// Defines the bodies of a verb that takes one lease, or up to 500 in `leases`. They are
/// schemas: the API reads each item by itself, so that a malformed one is refused alone.
macro_rules! one_or_many {
    ($($either:ident: $one:ident or $many:ident;)+) => {$(
        /// One request, answered by itself, or several, each answered separately.
        #[derive(Debug, ToSchema)]
        #[serde(untagged)]
        pub enum $either {
            /// One request, answered by itself.
            One($one),
            /// Several requests, each answered separately.
            Many($many),
        }

        /// Requests about several leases, each answered separately.
        #[derive(Debug, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $many {
            /// The requests, at most 500.
            #[schema(max_items = 500)]
            pub leases: Vec<$one>,
        }
    )+};
}

pub(in crate::api) use one_or_many;

one_or_many! {
    CompleteOneOrMany: CompleteLease or CompleteLeases;
    FailOneOrMany: FailLease or FailLeases;
    DelayOneOrMany: DelayLease or DelayLeases;
    WaitChildrenOneOrMany: WaitChildrenLease or WaitChildrenLeases;
    CloseWaitpointOneOrMany: CloseLeaseWaitpoint or CloseLeaseWaitpoints;
    ReleaseOneOrMany: ReleaseLease or ReleaseLeases;
    CancelOneOrMany: CancelLease or CancelLeases;
    ProgressOneOrMany: ProgressLease or ProgressLeases;
}

/// One lease to renew, answered by itself, or several, each answered separately.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub enum RenewOneOrMany {
    /// One lease, answered by itself.
    One(RenewLease),
    /// Several leases, each answered separately.
    Many(RenewLeases),
}

/// A lease to renew.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewLease {
    /// Handle of the lease.
    pub lease: String,
    /// Duration from now in milliseconds, 1000 to 3600000; 30000 when absent.
    #[serde(default = "lease_ttl_ms")]
    pub lease_ttl_ms: u32,
}

/// Leases to renew, each answered separately.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewLeases {
    /// Handles of up to 500 leases.
    #[schema(max_items = 500)]
    pub leases: Vec<String>,
    /// Duration from now in milliseconds, 1000 to 3600000; 30000 when absent.
    #[serde(default = "lease_ttl_ms")]
    pub lease_ttl_ms: u32,
}
/// A request to renew leases, as it is read: either `lease` or `leases`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// Handle of the one lease to renew.
    pub lease: Option<String>,
    /// Handles of several leases.
    pub leases: Option<Vec<String>>,
    /// Duration from now in milliseconds.
    #[serde(default = "lease_ttl_ms")]
    pub lease_ttl_ms: u32,
}

/// The result an execution completes with. At most one of `result`, `result_text` and
/// `result_base64` is given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteLease {
    /// Handle of the lease.
    pub lease: String,
    /// The result, as JSON; kept byte for byte.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub result: Option<Box<RawValue>>,
    /// The result, as text instead.
    pub result_text: Option<String>,
    /// The result, as base64 instead (standard alphabet, padded).
    pub result_base64: Option<String>,
    /// Media type of the result; when absent, that of the form it is given in.
    pub content_type: Option<String>,
    /// What the attempt logged; at most 65536 bytes.
    pub log: Option<String>,
}

/// The failure an attempt ends with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FailLease {
    /// Handle of the lease.
    pub lease: String,
    /// `transient`, `permanent`, `infra_crash`, `timeout` or `cancelled`: decides
    /// whether the attempt is retried. `transient` when absent.
    #[serde(default = "transient")]
    #[schema(value_type = String)]
    pub class: FailureClass,
    /// A stable name for programs: 1 to 64 characters of a-z, 0-9 and `_`.
    pub code: String,
    /// A sentence for people; cut at 4096 bytes.
    #[serde(default)]
    pub message: String,
    /// What the attempt logged; at most 65536 bytes.
    pub log: Option<String>,
}

const fn transient() -> FailureClass {
    FailureClass::Transient
}

/// A request to continue the same attempt later.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DelayLease {
    /// Handle of the lease.
    pub lease: String,
    /// Delay in milliseconds from now, at most ten years; either this or `delay_until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Time it is due (RFC 3339), from 1970 to 9999 in UTC; immediately when it has
    /// passed. Either this or `delay_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub delay_until: Option<String>,
    /// What the attempt logged so far; at most 65536 bytes.
    pub log: Option<String>,
}

/// A request to continue the same attempt when so many of the children of its execution have
/// ended as is waited for, or can no longer; at once without children.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitChildrenLease {
    /// Handle of the lease.
    pub lease: String,
    /// The children that are waited for, by name or id; when absent all that have not ended.
    pub children: Option<Vec<String>>,
    /// For how many of them; all when absent.
    pub policy: Option<EdgeGroupPolicy>,
    /// Which ends count: `success_only`, `on_failure` or `always`. When absent, any end if all
    /// are waited for, and success if not.
    #[schema(value_type = Option<String>)]
    pub dependency_kind: Option<EdgeKind>,
    /// What the attempt logged so far; at most 65536 bytes.
    pub log: Option<String>,
}

/// A request of the holder to close a waitpoint that no suspension waits at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseLeaseWaitpoint {
    /// Handle of the lease.
    pub lease: String,
    /// The waitpoint, by its id or key.
    pub waitpoint: String,
}

/// A request to return an execution to its queue.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseLease {
    /// Handle of the lease.
    pub lease: String,
    /// What the attempt logged; at most 65536 bytes.
    pub log: Option<String>,
}

/// A request of the holder to end its execution as cancelled.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelLease {
    /// Handle of the lease.
    pub lease: String,
    /// Why, for people; at most 1024 bytes. Empty when absent.
    #[serde(default)]
    pub reason: String,
    /// What the attempt logged; at most 65536 bytes.
    pub log: Option<String>,
}

/// A progress report of an attempt; what is absent stays as it was.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgressLease {
    /// Handle of the lease.
    pub lease: String,
    /// Progress in percent, 0 to 100.
    pub percent: Option<u8>,
    /// A sentence for people, at most 1024 bytes.
    pub message: Option<String>,
}

/// The effect of a request about a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaseEffect {
    /// The lease lasts longer.
    Renewed,
    /// The execution ended with success.
    Completed,
    /// Another attempt is made.
    RetryScheduled,
    /// The execution ended as failed.
    Failed,
    /// The same attempt continues later.
    Delayed,
    /// The same attempt continues when the execution is unblocked.
    WaitingChildren,
    /// The execution is ready for another claim.
    Released,
    /// The execution ended as cancelled.
    Cancelled,
    /// The progress was stored.
    Noted,
    /// The waitpoint takes no more signals.
    WaitpointClosed,
    /// The frame is in the stream of the attempt.
    Appended,
}

/// What a request about one lease did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeaseOutcome {
    /// Id of the execution.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// The effect of the request.
    pub outcome: LeaseEffect,
    /// Time a renewed lease ends; absent for other effects.
    #[serde(
        default,
        with = "rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub lease_expires_at: Option<OffsetDateTime>,
    /// Time the execution is due again, after a failure or a delay; absent otherwise.
    #[serde(
        default,
        with = "rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub due_at: Option<OffsetDateTime>,
    /// Number of the attempt that retries a failure, from zero; absent without a retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_index: Option<u32>,
    /// Id of a frame that was appended; absent for other effects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_id: Option<String>,
    /// Number of frames appended to the stream with it; absent for other effects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_count: Option<u64>,
    /// Version of the summary that a patch made; absent for other frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary_version: Option<u64>,
}

/// The verdict on one of several requests: an outcome or a problem.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeaseVerdict {
    /// The status a single request would have had.
    pub status: u16,
    /// What the request did; absent with a problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<LeaseOutcome>,
    /// Why it did nothing; absent with an outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::api::ProblemBody>)]
    pub problem: Option<serde_json::Value>,
}

/// The verdicts on several requests.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeaseVerdicts {
    /// One verdict for each request, in their order.
    pub results: Vec<LeaseVerdict>,
}

/// The answer to one request or to several, as it was asked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum LeaseAnswer {
    /// The answer to several requests.
    Many(LeaseVerdicts),
    /// The answer to one request.
    One(LeaseOutcome),
}
