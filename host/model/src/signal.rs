//! Signals: what is sent to a waitpoint, and what became of it.

use crate::id::random_id;
use crate::wire::named;

random_id! {
    /// Names a signal.
    SignalId
}

named! {
    /// What a signal that was accepted did; see [`crate::effect`].
    pub enum SignalEffect ("signal effect") {
        /// It counts, and more is needed.
        AppendedToWaitpoint = "appended_to_waitpoint",
        /// It satisfied the condition: the execution goes on.
        ResumeConditionSatisfied = "resume_condition_satisfied",
        /// The condition looks at no signals.
        NoOp = "no_op",
        /// The condition does not look at that waitpoint.
        SignalIgnoredNotInCondition = "signal_ignored_not_in_condition",
        /// The condition looks at that waitpoint, for other names.
        SignalIgnoredMatcherFailed = "signal_ignored_matcher_failed",
        /// It is of those that count, and brings nothing that was missing.
        AppendedToWaitpointDuplicate = "appended_to_waitpoint_duplicate",
        /// It is kept until the execution suspends on the waitpoint.
        BufferedForPendingWaitpoint = "buffered_for_pending_waitpoint",
    }
}

/// The one answer to every token that is not good, whatever is wrong with it:
/// forged, cut, changed, of another waitpoint, namespace or instance, of a key
/// that was retired, past its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the waitpoint token is not valid")]
pub struct InvalidToken;

impl InvalidToken {
    /// Returns the stable code.
    pub const fn code(self) -> &'static str {
        "invalid_token"
    }
}
