//! Whether and when a failed execution is retried.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Backoff;
use crate::{FailureClass, Invalid, Limits, check_range};

impl Limits {
    /// Most failures after which another attempt may be made.
    pub const RETRIES_MAX: u32 = 1000;
}

/// What happens after a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// Most retries, 0 to 1000; without any the first failure is final.
    pub max_retries: u32,
    /// The pause before each retry.
    pub backoff: Backoff,
    /// Classes of failures that are retried.
    pub retryable_categories: BTreeSet<FailureClass>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            backoff: Backoff::default(),
            retryable_categories: [
                FailureClass::Transient,
                FailureClass::InfraCrash,
                FailureClass::Timeout,
            ]
            .into(),
        }
    }
}

/// What the policy decides about one failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Another attempt, this many milliseconds from now.
    After(u64),
    /// The class of failure is not retried.
    NotRetryable,
    /// The policy allows no further retry.
    Exhausted,
}

impl RetryPolicy {
    /// Decides about a failure of `class` after `retries` earlier retries.
    ///
    /// `unit` is a random number in `0.0..1.0`, which a backoff with jitter uses.
    pub fn decide(&self, class: FailureClass, retries: u32, unit: f64) -> Retry {
        if !self.retryable_categories.contains(&class) {
            return Retry::NotRetryable;
        }
        if retries >= self.max_retries {
            return Retry::Exhausted;
        }
        Retry::After(self.backoff.delay_ms(retries, unit))
    }

    /// Checks the bounds.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        check_range(
            "policy.retry_policy.max_retries",
            self.max_retries,
            0..=Limits::RETRIES_MAX,
        )?;
        self.backoff.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubling(jitter: bool) -> RetryPolicy {
        RetryPolicy {
            max_retries: 70,
            backoff: Backoff::Exponential {
                initial_delay_ms: 1000,
                max_delay_ms: 60_000,
                multiplier_percent: 200,
                jitter,
            },
            ..RetryPolicy::default()
        }
    }

    #[test]
    fn exponential_backoff_doubles_up_to_its_cap() {
        let policy = doubling(false);
        let delays: Vec<_> = (0..8)
            .map(|n| policy.decide(FailureClass::Transient, n, 0.0))
            .collect();
        let expected = [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000].map(Retry::After);
        assert_eq!(delays, expected);
        assert_eq!(
            policy.decide(FailureClass::Transient, 69, 0.0),
            Retry::After(60_000),
            "a large exponent stays at the cap"
        );
    }

    #[test]
    fn jitter_draws_from_the_upper_half() {
        let policy = doubling(true);
        let at = |unit| policy.decide(FailureClass::Timeout, 1, unit);
        assert_eq!(at(0.0), Retry::After(1000));
        assert_eq!(at(0.5), Retry::After(1500));
        assert_eq!(at(1.0), Retry::After(2000));
    }

    #[test]
    fn permanent_and_cancelled_failures_are_not_retried() {
        let policy = RetryPolicy::default();
        assert_eq!(
            policy.decide(FailureClass::Permanent, 0, 0.0),
            Retry::NotRetryable
        );
        assert_eq!(
            policy.decide(FailureClass::Cancelled, 0, 0.0),
            Retry::NotRetryable
        );
        assert_eq!(
            policy.decide(FailureClass::InfraCrash, 3, 0.0),
            Retry::Exhausted
        );
    }
}
