//! Claims of native workers, and what they report about the leases they hold.

use std::collections::{BTreeMap, BTreeSet};

use model::{AttemptType, ExecutionId, FailureClass, FlowId, Limits};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use super::payload::{encoded, present};

/// Longest a claim may wait for work, in milliseconds.
const CLAIM_WAIT_MS_MAX: u32 = 30_000;

pub(super) const fn lease_ttl_ms() -> u32 {
    30_000
}

const fn one() -> u32 {
    1
}

/// A request for work.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimWork {
    /// Kinds the worker can run; at least one.
    #[schema(min_items = 1)]
    pub kinds: BTreeSet<String>,
    /// Lanes to take from; every lane when empty.
    #[serde(default)]
    pub lanes: BTreeSet<String>,
    /// Capabilities of the worker; it gets only executions that require no others.
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// Most executions to claim, 1 to 100; 1 when absent.
    #[serde(default = "one")]
    pub max: u32,
    /// Duration of each lease in milliseconds, 1000 to 3600000; 30000 when absent.
    #[serde(default = "lease_ttl_ms")]
    pub lease_ttl_ms: u32,
    /// Longest to wait for work, in milliseconds, 0 to 30000; 0 when absent.
    #[serde(default)]
    pub wait_ms: u32,
}

/// The executions that were claimed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClaimedWork {
    /// The executions, each under a lease of its own; none when there was no work
    /// within `wait_ms`.
    pub executions: Vec<ClaimedExecution>,
}

/// An execution under a lease.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClaimedExecution {
    /// Id of the execution.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// Handle of the lease, which every request about it carries. Opaque.
    pub lease: String,
    /// Time the lease ends unless it is renewed.
    #[serde(with = "rfc3339")]
    pub lease_expires_at: OffsetDateTime,
    /// Namespace it belongs to.
    pub namespace: String,
    /// Kind, which names the handler it needs.
    pub kind: String,
    /// Lane it was claimed from.
    pub lane: String,
    /// Flow it is a member of; absent when it is in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub flow_id: Option<FlowId>,
    /// Number of the attempt, from zero.
    pub attempt: u32,
    /// `initial`, `retry`, `reclaim`, `replay` or `fallback`.
    #[schema(value_type = String)]
    pub attempt_type: AttemptType,
    /// Whether this lease continues an attempt that was suspended or delayed.
    pub resumes: bool,
    /// Number of attempts that failed so far.
    pub retries: u32,
    /// Longest the attempt may run, in milliseconds from this claim; absent without a
    /// limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout_ms: Option<u64>,
    /// W3C trace context of the request that created it; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Labels, `owner.name` to value.
    pub tags: BTreeMap<String, String>,
    /// Media type of the input, as it was created with.
    pub content_type: String,
    /// The input, as base64 (standard alphabet, padded) in all cases.
    pub input_base64: String,
    /// What to resume from; the same under every later lease until the execution is
    /// suspended again. Absent when it was not suspended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumption: Option<super::Resumption>,
}

/// One request about a lease, or up to 500 of them in `leases`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// Several requests, each answered separately.
    Many {
        /// The requests, at most 500.
        #[schema(max_items = 500)]
        leases: Vec<T>,
    },
    /// One request, answered by itself.
    One(T),
}

/// Leases to renew: either `lease` or `leases`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewLeases {
    /// Handle of the one lease to renew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
    /// Handles of up to 500 leases, each answered separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 500)]
    pub leases: Option<Vec<String>>,
    /// Duration from now in milliseconds, 1000 to 3600000; 30000 when absent.
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
    /// Delay in milliseconds from now; at most ten years.
    pub delay_ms: u64,
    /// What the attempt logged so far; at most 65536 bytes.
    pub log: Option<String>,
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
    /// The execution is ready for another claim.
    Released,
    /// The execution ended as cancelled.
    Cancelled,
    /// The progress was stored.
    Noted,
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
    #[schema(value_type = Option<super::ProblemBody>)]
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

impl ClaimedExecution {
    /// Shows a claimed execution to the holder of its lease, with the handle of that.
    pub fn new(lease: String, claimed: engine::Claimed) -> Self {
        Self {
            id: claimed.fence.execution_id,
            lease,
            lease_expires_at: claimed.lease_expires_at,
            namespace: claimed.namespace,
            kind: claimed.kind,
            lane: claimed.lane,
            flow_id: claimed.flow_id,
            attempt: claimed.fence.attempt,
            attempt_type: claimed.attempt_type,
            resumes: claimed.resumes,
            retries: claimed.retries,
            attempt_timeout_ms: claimed.attempt_timeout_ms,
            traceparent: claimed.traceparent,
            tags: claimed.tags.into_iter().collect(),
            content_type: claimed.input.content_type,
            input_base64: encoded(&claimed.input.data),
            resumption: claimed.resumption.map(|it| (*it).into()),
        }
    }
}

impl ClaimWork {
    /// Checks a request against its bounds, and names what breaks one.
    pub fn check(&self) -> Result<(), model::Invalid> {
        if self.kinds.is_empty() {
            let detail = "is empty; name what the worker can run";
            return Err(model::Invalid::new("kinds", detail));
        }
        let max = Limits::WORKER_NAMES_MAX;
        for (field, names) in [("kinds", &self.kinds), ("lanes", &self.lanes)] {
            if names.len() > max {
                let detail = format!("{} names exceed the limit of {max}", names.len());
                return Err(model::Invalid::new(field, detail));
            }
        }
        self.kinds
            .iter()
            .try_for_each(|name| model::kind_name(name))?;
        self.lanes
            .iter()
            .try_for_each(|name| model::lane_name(name))?;
        model::capabilities("capabilities", &self.capabilities)?;
        within("max", self.max, 1, Limits::CLAIM_MAX)?;
        check_ttl(self.lease_ttl_ms)?;
        within("wait_ms", self.wait_ms, 0, CLAIM_WAIT_MS_MAX)
    }
}

/// Checks the duration of a lease.
pub fn check_ttl(lease_ttl_ms: u32) -> Result<(), model::Invalid> {
    let bounds = Limits::LEASE_TTL_MS;
    within("lease_ttl_ms", lease_ttl_ms, *bounds.start(), *bounds.end())
}

fn within(field: &'static str, value: u32, min: u32, max: u32) -> Result<(), model::Invalid> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let detail = format!("{value} is out of range: {min} to {max}");
    Err(model::Invalid::new(field, detail))
}
