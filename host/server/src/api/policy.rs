//! The schema of a policy. `model::ExecutionPolicy` reads and checks it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How an execution is retried, bounded and routed. Every member may be left
/// out.
///
/// `budget_ids`, `stream_policy`, `fallback_policy`, `durability_mode`,
/// `isolation_level` and `preferred_locality` are refused as `not_offered` unless
/// they ask for nothing.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What happens after a failure.
    #[schema(required = false)]
    pub retry_policy: RetryPolicy,
    /// Time limits.
    #[schema(required = false)]
    pub timeout_policy: TimeoutPolicy,
    /// Defaults for suspensions.
    #[schema(required = false)]
    pub suspension_policy: SuspensionPolicy,
    /// Which workers may run it.
    #[schema(required = false)]
    pub routing_requirements: RoutingRequirements,
    /// How often an operator may replay it.
    #[schema(required = false, default = 10)]
    pub max_replay_count: u32,
    /// Most signals it accepts.
    #[schema(required = false, default = 10000)]
    pub max_signals_per_execution: u32,
    /// How long its idempotency key is remembered, in milliseconds.
    #[schema(required = false, default = 86400000)]
    pub dedup_window_ms: u64,
    /// How long it is kept after its end, in milliseconds, 1 to ten years; absent,
    /// as `retention.finished_ms` of the host says. It stays at least as long as
    /// its idempotency key is remembered; afterwards it is unknown.
    #[schema(minimum = 1)]
    pub retention_ms: Option<u64>,
}

/// What happens after a failure.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Failures after which one more attempt is made, 0 to 1000.
    #[schema(required = false, default = 3)]
    pub max_retries: u32,
    /// How long to wait before each.
    #[schema(required = false)]
    pub backoff: Backoff,
    /// Classes of failure that are retried; `transient`, `infra_crash` and
    /// `timeout` when absent.
    #[schema(required = false)]
    pub retryable_categories: BTreeSet<String>,
}

/// How long to wait before an attempt that retries.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Backoff {
    /// The same time before each.
    Fixed {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// Longer each time, up to a bound.
    Exponential {
        /// Before the first retry, in milliseconds, and not more than
        /// `max_delay_ms`; absent, that if it is shorter than the default.
        #[schema(required = false, default = 1000)]
        initial_delay_ms: u64,
        /// Upper bound in milliseconds; absent, `initial_delay_ms` if that is
        /// longer than the default.
        #[schema(required = false, default = 60000)]
        max_delay_ms: u64,
        /// Growth per retry in percent: 200 doubles.
        #[schema(required = false, default = 200)]
        multiplier_percent: u32,
        /// Whether the time is drawn evenly from its upper half.
        #[schema(required = false, default = true)]
        jitter: bool,
    },
}

/// Time limits.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutPolicy {
    /// Longest one attempt may run, in milliseconds.
    pub attempt_timeout_ms: Option<u64>,
    /// Longest from creation to end, in milliseconds.
    pub execution_deadline_ms: Option<u64>,
    /// Leases that may end without an outcome before the execution fails.
    #[schema(required = false, default = 1000)]
    pub max_reclaim_count: u32,
}

/// Defaults for suspensions.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspensionPolicy {
    /// Milliseconds after which a suspension without its own limit times out.
    pub default_timeout_ms: Option<u64>,
    /// `fail`, `cancel`, `expire`, `auto_resume_with_timeout_signal` or
    /// `escalate`.
    #[schema(required = false, default = "fail")]
    pub timeout_behavior: String,
}

/// Which workers may run it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingRequirements {
    /// Capabilities a worker must have.
    #[schema(required = false)]
    pub required_capabilities: BTreeSet<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_fits_its_schema() {
        let text = serde_json::to_string(&model::ExecutionPolicy::default()).expect("writes");
        serde_json::from_str::<Policy>(&text).expect("fits");
    }
}
