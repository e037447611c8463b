//! The policy of an execution, frozen when it is created.
//!
//! Field names and defaults are FlowFabric's; the fields that it declared and ignored
//! (categories, jitter, suspension defaults) have their effect here.

use serde::{Deserialize, Serialize};

use super::duration::{duration, time_limit};
use super::{
    NotOffered, RetryPolicy, RoutingRequirements, StreamPolicy, SuspensionPolicy, TimeoutPolicy,
    capabilities,
};
use crate::{Invalid, Limits, RefusalCode};

impl Limits {
    /// Most bytes of a policy as JSON.
    pub const POLICY_BYTES_MAX: usize = 64 << 10;
}

/// How an execution is retried, bounded and routed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExecutionPolicy {
    /// What happens after a failure.
    pub retry_policy: RetryPolicy,
    /// Time limits of the execution and its attempts.
    pub timeout_policy: TimeoutPolicy,
    /// Defaults for its suspensions.
    pub suspension_policy: SuspensionPolicy,
    /// Which workers may run it.
    pub routing_requirements: RoutingRequirements,
    /// Most replays by operators.
    pub max_replay_count: u32,
    /// Most signals it accepts. Hosts that accept signals at different waitpoints of
    /// it at the same time may each exceed the bound by one.
    pub max_signals_per_execution: u32,
    /// How long its idempotency key is remembered, in milliseconds, 0 to ten years.
    pub dedup_window_ms: u64,
    /// How long it is kept after its end, in milliseconds, 1 to ten years; absent:
    /// the retention of the instance. It is kept at least as long as its idempotency
    /// key is remembered.
    pub retention_ms: Option<u64>,
    /// The budgets it spends from; not offered.
    #[serde(skip_serializing)]
    pub budget_ids: NotOffered,
    /// How long its streams are kept.
    #[serde(
        deserialize_with = "StreamPolicy::or_default",
        skip_serializing_if = "StreamPolicy::is_default"
    )]
    pub stream_policy: StreamPolicy,
    /// The tiers it falls back to; not offered.
    #[serde(skip_serializing)]
    pub fallback_policy: NotOffered,
    /// The durability of its stream; not offered.
    #[serde(skip_serializing)]
    pub durability_mode: NotOffered,
    /// The required isolation from other executions; not offered.
    #[serde(skip_serializing)]
    pub isolation_level: NotOffered,
    /// The preferred location of the worker; not offered.
    #[serde(skip_serializing)]
    pub preferred_locality: NotOffered,
}

impl Default for ExecutionPolicy {
    fn default() -> Self {
        Self {
            retry_policy: RetryPolicy::default(),
            timeout_policy: TimeoutPolicy::default(),
            suspension_policy: SuspensionPolicy::default(),
            routing_requirements: RoutingRequirements::default(),
            max_replay_count: 10,
            max_signals_per_execution: 10_000,
            dedup_window_ms: 24 * 3600 * 1000,
            retention_ms: None,
            budget_ids: NotOffered::default(),
            stream_policy: StreamPolicy::default(),
            fallback_policy: NotOffered::default(),
            durability_mode: NotOffered::default(),
            isolation_level: NotOffered::default(),
            preferred_locality: NotOffered::default(),
        }
    }
}

impl ExecutionPolicy {
    /// Returns the first member that is given and not offered, if any.
    pub fn not_offered(&self) -> Option<&'static str> {
        let routing = &self.routing_requirements;
        [
            ("policy.budget_ids", self.budget_ids),
            (
                "policy.stream_policy.durability_mode",
                self.stream_policy.durability_mode,
            ),
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

    /// Reads the policy that a caller gives as JSON. Its bounds are checked by
    /// [`Self::check`].
    pub fn read(json: &[u8]) -> Result<Self, Invalid> {
        let wrong =
            |detail: String| Invalid::new("policy", detail).coded(RefusalCode::InvalidPolicyJson);
        if json.len() > Limits::POLICY_BYTES_MAX {
            let max = Limits::POLICY_BYTES_MAX;
            return Err(wrong(format!(
                "{} bytes exceed the limit of {max}",
                json.len()
            )));
        }
        // A list would be read as the members in their order.
        if !json.trim_ascii_start().starts_with(b"{") {
            return Err(wrong("must be an object".to_owned()));
        }
        serde_json::from_slice(json).map_err(|error| wrong(error.to_string()))
    }

    /// Checks every bound, and that no member contradicts another.
    pub fn check(&self) -> Result<(), Invalid> {
        self.bounded()
            .map_err(|invalid| invalid.coded(RefusalCode::InvalidPolicyJson))?;
        capabilities(
            "policy.routing_requirements.required_capabilities",
            &self.routing_requirements.required_capabilities,
        )
    }

    fn bounded(&self) -> Result<(), Invalid> {
        self.retry_policy.check()?;
        self.timeout_policy.check()?;
        self.suspension_policy.check()?;
        self.stream_policy.check()?;
        time_limit("policy.retention_ms", self.retention_ms)?;
        duration("policy.dedup_window_ms", self.dedup_window_ms)
    }

    /// Returns whether this is the policy of a request without one.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
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
        assert_eq!(policy.max_replay_count, 10);
    }

