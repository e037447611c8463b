//! Defaults for suspensions.

use serde::{Deserialize, Serialize};

use super::duration::time_limit;
use crate::Invalid;
use crate::wire::named;

named! {
    /// What happens when the time limit of a suspension passes.
    #[derive(Default)]
    pub enum TimeoutBehavior ("timeout behavior") {
        /// The execution fails.
        #[default]
        Fail = "fail",
        /// The execution is cancelled.
        Cancel = "cancel",
        /// The execution expires.
        Expire = "expire",
        /// The execution resumes, and its handler sees why.
        AutoResumeWithTimeoutSignal = "auto_resume_with_timeout_signal",
        /// The execution stays suspended, and an event asks operators for a review.
        Escalate = "escalate",
    }
}

/// Defaults for the suspensions of an execution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuspensionPolicy {
    /// Time limit of a suspension that sets none, in milliseconds, 1 to ten years;
    /// absent: no limit.
    pub default_timeout_ms: Option<u64>,
    /// What happens when the time limit passes.
    pub timeout_behavior: TimeoutBehavior,
}

impl SuspensionPolicy {
    /// Checks the bounds.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        time_limit(
            "policy.suspension_policy.default_timeout_ms",
            self.default_timeout_ms,
        )
    }
}
