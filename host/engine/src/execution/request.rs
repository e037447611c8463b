//! Requests to create: what they must satisfy, and when two ask for the same.

use model::{ExecutionPolicy, Invalid, Limits, PRIORITY_MAX};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::create::Create;
use super::{content_type, payload_bytes, text};

/// Checks a request against the bounds, and names what breaks one.
pub(super) fn check(create: &mut Create, limits: &Limits) -> Result<(), Invalid> {
    model::namespace_name(&create.namespace)?;
    model::lane_name(&create.lane)?;
    model::kind_name(&create.kind)?;
    content_type("content_type", &mut create.input.content_type)?;
    payload_bytes("input", create.input.data.len(), limits.input_bytes_max)?;
    create.policy.check()?;
    if create.priority > PRIORITY_MAX {
        return Err(Invalid::new(
            "priority",
            format!("{} is out of range: 0 to {PRIORITY_MAX}", create.priority),
        ));
    }
    if let Some(creator) = &create.creator {
        text("creator", creator, 255)?;
    }
    if let Some(traceparent) = &create.traceparent {
        text("traceparent", traceparent, 128)?;
    }
    if let Some(key) = &create.idempotency_key {
        text("idempotency_key", key, Limits::KEY_BYTES_MAX)?;
        if key.is_empty() {
            return Err(Invalid::new(
                "idempotency_key",
                "is empty; leave it out instead",
            ));
        }
    }
    if create.tags.len() > Limits::TAGS_MAX {
        return Err(Invalid::new(
            "tags",
            format!(
                "{} labels exceed the limit of {}",
                create.tags.len(),
                Limits::TAGS_MAX
            ),
        ));
    }
    for (key, value) in &create.tags {
        model::tag_key(key)?;
        text("tags", value, Limits::TAG_VALUE_BYTES_MAX)?;
    }
    if create.delay_ms.is_some() && create.delay_until.is_some() {
        return Err(Invalid::new(
            "delay_until",
            "excludes delay_ms; give one of them",
        ));
    }
    if create
        .delay_ms
        .is_some_and(|delay| delay > Limits::DURATION_MS_MAX)
    {
        return Err(Invalid::new("delay_ms", "is more than ten years"));
    }
    Ok(())
}

/// Two requests with one digest ask for the same: everything but the id.
pub(super) fn request_digest(create: &Create) -> Vec<u8> {
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
    part(policy_text(&create.policy).unwrap_or_default().as_bytes());
    part(format!("{:?}", create.delay_ms).as_bytes());
    part(
        format!(
            "{:?}",
            create.delay_until.map(OffsetDateTime::unix_timestamp_nanos)
        )
        .as_bytes(),
    );
    part(
        format!(
            "{:?}",
            create.deadline_at.map(OffsetDateTime::unix_timestamp_nanos)
        )
        .as_bytes(),
    );
    part(format!("{:?}", create.flow_id).as_bytes());
    hash.finalize()[..16].to_vec()
}

/// Writes a policy; nothing for the default.
pub(super) fn policy_text(policy: &ExecutionPolicy) -> Option<String> {
    if policy.is_default() {
        None
    } else {
        Some(serde_json::to_string(policy).expect("a policy is plain data"))
    }
}
