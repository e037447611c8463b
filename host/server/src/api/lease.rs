//! Claiming over HTTP, and what a worker says about the leases it holds.

use std::collections::{BTreeMap, BTreeSet};

use model::{AttemptType, ExecutionId, FailureClass, FlowId, Limits};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::request::present;

/// Life of a lease for whoever names none.
const LEASE_TTL_MS: u32 = 30_000;

const fn lease_ttl_ms() -> u32 {
    LEASE_TTL_MS
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
    /// What the worker offers; an execution requires no more.
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// Most executions, 1 to 100; 1 when absent.
    #[serde(default = "one")]
    pub max: u32,
    /// Life of each lease in milliseconds, 1000 to 3600000; 30000 when absent.
    #[serde(default = "lease_ttl_ms")]
    pub lease_ttl_ms: u32,
    /// Longest to wait for work, in milliseconds, 0 to 30000; 0 when absent.
    #[serde(default)]
    pub wait_ms: u32,
}

/// What was claimed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClaimedWork {
    /// The executions, each under a lease of its own; none when the time was
    /// over first.
    pub executions: Vec<ClaimedExecution>,
}

/// An execution under a lease.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClaimedExecution {
    /// The execution.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// Proof of the lease: what every request about it carries. Opaque.
    pub lease: String,
    /// When the lease ends, unless renewed.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub lease_expires_at: OffsetDateTime,
    /// Where it lives.
    pub namespace: String,
    /// What it is.
    pub kind: String,
    /// Where it was claimed from.
    pub lane: String,
    /// Flow it is a member of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub flow_id: Option<FlowId>,
    /// Number of the attempt, from zero.
    pub attempt: u32,
    /// `initial`, `retry`, `reclaim`, `replay` or `fallback`.
    #[schema(value_type = String)]
    pub attempt_type: AttemptType,
    /// Whether this lease goes on with an attempt that was put down.
    pub resumes: bool,
    /// Failures so far.
    pub retries: u32,
    /// Longest the attempt may run, in milliseconds from this claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout_ms: Option<u64>,
    /// W3C trace context of whoever created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Labels.
    pub tags: BTreeMap<String, String>,
    /// Media type of the input.
    pub content_type: String,
    /// The input, as base64 (standard alphabet, padded), whatever form it was
    /// given in.
    pub input_base64: String,
    /// What to go on with, if the execution was suspended before; the same under
    /// every later lease until it is suspended again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumption: Option<super::Resumption>,
}

/// One thing, or up to 500 of them in `leases`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// Up to 500, each with a verdict of its own.
    Many {
        /// They.
        #[schema(max_items = 500)]
        leases: Vec<T>,
    },
    /// One.
    One(T),
}

/// Leases to renew: either `lease` or `leases`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewLeases {
    /// One handle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
    /// Up to 500 handles, each with a verdict of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 500)]
    pub leases: Option<Vec<String>>,
    /// Their life from now in milliseconds, 1000 to 3600000; 30000 when absent.
    #[serde(default = "lease_ttl_ms")]
    pub lease_ttl_ms: u32,
}

/// A result. At most one of `result`, `result_text` and `result_base64` is
/// given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteLease {
    /// The handle.
    pub lease: String,
    /// The result, as JSON; kept byte for byte.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub result: Option<Box<RawValue>>,
    /// The result, as text.
    pub result_text: Option<String>,
    /// The result, as base64 (standard alphabet, padded).
    pub result_base64: Option<String>,
    /// Media type of the result; absent, it follows from the form of the result.
    pub content_type: Option<String>,
    /// What the attempt logged; at most 65536 bytes.
    pub log: Option<String>,
}

/// A failure.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FailLease {
    /// The handle.
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

/// A wish to go on later, as the same attempt.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DelayLease {
    /// The handle.
    pub lease: String,
    /// Milliseconds from now; at most ten years.
    pub delay_ms: u64,
    /// What the attempt logged so far; at most 65536 bytes.
    pub log: Option<String>,
}

/// An execution given back untouched.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseLease {
    /// The handle.
    pub lease: String,
    /// What the attempt logged; at most 65536 bytes.
    pub log: Option<String>,
}

/// An execution its holder ends as cancelled.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelLease {
    /// The handle.
    pub lease: String,
    /// Why, for people; at most 1024 bytes.
    #[serde(default)]
    pub reason: String,
    /// What the attempt logged; at most 65536 bytes.
    pub log: Option<String>,
}

/// A word on how far an attempt is; what is absent stays as it was.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgressLease {
    /// The handle.
    pub lease: String,
    /// 0 to 100.
    pub percent: Option<u8>,
    /// For people; at most 1024 bytes.
    pub message: Option<String>,
}

/// What a request about a lease did.
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
    /// The same attempt goes on later.
    Delayed,
    /// The execution is ready again.
    Released,
    /// The execution ended as cancelled.
    Cancelled,
    /// The progress was noted.
    Noted,
}

/// What a request about one lease did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeaseOutcome {
    /// The execution.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// What was done.
    pub outcome: LeaseEffect,
    /// When a renewed lease ends.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub lease_expires_at: Option<OffsetDateTime>,
    /// When the execution becomes due again.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<OffsetDateTime>,
    /// Number of the attempt a failure is retried with, from zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_index: Option<u32>,
}

/// What became of one of many: an outcome or a problem.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeaseVerdict {
    /// The status a single request would have had.
    pub status: u16,
    /// What was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<LeaseOutcome>,
    /// Why nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<super::ProblemBody>)]
    pub problem: Option<serde_json::Value>,
}

/// One verdict for each of many, in their order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeaseVerdicts {
    /// The verdicts.
    pub results: Vec<LeaseVerdict>,
}

/// An answer in the form of its request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum LeaseAnswer {
    /// To many.
    Many(LeaseVerdicts),
    /// To one.
    One(LeaseOutcome),
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
        within("wait_ms", self.wait_ms, 0, crate::http::CLAIM_WAIT_MS_MAX)
    }
}

/// Checks the life of a lease.
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
