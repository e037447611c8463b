//! The policy of an execution, frozen when it is created.
//!
//! Field names and defaults are the ancestor's; what it declared and ignored
//! (categories, jitter, suspension defaults) is enforced here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::wire::named;
use crate::{FailureClass, Invalid, Limits, NotOffered};

/// Highest priority; 0 is the lowest and the default.
pub const PRIORITY_MAX: u16 = 9000;

/// How an execution is retried, bounded and routed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExecutionPolicy {
    /// What happens after a failure.
    pub retry_policy: RetryPolicy,
    /// Time limits.
    pub timeout_policy: TimeoutPolicy,
    /// Defaults for suspensions.
    pub suspension_policy: SuspensionPolicy,
    /// Which workers may run it.
    pub routing_requirements: RoutingRequirements,
    /// How often an operator may replay it.
    #[serde(default = "max_replay_count")]
    pub max_replay_count: Default10,
    /// Most signals it accepts. Hosts that accept signals at different waitpoints of
    /// it in the same moment may go beyond by as many.
    pub max_signals_per_execution: Default10000,
    /// How long its idempotency key is remembered, in milliseconds.
    pub dedup_window_ms: DedupWindow,
    /// How long it is kept after its end, in milliseconds, 1 to ten years; absent:
    /// as the instance says. It stays at least as long as its idempotency key is
    /// remembered.
    pub retention_ms: Option<u64>,
    /// Budgets it would spend from.
    #[serde(skip_serializing)]
    pub budget_ids: NotOffered,
    /// How its stream would be kept.
    #[serde(skip_serializing)]
    pub stream_policy: NotOffered,
    /// What it would fall back to.
    #[serde(skip_serializing)]
    pub fallback_policy: NotOffered,
    /// How durable its stream would be.
    #[serde(skip_serializing)]
    pub durability_mode: NotOffered,
    /// Apart from what it would have to run.
    #[serde(skip_serializing)]
    pub isolation_level: NotOffered,
    /// Where it would rather run.
    #[serde(skip_serializing)]
    pub preferred_locality: NotOffered,
}

/// After a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// Failures after which one more attempt is made, 0 to 1000.
    pub max_retries: u32,
    /// How long to wait before each.
    pub backoff: Backoff,
    /// Which failures are retried.
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

/// How long to wait before an attempt that retries.
///
/// Read from JSON, a bound that is not given follows the other: an initial delay
/// longer than the default maximum raises that, and a maximum shorter than the
/// default initial delay lowers that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", from = "Given")]
pub enum Backoff {
    /// The same time before each.
    Fixed {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// `initial_delay_ms × multiplier^n`, at most `max_delay_ms`.
    Exponential {
        /// Before the first retry, in milliseconds.
        initial_delay_ms: u64,
        /// Upper bound in milliseconds.
        max_delay_ms: u64,
        /// Growth per retry in percent: 200 doubles.
        multiplier_percent: u32,
        /// Whether the time is drawn evenly from its upper half, so that
        /// executions that failed together do not return together.
        jitter: bool,
    },
}

/// A [`Backoff`] as it is written, with what was left out.
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

/// Time limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutPolicy {
    /// Longest one attempt may run, in milliseconds. Passing it is a failure
    /// of class `timeout`.
    pub attempt_timeout_ms: Option<u64>,
    /// Longest from creation to end, in milliseconds. Passing it ends the
    /// execution as `expired`.
    pub execution_deadline_ms: Option<u64>,
    /// Leases that may end without an outcome before the execution fails.
    pub max_reclaim_count: u32,
}

impl Default for TimeoutPolicy {
    fn default() -> Self {
        Self {
            attempt_timeout_ms: None,
            execution_deadline_ms: None,
            max_reclaim_count: 1000,
        }
    }
}

named! {
    /// What happens to a suspension nobody satisfied in time.
    pub enum TimeoutBehavior ("timeout behaviour") {
        /// The execution fails.
        Fail = "fail",
        /// The execution is cancelled.
        Cancel = "cancel",
        /// The execution expires.
        Expire = "expire",
        /// The handler is called again and told so.
        AutoResumeWithTimeoutSignal = "auto_resume_with_timeout_signal",
        /// An operator is asked.
        Escalate = "escalate",
    }
}

