//! Signals, their effects, and why one is refused.

use crate::id::random_id;
use crate::wire::named;
use crate::{Invalid, Limits, Outcome, Refusal, RefusalCode, Told, WaitpointCloseReason};

impl Limits {
    /// Most bytes of a signal's payload.
    pub const SIGNAL_BYTES_MAX: u32 = 64 << 10;
    /// Most bytes of each of a signal's texts: category, source type, source identity,
    /// correlation id.
    pub const SIGNAL_TEXT_BYTES_MAX: usize = 255;
    /// Most bytes of a signal's name.
    pub const SIGNAL_NAME_BYTES_MAX: usize = 128;
    /// Milliseconds for which a signal's idempotency key is remembered, unless its sender
    /// sets another time.
    pub const SIGNAL_DEDUP_MS_DEFAULT: u64 = 24 * 3600 * 1000;
    /// Most signals in one answer.
    pub const SIGNALS_MAX: u32 = 256;
    /// Most bytes of the payloads in one answer together, before that of the last signal
    /// in it.
    pub const SIGNALS_BYTES_MAX: u32 = 1 << 20;
}

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

/// The one answer to every waitpoint token that is not valid, regardless of what is wrong with it:
/// forged, cut, changed, of another waitpoint, namespace or instance, of a key that was
/// retired, expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the waitpoint token is not valid")]
pub struct InvalidWaitpointToken;

impl Refusal for InvalidWaitpointToken {
    fn told(&self) -> Told {
        RefusalCode::InvalidWaitpointToken.alone()
    }
}

/// Why a signal was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignalRefusal {
    /// The waitpoint token is not valid for this.
    #[error(transparent)]
    InvalidWaitpointToken(#[from] InvalidWaitpointToken),
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
        /// How the execution ended.
        outcome: Outcome,
    },
    /// The waitpoint takes no more signals.
    #[error("the waitpoint is closed: {reason}")]
    WaitpointClosed {
        /// Why it was closed.
        reason: WaitpointCloseReason,
    },
    /// It is a decision of the credential that asked for the execution.
    #[error(
        "`{credential}` asked for this execution and cannot decide on it; another must, or its suspension must set allow_requester"
    )]
    ApprovalByRequester {
        /// Name of the credential that asked.
        credential: String,
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

impl Refusal for SignalRefusal {
    fn told(&self) -> Told {
        match self {
            Self::InvalidWaitpointToken(token) => token.told(),
            Self::ExecutionNotFound => RefusalCode::ExecutionNotFound.alone(),
            Self::WaitpointNotFound => RefusalCode::WaitpointNotFound.alone(),
            Self::WaitpointAmbiguous { open } => RefusalCode::WaitpointAmbiguous.with("open", open),
            Self::TargetNotSignalable { outcome } => {
                RefusalCode::TargetNotSignalable.with("outcome", outcome)
            }
            Self::WaitpointClosed { reason } => {
                RefusalCode::WaitpointClosed.with("close_reason", reason)
            }
            Self::ApprovalByRequester { credential } => {
                RefusalCode::ApprovalByRequester.with("credential", credential)
            }
            Self::SignalLimitExceeded { max } => RefusalCode::SignalLimitExceeded.with("max", max),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}
