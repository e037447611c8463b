//! Claims of native workers.

use std::collections::{BTreeMap, BTreeSet};

use model::{AttemptId, AttemptType, ExecutionId, FlowId, Invalid, Limits};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use crate::api::Resumption;
use crate::api::payload::encoded;

/// Longest a claim may wait for work, in milliseconds.
const WAIT_MS_MAX: u32 = 30_000;

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
    /// Namespaces to take from; every one in which the worker may claim when empty.
    #[serde(default)]
    pub namespaces: BTreeSet<String>,
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

impl ClaimWork {
    /// Checks a request against its bounds, and names what breaks one.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.kinds.is_empty() {
            let detail = "is empty; name what the worker can run";
            return Err(Invalid::new("kinds", detail));
        }
        let max = Limits::WORKER_NAMES_MAX;
        for (field, names) in [
            ("kinds", &self.kinds),
            ("lanes", &self.lanes),
            ("namespaces", &self.namespaces),
        ] {
            if names.len() > max {
                let detail = format!("{} names exceed the limit of {max}", names.len());
                return Err(Invalid::new(field, detail));
            }
        }
        self.kinds
            .iter()
            .try_for_each(|name| model::kind_name(name))?;
        self.lanes
            .iter()
            .try_for_each(|name| model::lane_name(name))?;
        self.namespaces
            .iter()
            .try_for_each(|name| model::namespace_name(name))?;
        model::capabilities("capabilities", &self.capabilities)?;
        within("max", self.max, 1, Limits::CLAIM_MAX)?;
        check_ttl(self.lease_ttl_ms)?;
        within("wait_ms", self.wait_ms, 0, WAIT_MS_MAX)
    }
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
    /// Id of the attempt, which follows from those of the execution and the number.
    #[schema(value_type = String)]
    pub attempt_id: AttemptId,
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
    pub resumption: Option<Resumption>,
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
            attempt_id: claimed.fence.attempt_id(),
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

/// Checks the duration of a lease.
pub fn check_ttl(lease_ttl_ms: u32) -> Result<(), Invalid> {
    let bounds = Limits::LEASE_TTL_MS;
    within("lease_ttl_ms", lease_ttl_ms, *bounds.start(), *bounds.end())
}

fn within(field: &'static str, value: u32, min: u32, max: u32) -> Result<(), Invalid> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let detail = format!("{value} is out of range: {min} to {max}");
    Err(Invalid::new(field, detail))
}
