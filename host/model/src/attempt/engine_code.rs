//! Codes of failures that only the engine gives. Callers cannot use them, and no
//! decision depends on a code that was stored.

use super::FailureClass;
use crate::wire::named;
use crate::{Invalid, Limits, ensure, quoted};

named! {
    /// The code of a failure with which the engine ended an attempt or an execution.
    pub enum EngineCode ("engine code") {
        /// The attempt ran longer than its policy allows.
        AttemptTimeout = "attempt_timeout",
        /// The execution was not finished by its deadline.
        ExecutionDeadline = "execution_deadline",
        /// The time limit of its suspension passed.
        SuspensionTimeout = "suspension_timeout",
        /// An operator expired the execution.
        Expired = "expired",
        /// The execution was cancelled.
        Cancelled = "cancelled",
        /// The lease expired.
        LeaseExpired = "lease_expired",
        /// The lease was revoked.
        LeaseRevoked = "lease_revoked",
        /// More leases were lost than the policy allows.
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

named! {
    /// Why a caller expires an execution before its deadline.
    #[derive(Default)]
    pub enum ExpireReason ("expire reason") {
        /// The caller says no more.
        #[default]
        Expired = "expired",
        /// An attempt ran longer than it may, by the caller's clock.
        AttemptTimeout = "attempt_timeout",
        /// The deadline has passed, by the caller's clock.
        ExecutionDeadline = "execution_deadline",
    }
}

impl ExpireReason {
    /// Returns the code of the failure.
    pub const fn code(self) -> EngineCode {
        match self {
            Self::Expired => EngineCode::Expired,
            Self::AttemptTimeout => EngineCode::AttemptTimeout,
            Self::ExecutionDeadline => EngineCode::ExecutionDeadline,
        }
    }
}

/// Whether only the engine may give this failure code.
pub fn is_reserved_code(code: &str) -> bool {
    code.parse::<EngineCode>().is_ok()
}

/// Checks the code of a failure that a caller gives, a stable name for programs: 1 to 64
/// characters of `a-z`, `0-9` and `_`, and not an [`EngineCode`].
pub fn failure_code(text: &str) -> Result<(), Invalid> {
    let word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    let max = Limits::FAILURE_CODE_BYTES_MAX;
    let ok = (1..=max).contains(&text.len()) && text.bytes().all(word);
    ensure("code", ok, || {
        format!(
            "{} is not a valid failure code: it must be 1 to {max} characters of a-z, 0-9 and '_'",
            quoted(text)
        )
    })?;
    ensure("code", !is_reserved_code(text), || {
        format!("`{text}` is reserved: only the engine gives that code")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_engine_is_reserved_and_named_in_the_refusal() {
        for code in EngineCode::ALL {
            let refused = failure_code(code.as_str()).expect_err("it is reserved");
            assert!(refused.to_string().contains(code.as_str()), "{refused}");
        }
        // Codes of hosts are not reserved: nothing depends on them.
        for free in ["busy", "memory_limit", "guest_trap", "timeout"] {
            failure_code(free).expect("callers may use it");
        }
    }

    #[test]
    fn codes_of_failures_are_words_for_programs() {
        for good in ["a", "bad_image", "http_503", "_", &"x".repeat(64)] {
            assert_eq!(failure_code(good), Ok(()), "{good}");
        }
        for bad in ["", "Bad Code", "a-b", "a.b", "ä", "a\0", &"x".repeat(65)] {
            let refused = failure_code(bad).expect_err(bad);
            assert_eq!(refused.field, "code");
        }
    }
}