    #[test]
    fn members_that_are_not_offered_are_named_and_not_kept() {
        for (text, field) in [
            (r#"{"budget_ids": ["b"]}"#, "policy.budget_ids"),
            (
                r#"{"stream_policy": {"durability_mode": "durable"}}"#,
                "policy.stream_policy.durability_mode",
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
        for nothing in [
            r#"{"budget_ids": [], "stream_policy": {}, "fallback_policy": null}"#,
            r#"{"stream_policy": null}"#,
            // As it was written once.
            r#"{"stream_policy": {"retention_maxlen": 10000, "retention_ttl_ms": null}}"#,
        ] {
            let policy: ExecutionPolicy = serde_json::from_str(nothing).expect("reads");
            assert_eq!(policy.not_offered(), None);
            assert!(policy.is_default());
        }
    }

    #[test]
    fn a_stream_policy_is_kept_and_bounded() {
        let read = |text| ExecutionPolicy::read(text).expect("a policy");
        let policy = read(br#"{"stream_policy": {"retention_ttl_ms": 1000}}"#);
        assert_eq!(policy.stream_policy.retention_maxlen, 10_000);
        assert_eq!(policy.check(), Ok(()));
        let written = serde_json::to_vec(&policy).expect("writes");
        assert_eq!(read(&written), policy);
        for (text, field) in [
            (
                r#"{"stream_policy": {"retention_ttl_ms": 18446744073709551615}}"#,
                "policy.stream_policy.retention_ttl_ms",
            ),
            (
                r#"{"stream_policy": {"retention_ttl_ms": 0}}"#,
                "policy.stream_policy.retention_ttl_ms",
            ),
            (
                r#"{"stream_policy": {"retention_maxlen": 1000001}}"#,
                "policy.stream_policy.retention_maxlen",
            ),
        ] {
            let refused = read(text.as_bytes()).check().expect_err(text);
            assert_eq!(refused.field, field);
            assert_eq!(refused.code, RefusalCode::InvalidPolicyJson);
        }
    }

    #[test]
    fn unknown_fields_and_values_out_of_range_are_refused() {
        let refused = ExecutionPolicy::read(br#"{"retries": 3}"#).expect_err("unknown");
        assert_eq!(refused.code, RefusalCode::InvalidPolicyJson);
        let long = format!("{{{}}}", " ".repeat(Limits::POLICY_BYTES_MAX - 2));
        assert_eq!(
            ExecutionPolicy::read(long.as_bytes()),
            Ok(ExecutionPolicy::default())
        );
        for wrong in ["[]", "", "null", "{", &(long + " ")] {
            let refused = ExecutionPolicy::read(wrong.as_bytes()).expect_err("no policy");
            assert_eq!(refused.field, "policy");
        }
        let policy: ExecutionPolicy =
            serde_json::from_str(r#"{"timeout_policy": {"attempt_timeout_ms": 0}}"#)
                .expect("shape");
        let refused = policy.check().expect_err("zero is no timeout");
        assert_eq!(refused.field, "policy.timeout_policy.attempt_timeout_ms");
        assert_eq!(refused.code, RefusalCode::InvalidPolicyJson);
        let policy: ExecutionPolicy = serde_json::from_str(
            r#"{"routing_requirements": {"required_capabilities": ["gpu", "a,b"]}}"#,
        )
        .expect("shape");
        let refused = policy.check().expect_err("a comma");
        assert_eq!(refused.code, RefusalCode::InvalidCapabilities);
    }
}
