//! Suspensions: why an execution waits, who asked for it, and how that ends.

use serde::{Deserialize, Serialize};

use crate::id::random_id;
use crate::wire::named;
use crate::{
    BlockingReason, Invalid, LeaseRefusal, Limits, Member, Refusal, RefusalCode, TimeoutBehavior,
    WaitpointCloseReason, WaitpointState,
};

impl Limits {
    /// Most waitpoints of one suspension.
    pub const WAITPOINTS_MAX: usize = 64;
    /// Most bytes of conditions and of the ids of satisfiers on a page of suspensions,
    /// before those of the last suspension on it.
    pub const SUSPENSIONS_BYTES_MAX: u32 = 1 << 20;
}

random_id! {
    /// Names a suspension.
    SuspensionId
}

named! {
    /// Why an execution is suspended.
    pub enum SuspensionReason ("suspension reason") {
        /// It waits for a signal.
        WaitingForSignal = "waiting_for_signal",
        /// It waits for the approval of a person.
        WaitingForApproval = "waiting_for_approval",
        /// It waits for a call from outside.
        WaitingForCallback = "waiting_for_callback",
        /// It waits for the result of a tool.
        WaitingForToolResult = "waiting_for_tool_result",
        /// It waits for an operator to review it.
        WaitingForOperatorReview = "waiting_for_operator_review",
        /// A policy demands it.
        PausedByPolicy = "paused_by_policy",
        /// A budget is used up.
        PausedByBudget = "paused_by_budget",
        /// It pauses between two steps.
        StepBoundary = "step_boundary",
        /// A person asked for a pause.
        ManualPause = "manual_pause",
    }
}

impl SuspensionReason {
    /// Returns the blocking reason that the execution is listed with.
    pub const fn blocking_reason(self) -> BlockingReason {
        match self {
            Self::WaitingForSignal | Self::StepBoundary => BlockingReason::WaitingForSignal,
            Self::WaitingForApproval => BlockingReason::WaitingForApproval,
            Self::WaitingForCallback => BlockingReason::WaitingForCallback,
            Self::WaitingForToolResult => BlockingReason::WaitingForToolResult,
            Self::WaitingForOperatorReview | Self::ManualPause => BlockingReason::PausedByOperator,
            Self::PausedByPolicy => BlockingReason::PausedByPolicy,
            Self::PausedByBudget => BlockingReason::WaitingForBudget,
        }
    }
}

named! {
    /// Who asked for a suspension.
    pub enum SuspensionRequester ("suspension requester") {
        /// The holder of its lease.
        Worker = "worker",
        /// An operator.
        Operator = "operator",
        /// A policy.
        Policy = "policy",
        /// A time limit.
        SystemTimeoutPolicy = "system_timeout_policy",
    }
}

impl SuspensionRequester {
    /// Checks that the holder of a lease may suspend at the request of this one: it can
    /// pass on what an operator or a policy asks for, while time limits are applied by the
    /// engine alone.
    pub fn check_holder(self) -> Result<(), Invalid> {
        match self {
            Self::Worker | Self::Operator | Self::Policy => Ok(()),
            Self::SystemTimeoutPolicy => Err(Invalid::new(
                "requested_by",
                format!(
                    "`{self}` is recorded by the engine alone: leave it out, or say worker, operator or policy"
                ),
            )),
        }
    }
}

named! {
    /// Which state an execution resumes in when its condition is satisfied.
    pub enum ResumeTarget ("resume target") {
        /// Into its queue, or to wait for [`ResumePolicy::resume_delay_ms`].
        Runnable = "Runnable",
    }
}

