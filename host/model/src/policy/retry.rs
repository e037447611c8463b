//! Whether and when a failed execution is tried again.

use crate::{Backoff, FailureClass, Limits, RetryPolicy};

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
    /// Returns how long to wait, at most [`Limits::DURATION_MS_MAX`] whatever the
    /// policy holds.
    fn delay_ms(self, retries: u32, unit: f64) -> u64 {
        let delay = match self {
            Self::Fixed { delay_ms } => delay_ms,
            Self::Exponential {
                initial_delay_ms,
                max_delay_ms,
                multiplier_percent,
                jitter,
            } => {
                let full = grown(initial_delay_ms, max_delay_ms, multiplier_percent, retries);
                // A number that is none draws the shortest wait.
                let unit = if unit > 0.0 { unit.min(1.0) } else { 0.0 };
                if jitter {
                    (full as f64 * (0.5 + unit / 2.0)).round() as u64
                } else {
                    full
                }
            }
        };
        delay.min(Limits::DURATION_MS_MAX)
    }
}

/// Returns `initial × (percent / 100)^retries`, at most `max`. The power may be
/// beyond every number; nothing times it is nothing all the same.
fn grown(initial_ms: u64, max_ms: u64, percent: u32, retries: u32) -> u64 {
    if initial_ms == 0 {
        return 0;
    }
    let exponent = i32::try_from(retries).unwrap_or(i32::MAX);
    let factor = (f64::from(percent) / 100.0).powi(exponent);
    // The cast saturates.
    ((initial_ms as f64 * factor).round() as u64).min(max_ms)
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

    #[test]
    fn a_wait_grows_with_the_retries_and_stays_within_its_bounds() {
        let edges = [
            0,
            1,
            999,
            60_000,
            1 << 53,
            Limits::DURATION_MS_MAX,
            u64::MAX,
        ];
        for initial_delay_ms in edges {
            for max_delay_ms in edges {
                for multiplier_percent in [100, 101, 200, 10_000, u32::MAX] {
                    let at = |retries, jitter, unit| {
                        Backoff::Exponential {
                            initial_delay_ms,
                            max_delay_ms,
                            multiplier_percent,
                            jitter,
                        }
                        .delay_ms(retries, unit)
                    };
                    let what = (initial_delay_ms, max_delay_ms, multiplier_percent);
                    let max = max_delay_ms.min(Limits::DURATION_MS_MAX);
                    let mut before = initial_delay_ms.min(max);
                    for retries in [0, 1, 2, 3, 63, 999, u32::MAX - 1, u32::MAX] {
                        let full = at(retries, false, 0.0);
                        assert!((before..=max).contains(&full), "{what:?} {retries}: {full}");
                        before = full;
                        for unit in [0.0, 0.5, 1.0, -7.0, 1e300, f64::NAN] {
                            let drawn = at(retries, true, unit);
                            assert!(drawn <= max, "{what:?} {retries} {unit}: {drawn}");
                        }
                        if full < 1 << 52 {
                            assert!(at(retries, true, 0.0) >= full / 2);
                            assert!(at(retries, true, 1.0) == full);
                        }
                    }
                }
            }
        }
        let fixed = Backoff::Fixed { delay_ms: u64::MAX };
        assert_eq!(fixed.delay_ms(0, 0.0), Limits::DURATION_MS_MAX);
    }
}
