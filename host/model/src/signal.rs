//! Signals, their effects, and why one is refused.

use crate::id::random_id;
use crate::wire::named;
use crate::{Invalid, Outcome, WaitpointCloseReason};

random_id! {
    /// Names a signal.
    SignalId
}

named! {
    /// The effect of an accepted signal; see [`crate::effect`].
    pub enum SignalEffect ("signal effect") {
        /// It counts, and others are needed as well.
        AppendedToWaitpoint = "appended_to_waitpoint",
        /// It satisfied the condition: the execution resumes.
        ResumeConditionSatisfied = "resume_condition_satisfied",
        /// No signal satisfies the condition.
        NoOp = "no_op",
        /// The condition does not name that waitpoint.
        SignalIgnoredNotInCondition = "signal_ignored_not_in_condition",
        /// The condition names that waitpoint, and other names of signals.
        SignalIgnoredMatcherFailed = "signal_ignored_matcher_failed",
        /// It matches the condition, and brings it no further.
        AppendedToWaitpointDuplicate = "appended_to_waitpoint_duplicate",
        /// It is stored until the execution suspends on the waitpoint.
        BufferedForPendingWaitpoint = "buffered_for_pending_waitpoint",
    }
}

named! {
    /// Types of senders that the host determines itself: a caller with a token cannot
    /// claim to be an operator.
    pub enum KnownSource ("source type") {
        /// An operator, who needs no token.
        Operator = "operator",
        /// A caller who posted to a callback URL.
        Webhook = "webhook",
        /// An execution of this instance, by its handler.
        Execution = "execution",
        /// A component that holds several leases.
        Component = "component",
    }
}

/// The one answer to every waitpoint token that is not valid, whatever is wrong with it:
/// forged, cut, changed, of another waitpoint, namespace or instance, of a key that was
/// retired, expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the waitpoint token is not valid")]
pub struct InvalidToken;

impl InvalidToken {
    /// Returns the stable code.
    pub const fn code(self) -> &'static str {
        "invalid_token"
    }
}

/// Why a signal was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignalRefusal {
    /// The waitpoint token is not valid for this.
    #[error(transparent)]
    InvalidToken(#[from] InvalidToken),
    /// No such execution.
    #[error("no such execution")]
    ExecutionNotFound,
    /// The execution has no such waitpoint, or none that is open.
    #[error("the execution has no such waitpoint")]
    WaitpointNotFound,
    /// The execution has several open waitpoints, and none was named.
    #[error("the execution has {open} open waitpoints; name one")]
    WaitpointAmbiguous {
        /// How many are open.
        open: usize,
    },
    /// The execution is finished.
    #[error("the execution is {outcome} and takes no more signals")]
    TargetNotSignalable {
        /// How it ended.
        outcome: Outcome,
    },
    /// The waitpoint takes no more signals.
    #[error("the waitpoint is closed: {reason}")]
    WaitpointClosed {
        /// Why it was closed.
        reason: WaitpointCloseReason,
    },
    /// The execution accepted as many signals as it may.
    #[error("the execution accepted {max} signals, which is all its policy allows")]
    SignalLimitExceeded {
        /// How many the execution may accept.
        max: u32,
    },
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl SignalRefusal {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidToken(token) => token.code(),
            Self::ExecutionNotFound => "execution_not_found",
            Self::WaitpointNotFound => "waitpoint_not_found",
            Self::WaitpointAmbiguous { .. } => "waitpoint_ambiguous",
            Self::TargetNotSignalable { .. } => "target_not_signalable",
            Self::WaitpointClosed { .. } => "waitpoint_closed",
            Self::SignalLimitExceeded { .. } => "signal_limit_exceeded",
            Self::Invalid(_) => "invalid_input",
        }
    }
}
