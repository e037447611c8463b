//! Requests to create: the bounds they must keep, and when two ask for the same.

use model::{ExecutionPolicy, Invalid, Limits, Moment, ensure};
use sha2::{Digest as _, Sha256};

use super::verb::Create;
use crate::checks::{content_type, delay, payload_bytes, tags, text};

/// Checks a request against the bounds, and names what breaks one.
pub(super) fn check(create: &mut Create, limits: &Limits) -> Result<(), Invalid> {
    model::namespace_name(&create.namespace)?;
    model::lane_name(&create.lane)?;
    model::kind_name(&create.kind)?;
    content_type("content_type", &mut create.input.content_type)?;
    payload_bytes("input", create.input.data.len(), limits.input_bytes_max)?;
    create.policy.check()?;
    model::priority(create.priority.into())?;
    if let Some(creator) = &create.creator {
        text("creator", creator, Limits::ACTOR_BYTES_MAX)?;
    }
    if let Some(traceparent) = &create.traceparent {
        text("traceparent", traceparent, 128)?;
    }
    if let Some(key) = &create.idempotency_key {
        model::idempotency_key(key)?;
    }
    tags(&create.tags)?;
    let both = create.delay_ms.is_some() && create.delay_until.is_some();
    ensure(
        "delay_until",
        !both,
        || "excludes delay_ms; give one of them",
    )?;
    delay(create.delay_ms.unwrap_or_default())?;
    not_due_before_its_end(create)
}

/// Refuses an execution that would expire before it could begin, as far as that is
/// seen without a clock.
fn not_due_before_its_end(create: &Create) -> Result<(), Invalid> {
    if let (Some(due), Some(end)) = (create.delay_until, create.deadline_at)
        && end <= due
    {
        let detail = format!("{end} is not after delay_until, which is {due}");
        return Err(Invalid::new("deadline_at", detail));
    }
    let limit = create.policy.timeout_policy.execution_deadline_ms;
    if let (Some(delay), Some(limit)) = (create.delay_ms, limit)
        && limit <= delay
    {
        let field = "policy.timeout_policy.execution_deadline_ms";
        let detail = format!("{limit} is not more than delay_ms, which is {delay}");
        return Err(Invalid::new(field, detail));
    }
    Ok(())
}

/// Two requests with one digest ask for the same: everything but the id.
pub(crate) fn request_digest(create: &Create) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(create.lane.as_bytes());
    part(create.kind.as_bytes());
    part(&create.priority.to_le_bytes());
    part(create.input.content_type.as_bytes());
    part(&create.input.data);
    for (key, value) in &create.tags {
        part(key.as_bytes());
        part(value.as_bytes());
    }
    part(digested(policy_text(&create.policy).unwrap_or_default()).as_bytes());
    part(format!("{:?}", create.delay_ms).as_bytes());
    part(format!("{:?}", create.delay_until.map(nanoseconds)).as_bytes());
    part(format!("{:?}", create.deadline_at.map(nanoseconds)).as_bytes());
    // Earlier hosts wrote here that it is of no flow.
    part(b"None");
    hash.finalize()[..16].to_vec()
}

fn nanoseconds(at: Moment) -> i128 {
    at.utc().unix_timestamp_nanos()
}

/// Returns a policy as it goes into a digest. Digests outlive a change of version,
/// and an earlier one wrote two members more, always with these values.
fn digested(policy: String) -> String {
    const NEXT: &str = r#""max_replay_count":"#;
    const BEFORE: &str = r#""stream_policy":{"retention_maxlen":10000,"retention_ttl_ms":null},"budget_ids":[],"max_replay_count":"#;
    policy.replacen(NEXT, BEFORE, 1)
}

/// Writes a policy; nothing for the default.
pub(crate) fn policy_text(policy: &ExecutionPolicy) -> Option<String> {
    if policy.is_default() {
        None
    } else {
        Some(serde_json::to_string(policy).expect("a policy is plain data"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_one_that_earlier_hosts_kept() {
        let mut policy = ExecutionPolicy::default();
        policy.retry_policy.max_retries = 7;
        let written = digested(policy_text(&policy).expect("not the default"));
        let earlier = concat!(
            r#"{"retry_policy":{"max_retries":7,"backoff":{"type":"exponential","#,
            r#""initial_delay_ms":1000,"max_delay_ms":60000,"multiplier_percent":200,"#,
            r#""jitter":true},"retryable_categories":["transient","infra_crash","timeout"]},"#,
            r#""timeout_policy":{"attempt_timeout_ms":null,"execution_deadline_ms":null,"#,
            r#""max_reclaim_count":1000},"suspension_policy":{"default_timeout_ms":null,"#,
            r#""timeout_behavior":"fail"},"routing_requirements":{"required_capabilities":[]},"#,
            r#""stream_policy":{"retention_maxlen":10000,"retention_ttl_ms":null},"#,
            r#""budget_ids":[],"max_replay_count":10,"max_signals_per_execution":10000,"#,
            r#""dedup_window_ms":86400000,"retention_ms":null}"#
        );
        assert_eq!(written, earlier);
    }
}
