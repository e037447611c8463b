//! Tasks, payloads and times, as guests and as the engine have them.

use engine::{Claimed, Payload};
use time::OffsetDateTime;

use crate::host::bindings::flowhost::engine::types;

/// Builds the task of a claimed execution.
pub(crate) fn task(claimed: Claimed) -> types::Task {
    types::Task {
        execution_id: claimed.fence.execution_id.to_string(),
        namespace: claimed.namespace,
        kind: claimed.kind,
        lane: claimed.lane,
        flow_id: claimed.flow_id.map(|id| id.to_string()),
        attempt_index: claimed.fence.attempt,
        attempt_id: claimed.fence.attempt_id().to_string(),
        resumes: claimed.resumes,
        retries: claimed.retries,
        traceparent: claimed.traceparent,
        attempt_type: claimed.attempt_type.into(),
        input: claimed.input.into(),
        tags: claimed.tags,
    }
}

impl From<types::Payload> for Payload {
    fn from(payload: types::Payload) -> Self {
        Self {
            content_type: payload.content_type,
            data: payload.data,
        }
    }
}

impl From<Payload> for types::Payload {
    fn from(payload: Payload) -> Self {
        Self {
            content_type: payload.content_type,
            data: payload.data,
        }
    }
}

/// Milliseconds since 1970 as guests count them.
pub(crate) fn timestamp_ms(at: OffsetDateTime) -> f64 {
    // Whole milliseconds stay below 2^53 for the next 285 000 years.
    (at.unix_timestamp_nanos() / 1_000_000) as f64
}