/// What happens when a condition is satisfied; in JSON an object with these
/// fields, each of which may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResumePolicy {
    /// Which state the execution resumes in.
    pub resume_target: ResumeTarget,
    /// Whether the signals that satisfied it are consumed; otherwise they count for the
    /// next suspension on their waitpoint too, if that stays open.
    pub consume_matched_signals: bool,
    /// Whether the other signals count for the next suspension on their
    /// waitpoint, if that stays open; otherwise they are consumed too.
    pub retain_signal_buffer_until_closed: bool,
    /// How long the execution waits before it is ready, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_delay_ms: Option<u64>,
    /// Whether the waitpoints close, so that later signals are refused;
    /// otherwise they are pending again, for the next suspension.
    pub close_waitpoint_on_resume: bool,
    /// Whether the credential that asked for the execution may approve or reject it. A
    /// member of this engine's own, which is left out unless it is set.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_requester: bool,
}

impl Default for ResumePolicy {
    fn default() -> Self {
        Self {
            resume_target: ResumeTarget::Runnable,
            consume_matched_signals: true,
            retain_signal_buffer_until_closed: false,
            resume_delay_ms: None,
            close_waitpoint_on_resume: true,
            allow_requester: false,
        }
    }
}

impl ResumePolicy {
    /// Checks every bound.
    pub fn check(&self) -> Result<(), Invalid> {
        match self.resume_delay_ms {
            Some(delay) if delay > Limits::DURATION_MS_MAX => Err(Invalid::new(
                "resume_policy.resume_delay_ms",
                format!("{delay} is out of range: 0 to {}", Limits::DURATION_MS_MAX),
            )),
            _ => Ok(()),
        }
    }
}

named! {
    /// Why a suspension is over.
    pub enum SuspensionCloseReason ("suspension close reason") {
        /// Signals satisfied its condition.
        Satisfied = "satisfied",
        /// An operator resumed the execution.
        OperatorResume = "operator_resume",
        /// The execution was cancelled.
        Cancelled = "cancelled",
        /// The time limit passed, and the execution failed.
        TimedOutFail = "timed_out_fail",
        /// The time limit passed, and the execution was cancelled.
        TimedOutCancel = "timed_out_cancel",
        /// The time limit passed, and the execution expired; so it does too at
        /// its deadline.
        TimedOutExpire = "timed_out_expire",
        /// The time limit passed, and the execution resumed.
        TimedOutAutoResume = "timed_out_auto_resume",
    }
}

impl SuspensionCloseReason {
    /// Returns how a suspension ends when its time limit passes; `None` if it stays open
    /// and an operator is asked.
    pub const fn of_timeout(behavior: TimeoutBehavior) -> Option<Self> {
        match behavior {
            TimeoutBehavior::Fail => Some(Self::TimedOutFail),
            TimeoutBehavior::Cancel => Some(Self::TimedOutCancel),
            TimeoutBehavior::Expire => Some(Self::TimedOutExpire),
            TimeoutBehavior::AutoResumeWithTimeoutSignal => Some(Self::TimedOutAutoResume),
            TimeoutBehavior::Escalate => None,
        }
    }

    /// Whether the execution resumed after it.
    pub const fn resumes(self) -> bool {
        matches!(
            self,
            Self::Satisfied | Self::OperatorResume | Self::TimedOutAutoResume
        )
    }

    /// Returns why its waitpoints take no more signals, if they close with it.
    pub const fn of_waitpoint(self) -> WaitpointCloseReason {
        match self {
            Self::Satisfied | Self::OperatorResume => WaitpointCloseReason::Resumed,
            Self::Cancelled => WaitpointCloseReason::Cancelled,
            Self::TimedOutFail => WaitpointCloseReason::TimedOutFail,
            Self::TimedOutCancel => WaitpointCloseReason::TimedOutCancel,
            Self::TimedOutExpire => WaitpointCloseReason::TimedOutExpire,
            Self::TimedOutAutoResume => WaitpointCloseReason::TimedOutAutoResume,
        }
    }
}

