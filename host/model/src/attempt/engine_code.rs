//! Codes of failures that the engine gives by itself. They are reserved: callers
//! cannot give them, and nothing is decided by reading one back.

use crate::FailureClass;
use crate::wire::named;

named! {
    /// What the engine calls the failure of an attempt or an execution that it ended.
    pub enum EngineCode ("engine code") {
        /// The attempt ran longer than its policy allows.
        AttemptTimeout = "attempt_timeout",
        /// The execution was not finished by its deadline.
        ExecutionDeadline = "execution_deadline",
        /// What the execution waited for did not come in time.
        SuspensionTimeout = "suspension_timeout",
        /// An operator expired the execution.
        Expired = "expired",
        /// The execution was cancelled.
        Cancelled = "cancelled",
        /// The lease lapsed.
        LeaseExpired = "lease_expired",
        /// The lease was revoked.
        LeaseRevoked = "lease_revoked",
        /// The lease was lost once more than the policy allows.
        MaxReclaimsExceeded = "max_reclaims_exceeded",
    }
}

impl EngineCode {
    /// Returns the class of such a failure.
    pub const fn class(self) -> FailureClass {
        match self {
            Self::AttemptTimeout
            | Self::ExecutionDeadline
            | Self::SuspensionTimeout
            | Self::Expired => FailureClass::Timeout,
            Self::Cancelled => FailureClass::Cancelled,
            Self::LeaseExpired | Self::LeaseRevoked | Self::MaxReclaimsExceeded => {
                FailureClass::InfraCrash
            }
        }
    }
}

/// Whether only the engine may give this failure code.
pub fn is_reserved_code(code: &str) -> bool {
    code.parse::<EngineCode>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure_code;

    #[test]
    fn every_code_of_the_engine_is_reserved_and_named_in_the_refusal() {
        for code in EngineCode::ALL {
            let refused = failure_code(code.as_str()).expect_err("it is reserved");
            assert!(refused.to_string().contains(code.as_str()), "{refused}");
        }
        // What a host calls its own findings is free: nothing follows from it.
        for free in ["busy", "memory_limit", "guest_trap", "timeout"] {
            failure_code(free).expect("anybody may say so");
        }
    }
}
