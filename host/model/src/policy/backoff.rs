//! The pause before a retry.

use serde::{Deserialize, Serialize};

use super::duration::duration;
use crate::{Invalid, Limits, check_range, ensure};

impl Limits {
    /// Bounds of the growth of a backoff per retry, in percent.
    pub const BACKOFF_PERCENT: std::ops::RangeInclusive<u32> = 100..=10_000;
}

/// The pause before an attempt that retries.
///
/// In JSON, a bound that is absent follows the other: an initial delay longer than
/// the default maximum raises the maximum, and a maximum shorter than the default
/// initial delay lowers the initial delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", from = "Given")]
pub enum Backoff {
    /// The same pause before each retry.
    Fixed {
        /// The pause in milliseconds, 0 to ten years.
        delay_ms: u64,
    },
    /// `initial_delay_ms × (multiplier_percent / 100)^n` before retry `n`, counted from
    /// zero, at most `max_delay_ms`.
    Exponential {
        /// The pause before the first retry in milliseconds, at most `max_delay_ms`.
        initial_delay_ms: u64,
        /// The longest pause in milliseconds, at most ten years.
        max_delay_ms: u64,
        /// The growth per retry in percent, 100 to 10000: 200 doubles the pause.
        multiplier_percent: u32,
        /// Whether a pause is drawn evenly from its upper half, so that executions
        /// that failed together are not retried together.
        jitter: bool,
    },
}

/// A [`Backoff`] in JSON, where bounds may be absent.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Given {
    Fixed {
        delay_ms: u64,
    },
    Exponential {
        initial_delay_ms: Option<u64>,
        max_delay_ms: Option<u64>,
        #[serde(default = "multiplier_percent")]
        multiplier_percent: u32,
        #[serde(default = "jitter")]
        jitter: bool,
    },
}

impl From<Given> for Backoff {
    fn from(given: Given) -> Self {
        match given {
            Given::Fixed { delay_ms } => Self::Fixed { delay_ms },
            Given::Exponential {
                initial_delay_ms: initial,
                max_delay_ms: max,
                multiplier_percent,
                jitter,
            } => Self::Exponential {
                initial_delay_ms: initial
                    .unwrap_or_else(|| INITIAL_DELAY_MS.min(max.unwrap_or(INITIAL_DELAY_MS))),
                max_delay_ms: max
                    .unwrap_or_else(|| MAX_DELAY_MS.max(initial.unwrap_or(MAX_DELAY_MS))),
                multiplier_percent,
                jitter,
            },
        }
    }
}

const INITIAL_DELAY_MS: u64 = 1_000;
const MAX_DELAY_MS: u64 = 60_000;
const fn multiplier_percent() -> u32 {
    200
}
const fn jitter() -> bool {
    true
}

impl Default for Backoff {
    fn default() -> Self {
        Self::Exponential {
            initial_delay_ms: INITIAL_DELAY_MS,
            max_delay_ms: MAX_DELAY_MS,
            multiplier_percent: multiplier_percent(),
            jitter: jitter(),
        }
    }
}

impl Backoff {
    /// Checks the bounds.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        match *self {
            Self::Fixed { delay_ms } => duration("policy.retry_policy.backoff.delay_ms", delay_ms),
            Self::Exponential {
                initial_delay_ms,
                max_delay_ms,
                multiplier_percent,
                ..
            } => {
                const INITIAL: &str = "policy.retry_policy.backoff.initial_delay_ms";
                const MAX: &str = "policy.retry_policy.backoff.max_delay_ms";
                duration(INITIAL, initial_delay_ms)?;
                duration(MAX, max_delay_ms)?;
                ensure(INITIAL, initial_delay_ms <= max_delay_ms, || {
                    format!("{initial_delay_ms} is more than {MAX}, which is {max_delay_ms}")
                })?;
                check_range(
                    "policy.retry_policy.backoff.multiplier_percent",
                    multiplier_percent,
                    Limits::BACKOFF_PERCENT,
                )
            }
        }
    }

    /// Returns the pause after `retries` earlier ones in milliseconds, at most
    /// [`Limits::DURATION_MS_MAX`] also for a policy that breaks its bounds. `unit` is
    /// a random number in `0.0..1.0`.
    pub(super) fn delay_ms(self, retries: u32, unit: f64) -> u64 {
        let delay = match self {
            Self::Fixed { delay_ms } => delay_ms,
            Self::Exponential {
                initial_delay_ms,
                max_delay_ms,
                multiplier_percent,
                jitter,
            } => {
                let full = grown(initial_delay_ms, max_delay_ms, multiplier_percent, retries);
                // NaN draws the shortest pause.
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
/// infinite, and zero times infinity would be NaN.
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
    use crate::ExecutionPolicy;

    fn backoff(text: &str) -> (Result<(), Invalid>, Backoff) {
        let text = format!(r#"{{"retry_policy": {{"backoff": {text}}}}}"#);
        let policy: ExecutionPolicy = serde_json::from_str(&text).expect("the shape of a policy");
        (policy.check(), policy.retry_policy.backoff)
    }

    #[test]
    fn a_bound_of_a_backoff_that_is_not_given_follows_the_other() {
        for (given, initial, max) in [
            (r#"{"type": "exponential"}"#, 1_000, 60_000),
            (
                r#"{"type": "exponential", "initial_delay_ms": 300000}"#,
                300_000,
                300_000,
            ),
            (
                r#"{"type": "exponential", "initial_delay_ms": 50}"#,
                50,
                60_000,
            ),
            (r#"{"type": "exponential", "max_delay_ms": 200}"#, 200, 200),
            (
                r#"{"type": "exponential", "max_delay_ms": 5000}"#,
                1_000,
                5_000,
            ),
            (
                r#"{"type": "exponential", "initial_delay_ms": 70000, "max_delay_ms": 90000}"#,
                70_000,
                90_000,
            ),
        ] {
            let (checked, read) = backoff(given);
            assert_eq!(checked, Ok(()), "{given}");
            let Backoff::Exponential {
                initial_delay_ms,
                max_delay_ms,
                ..
            } = read
            else {
                panic!("{given} is exponential");
            };
            assert_eq!((initial_delay_ms, max_delay_ms), (initial, max), "{given}");
            let written = serde_json::to_string(&read).expect("writes");
            assert_eq!(
                serde_json::from_str::<Backoff>(&written).expect("reads"),
                read
            );
        }
    }

    #[test]
    fn an_initial_delay_beyond_the_maximum_is_refused_and_both_are_named() {
        let (checked, _) = backoff(
            r#"{"type": "exponential", "initial_delay_ms": 300000, "max_delay_ms": 60000}"#,
        );
        let refused = checked.expect_err("they contradict each other");
        assert_eq!(
            refused.field,
            "policy.retry_policy.backoff.initial_delay_ms"
        );
        assert!(refused.detail.contains("backoff.max_delay_ms"), "{refused}");
        assert!(
            serde_json::from_str::<Backoff>(r#"{"type": "fixed", "delay_ms": 1, "jitter": true}"#)
                .is_err()
        );
        assert!(serde_json::from_str::<Backoff>(r#"{"type": "fixed"}"#).is_err());
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
