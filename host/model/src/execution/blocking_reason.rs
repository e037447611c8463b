//! Blocking reasons: what an execution that does not run waits for.

use super::StateKind;
use crate::wire::{UnknownName, named};
use crate::{Invalid, RefusalCode};

named! {
    /// What an execution waits for. Labels of the Postgres enum `blocking_reason`.
    pub enum BlockingReason ("blocking reason") {
        /// Nothing.
        None = "none",
        /// A worker with a free slot.
        WaitingForWorker = "waiting_for_worker",
        /// The backoff after a failure.
        WaitingForRetryBackoff = "waiting_for_retry_backoff",
        /// The delay after a resume.
        WaitingForResumeDelay = "waiting_for_resume_delay",
        /// A delay set at creation or by the handler.
        WaitingForDelay = "waiting_for_delay",
        /// A signal.
        WaitingForSignal = "waiting_for_signal",
        /// A person's approval.
        WaitingForApproval = "waiting_for_approval",
        /// A call from another system.
        WaitingForCallback = "waiting_for_callback",
        /// The result of a tool.
        WaitingForToolResult = "waiting_for_tool_result",
        /// Other executions of its flow.
        WaitingForChildren = "waiting_for_children",
        /// Room in a budget.
        WaitingForBudget = "waiting_for_budget",
        /// Room in a quota.
        WaitingForQuota = "waiting_for_quota",
        /// A worker with the required capabilities.
        WaitingForCapableWorker = "waiting_for_capable_worker",
        /// A worker in the required location.
        WaitingForLocalityMatch = "waiting_for_locality_match",
        /// An operator, who paused it.
        PausedByOperator = "paused_by_operator",
        /// A policy, which paused it.
        PausedByPolicy = "paused_by_policy",
        /// The cancellation of its flow.
        PausedByFlowCancel = "paused_by_flow_cancel",
    }
}

impl BlockingReason {
    /// Reads the reason that a caller gives in the argument called `field`.
    pub fn of_caller(field: &'static str, text: &str) -> Result<Self, Invalid> {
        let wrong = |error: UnknownName| Invalid::new(field, error.to_string());
        text.parse()
            .map_err(|error| wrong(error).coded(RefusalCode::InvalidBlockingReason))
    }

    /// Returns the state in which an execution is that a caller blocks for this reason.
    ///
    /// # Errors
    /// Executions wait for it without being blocked.
    pub fn blocked_state(self) -> Result<StateKind, Invalid> {
        match self {
            Self::WaitingForBudget | Self::WaitingForQuota => Ok(StateKind::RateLimited),
            Self::WaitingForCapableWorker
            | Self::WaitingForLocalityMatch
            | Self::PausedByOperator
            | Self::PausedByPolicy
            | Self::PausedByFlowCancel => Ok(StateKind::Blocked),
            _ => {
                let detail = format!("`{self}` is not a reason that blocks");
                let invalid = Invalid::new("blocking_reason", detail);
                Err(invalid.coded(RefusalCode::InvalidBlockingReason))
            }
        }
    }
}
