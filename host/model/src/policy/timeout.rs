//! Time limits of an execution and its attempts.

use serde::{Deserialize, Serialize};

use super::duration::time_limit;
use crate::{Invalid, Limits, check_range};

impl Limits {
    /// Most leases that may end without an outcome before an execution fails.
    pub const RECLAIMS_MAX: u32 = 1_000_000;
}

/// Time limits of an execution and its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutPolicy {
    /// Longest time one attempt may run, in milliseconds, 1 to ten years; then the
    /// attempt fails with class `timeout`. Absent: no limit.
    pub attempt_timeout_ms: Option<u64>,
    /// Longest time from creation to end, in milliseconds, 1 to ten years; then the
    /// execution expires. Absent: no limit.
    pub execution_deadline_ms: Option<u64>,
    /// Most leases that may end without an outcome, 0 to 1000000; at the next one the
    /// execution fails.
    pub max_reclaim_count: u32,
}

impl Default for TimeoutPolicy {
    fn default() -> Self {
        Self {
            attempt_timeout_ms: None,
            execution_deadline_ms: None,
            max_reclaim_count: 1000,
        }
    }
}

impl TimeoutPolicy {
    /// Checks the bounds.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        time_limit(
            "policy.timeout_policy.attempt_timeout_ms",
            self.attempt_timeout_ms,
        )?;
        time_limit(
            "policy.timeout_policy.execution_deadline_ms",
            self.execution_deadline_ms,
        )?;
        check_range(
            "policy.timeout_policy.max_reclaim_count",
            self.max_reclaim_count,
            0..=Limits::RECLAIMS_MAX,
        )
    }
}