/// Why a suspension did not begin, or a waitpoint was not created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SuspendRefusal {
    /// The lease does not hold, or an argument breaks a bound.
    #[error(transparent)]
    Lease(#[from] LeaseRefusal),
    /// A waitpoint that is to be new has the key of one that is open.
    #[error("the execution has an open waitpoint `{key}` already")]
    WaitpointAlreadyExists {
        /// Key of the open waitpoint.
        key: String,
    },
    /// The execution has no such waitpoint.
    #[error("the execution has no such waitpoint")]
    WaitpointNotFound,
    /// The execution cannot suspend on the waitpoint any more.
    #[error("the waitpoint is {state}, not pending")]
    WaitpointNotPending {
        /// The state it is in instead.
        state: WaitpointState,
    },
    /// The waitpoint expired before the suspension began.
    #[error("the waitpoint expired before its suspension began")]
    PendingWaitpointExpired,
    /// The execution has as many open waitpoints as it may.
    #[error("the execution has {max} open waitpoints, which is all it may have")]
    WaitpointLimitExceeded {
        /// How many it may have.
        max: usize,
    },
}

impl Refusal for SuspendRefusal {
    fn refusal_code(&self) -> RefusalCode {
        match self {
            Self::Lease(refusal) => refusal.refusal_code(),
            Self::WaitpointAlreadyExists { .. } => RefusalCode::WaitpointAlreadyExists,
            Self::WaitpointNotFound => RefusalCode::WaitpointNotFound,
            Self::WaitpointNotPending { .. } => RefusalCode::WaitpointNotPending,
            Self::PendingWaitpointExpired => RefusalCode::PendingWaitpointExpired,
            Self::WaitpointLimitExceeded { .. } => RefusalCode::WaitpointLimitExceeded,
        }
    }

    fn members(&self) -> Vec<(&'static str, Member)> {
        match self {
            Self::Lease(refusal) => refusal.members(),
            Self::WaitpointAlreadyExists { key } => vec![("waitpoint_key", Member::text(key))],
            Self::WaitpointNotPending { state } => vec![("waitpoint_state", Member::text(state))],
            Self::WaitpointLimitExceeded { max } => vec![("max", Member::Number(*max as u64))],
            Self::WaitpointNotFound | Self::PendingWaitpointExpired => Vec::new(),
        }
    }
}

impl From<Invalid> for SuspendRefusal {
    fn from(invalid: Invalid) -> Self {
        Self::Lease(invalid.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_shown_as_what_they_wait_for() {
        let shown: Vec<_> = SuspensionReason::ALL
            .iter()
            .map(|reason| reason.blocking_reason().as_str())
            .collect();
        assert_eq!(
            shown,
            [
                "waiting_for_signal",
                "waiting_for_approval",
                "waiting_for_callback",
                "waiting_for_tool_result",
                "paused_by_operator",
                "paused_by_policy",
                "waiting_for_budget",
                "waiting_for_signal",
                "paused_by_operator",
            ]
        );
    }

    #[test]
    fn a_holder_suspends_at_the_request_of_anyone_but_a_time_limit() {
        for requester in SuspensionRequester::ALL {
            let refused = *requester == SuspensionRequester::SystemTimeoutPolicy;
            assert_eq!(requester.check_holder().is_err(), refused, "{requester}");
        }
    }

    #[test]
    fn an_empty_resume_policy_is_the_default() {
        let policy: ResumePolicy = serde_json::from_str("{}").expect("valid");
        assert_eq!(policy, ResumePolicy::default());
        assert_eq!(policy.check(), Ok(()));
        let text = r#"{"resume_target":"Runnable","consume_matched_signals":true,"retain_signal_buffer_until_closed":false,"close_waitpoint_on_resume":true}"#;
        assert_eq!(serde_json::to_string(&policy).expect("writes"), text);
        let late: ResumePolicy =
            serde_json::from_str(r#"{"resume_delay_ms": 18446744073709551615}"#).expect("shape");
        assert!(late.check().is_err());
        assert!(serde_json::from_str::<ResumePolicy>(r#"{"delay": 1}"#).is_err());
    }
}
