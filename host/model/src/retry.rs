//! Whether and when a failed execution is tried again.

use crate::{Backoff, FailureClass, RetryPolicy};

/// What the policy decides about one failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Another attempt, no sooner than this many milliseconds from now.
    After(u64),
    /// The class of failure is not retried.
    NotRetryable,
    /// Every retry is used up.
    Exhausted,
}

impl RetryPolicy {
    /// Decides about a failure of `class` after `retries` earlier ones.
    ///
    /// `unit` is a random number in `0.0..1.0`, used when the backoff has
    /// jitter: the wait is then drawn evenly from its upper half.
    pub fn decide(&self, class: FailureClass, retries: u32, unit: f64) -> Retry {
        if !self.retryable_categories.contains(&class) {
            return Retry::NotRetryable;
        }
        if retries >= self.max_retries {
            return Retry::Exhausted;
        }
        Retry::After(self.backoff.delay_ms(retries, unit))
    }
}

impl Backoff {
    fn delay_ms(self, retries: u32, unit: f64) -> u64 {
        match self {
            Self::Fixed { delay_ms } => delay_ms,
            Self::Exponential {
                initial_delay_ms,
                max_delay_ms,
                multiplier_percent,
                jitter,
            } => {
                let factor = (f64::from(multiplier_percent) / 100.0)
                    .powi(i32::try_from(retries).unwrap_or(i32::MAX));
                let full = (initial_delay_ms as f64 * factor).min(max_delay_ms as f64);
                let drawn = if jitter {
                    full * (0.5 + unit.clamp(0.0, 1.0) / 2.0)
                } else {
                    full
                };
                drawn.round() as u64
            }
        }
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
