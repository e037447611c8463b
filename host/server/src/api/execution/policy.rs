//! The schema of a policy, which [`model::ExecutionPolicy`] reads, checks and writes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How an execution is retried, bounded and routed. Every member is optional.
///
/// `budget_ids`, `fallback_policy`, `durability_mode`, `isolation_level` and
/// `preferred_locality` are refused as `not_offered` unless they ask for nothing.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Whether and when another attempt is made after a failure.
    #[schema(required = false)]
    pub retry_policy: RetryPolicy,
    /// Time limits of attempts and of the execution.
    #[schema(required = false)]
    pub timeout_policy: TimeoutPolicy,
    /// Defaults of suspensions without limits of their own.
    #[schema(required = false)]
    pub suspension_policy: SuspensionPolicy,
    /// Which workers may run the execution.
    #[schema(required = false)]
    pub routing_requirements: RoutingRequirements,
    /// How long its streams are kept.
    pub stream_policy: Option<StreamPolicy>,
    /// Number of times an operator may replay it.
    #[schema(required = false, default = 10)]
    pub max_replay_count: u32,
    /// Most signals that the execution accepts.
    #[schema(required = false, default = 10000)]
    pub max_signals_per_execution: u32,
    /// How long its idempotency key is remembered, in milliseconds.
    #[schema(required = false, default = 86400000)]
    pub dedup_window_ms: u64,
    /// How long it is kept after its end, in milliseconds, 1 to ten years; as
    /// `retention.finished_ms` of the host says when absent. It stays at least as long as
    /// its idempotency key is remembered; afterwards it is unknown.
    #[schema(minimum = 1)]
    pub retention_ms: Option<u64>,
}

/// How long the streams of an execution are kept, beside the execution itself.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamPolicy {
    /// How many durable frames each stream keeps; 0 removes none, up to the bound. A frame
    /// may say otherwise.
    #[schema(required = false, default = 10000)]
    pub retention_maxlen: u32,
    /// How long a stream is kept after the end of its attempt, in milliseconds, 1 to ten
    /// years; as long as the execution when absent.
    #[schema(minimum = 1)]
    pub retention_ttl_ms: Option<u64>,
}

/// Whether and when another attempt is made after a failure.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Failures after which one more attempt is made, 0 to 1000.
    #[schema(required = false, default = 3)]
    pub max_retries: u32,
    /// Delay before each of these attempts.
    #[schema(required = false)]
    pub backoff: Backoff,
    /// Classes of failure that are retried; `transient`, `infra_crash` and
    /// `timeout` when absent.
    #[schema(required = false)]
    pub retryable_categories: BTreeSet<String>,
}

/// The delay before an attempt that retries.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Backoff {
    /// The same delay before each retry.
    #[schema(title = "FixedBackoff")]
    Fixed {
        /// Delay before each, in milliseconds.
        delay_ms: u64,
    },
    /// A delay that grows with each retry, up to a bound.
    #[schema(title = "ExponentialBackoff")]
    Exponential {
        /// Delay before the first retry, in milliseconds, at most `max_delay_ms`; when
        /// absent, the shorter of that and the default.
        #[schema(required = false, default = 1000)]
        initial_delay_ms: u64,
        /// Longest delay in milliseconds; when absent, the longer of `initial_delay_ms`
        /// and the default.
        #[schema(required = false, default = 60000)]
        max_delay_ms: u64,
        /// Growth per retry in percent: 200 doubles.
        #[schema(required = false, default = 200)]
        multiplier_percent: u32,
        /// Whether the delay is drawn at random between its half and itself.
        #[schema(required = false, default = true)]
        jitter: bool,
    },
}

/// Time limits of attempts and of the execution.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutPolicy {
    /// Longest one attempt may run, in milliseconds; no limit when absent.
    pub attempt_timeout_ms: Option<u64>,
    /// Longest time from creation to end, in milliseconds; no limit when absent.
    pub execution_deadline_ms: Option<u64>,
    /// Number of leases that may end without an outcome before the execution fails.
    #[schema(required = false, default = 1000)]
    pub max_reclaim_count: u32,
}

/// Defaults of suspensions without limits of their own.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspensionPolicy {
    /// Time until such a suspension times out, in milliseconds; never when absent.
    pub default_timeout_ms: Option<u64>,
    /// What happens then: `fail`, `cancel`, `expire`, `auto_resume_with_timeout_signal`
    /// or `escalate`.
    #[schema(required = false, default = "fail")]
    pub timeout_behavior: String,
}

/// Which workers may run an execution.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingRequirements {
    /// Capabilities a worker must have; any worker when empty.
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