/// Defaults for suspensions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuspensionPolicy {
    /// Milliseconds after which a suspension without its own limit times out.
    pub default_timeout_ms: Option<u64>,
    /// What happens then.
    pub timeout_behavior: TimeoutBehavior,
}

impl Default for SuspensionPolicy {
    fn default() -> Self {
        Self {
            default_timeout_ms: None,
            timeout_behavior: TimeoutBehavior::Fail,
        }
    }
}

/// Which workers may run it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoutingRequirements {
    /// Capabilities a worker must have; compared byte by byte.
    pub required_capabilities: BTreeSet<String>,
    /// Where it would rather run.
    #[serde(skip_serializing)]
    pub preferred_locality: NotOffered,
    /// Apart from what it would have to run.
    #[serde(skip_serializing)]
    pub isolation_level: NotOffered,
}

macro_rules! defaulted {
    ($(#[$meta:meta])* $name:ident($inner:ty) = $default:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
        impl Default for $name {
            fn default() -> Self {
                Self($default)
            }
        }
    };
}

defaulted!(
    /// A count that is 10 unless said otherwise.
    Default10(u32) = 10
);
defaulted!(
    /// A count that is 10,000 unless said otherwise.
    Default10000(u32) = 10_000
);
defaulted!(
    /// A window that is 24 hours unless said otherwise, in milliseconds.
    DedupWindow(u64) = 86_400_000
);

const fn max_replay_count() -> Default10 {
    Default10(10)
}

impl ExecutionPolicy {
    /// Returns a member that the contract names, that is given, and on which this
    /// version does not act.
    pub fn not_offered(&self) -> Option<&'static str> {
        let routing = &self.routing_requirements;
        [
            ("policy.budget_ids", self.budget_ids),
            ("policy.stream_policy", self.stream_policy),
            ("policy.fallback_policy", self.fallback_policy),
            ("policy.durability_mode", self.durability_mode),
            ("policy.isolation_level", self.isolation_level),
            ("policy.preferred_locality", self.preferred_locality),
            (
                "policy.routing_requirements.preferred_locality",
                routing.preferred_locality,
            ),
            (
                "policy.routing_requirements.isolation_level",
                routing.isolation_level,
            ),
        ]
        .into_iter()
        .find_map(|(field, member)| member.given.then_some(field))
    }

    /// Checks every bound, and that no member contradicts another.
    pub fn check(&self) -> Result<(), Invalid> {
        let RetryPolicy {
            max_retries,
            backoff,
            ..
        } = &self.retry_policy;
        within(
            "policy.retry_policy.max_retries",
            u64::from(*max_retries),
            0,
            1000,
        )?;
        match backoff {
            Backoff::Fixed { delay_ms } => {
                duration("policy.retry_policy.backoff.delay_ms", *delay_ms)?
            }
            Backoff::Exponential {
                initial_delay_ms,
                max_delay_ms,
                multiplier_percent,
                ..
            } => {
                duration(
                    "policy.retry_policy.backoff.initial_delay_ms",
                    *initial_delay_ms,
                )?;
                duration("policy.retry_policy.backoff.max_delay_ms", *max_delay_ms)?;
                if initial_delay_ms > max_delay_ms {
                    return Err(Invalid::new(
                        "policy.retry_policy.backoff.initial_delay_ms",
                        format!(
                            "{initial_delay_ms} is more than policy.retry_policy.backoff.max_delay_ms, which is {max_delay_ms}"
                        ),
                    ));
                }
                within(
                    "policy.retry_policy.backoff.multiplier_percent",
                    u64::from(*multiplier_percent),
                    100,
                    10_000,
                )?;
            }
        }
        let TimeoutPolicy {
            attempt_timeout_ms,
            execution_deadline_ms,
            max_reclaim_count,
        } = &self.timeout_policy;
        for (field, value) in [
            (
                "policy.timeout_policy.attempt_timeout_ms",
                attempt_timeout_ms,
            ),
            (
                "policy.timeout_policy.execution_deadline_ms",
                execution_deadline_ms,
            ),
            (
                "policy.suspension_policy.default_timeout_ms",
                &self.suspension_policy.default_timeout_ms,
            ),
            ("policy.retention_ms", &self.retention_ms),
        ] {
            if let Some(value) = value {
                within(field, *value, 1, Limits::DURATION_MS_MAX)?;
            }
        }
        within(
            "policy.timeout_policy.max_reclaim_count",
            u64::from(*max_reclaim_count),
            0,
            1_000_000,
        )?;
        duration("policy.dedup_window_ms", self.dedup_window_ms.0)?;
        capabilities(
            "policy.routing_requirements.required_capabilities",
            &self.routing_requirements.required_capabilities,
        )
    }

    /// Returns whether this is the policy of whoever asks for nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Checks a set of capabilities: at most 256 of them and 4096 bytes; each
/// non-empty, without comma, white space or control characters.
pub fn capabilities(field: &'static str, set: &BTreeSet<String>) -> Result<(), Invalid> {
    within(field, set.len() as u64, 0, Limits::CAPABILITIES_MAX as u64)?;
    let bytes: usize = set.iter().map(String::len).sum();
    within(
        field,
        bytes as u64,
        0,
        Limits::CAPABILITIES_BYTES_MAX as u64,
    )?;
    let bad = |token: &&String| {
        token.is_empty() || token.bytes().any(|b| b <= 0x20 || b == 0x7f || b == b',')
    };
    match set.iter().find(bad) {
        None => Ok(()),
        Some(token) => Err(Invalid::new(
            field,
            format!(
                "`{}` is no capability: it must not be empty nor hold commas, spaces or control characters",
                token.escape_debug()
            ),
        )),
    }
}

fn duration(field: &'static str, value: u64) -> Result<(), Invalid> {
    within(field, value, 0, Limits::DURATION_MS_MAX)
}

fn within(field: &'static str, value: u64, min: u64, max: u64) -> Result<(), Invalid> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(Invalid::new(
            field,
            format!("{value} is out of range: {min} to {max}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_is_the_default_policy() {
        let policy: ExecutionPolicy = serde_json::from_str("{}").expect("valid");
        assert!(policy.is_default());
        assert_eq!(policy.check(), Ok(()));
        assert_eq!(policy.max_replay_count.0, 10);
    }

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
    fn members_that_are_not_offered_are_named_and_not_kept() {
        for (text, field) in [
            (r#"{"budget_ids": ["b"]}"#, "policy.budget_ids"),
            (
                r#"{"stream_policy": {"retention_maxlen": 10000}}"#,
                "policy.stream_policy",
            ),
            (
                r#"{"fallback_policy": {"tiers": []}}"#,
                "policy.fallback_policy",
            ),
            (
                r#"{"durability_mode": "durable"}"#,
                "policy.durability_mode",
            ),
            (
                r#"{"isolation_level": "process"}"#,
                "policy.isolation_level",
            ),
            (
                r#"{"preferred_locality": "eu"}"#,
                "policy.preferred_locality",
            ),
            (
                r#"{"routing_requirements": {"preferred_locality": "eu"}}"#,
                "policy.routing_requirements.preferred_locality",
            ),
            (
                r#"{"routing_requirements": {"isolation_level": 1}}"#,
                "policy.routing_requirements.isolation_level",
            ),
        ] {
            let policy: ExecutionPolicy = serde_json::from_str(text).expect(text);
            assert_eq!(policy.not_offered(), Some(field));
            let written = serde_json::to_string(&policy).expect("writes");
            let name = field.rsplit('.').next().expect("a name");
            assert!(!written.contains(name), "{written}");
        }
        let nothing = r#"{"budget_ids": [], "stream_policy": {}, "fallback_policy": null}"#;
        let policy: ExecutionPolicy = serde_json::from_str(nothing).expect("reads");
        assert_eq!(policy.not_offered(), None);
        assert!(policy.is_default());
    }

    #[test]
    fn unknown_fields_and_values_out_of_range_are_refused() {
        assert!(serde_json::from_str::<ExecutionPolicy>(r#"{"retries": 3}"#).is_err());
        let policy: ExecutionPolicy =
            serde_json::from_str(r#"{"timeout_policy": {"attempt_timeout_ms": 0}}"#)
                .expect("shape");
        let refused = policy.check().expect_err("zero is no timeout");
        assert_eq!(refused.field, "policy.timeout_policy.attempt_timeout_ms");
        let policy: ExecutionPolicy = serde_json::from_str(
            r#"{"routing_requirements": {"required_capabilities": ["gpu", "a,b"]}}"#,
        )
        .expect("shape");
        assert!(policy.check().is_err());
    }
}
