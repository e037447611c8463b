//! Tasks, payloads and times, as guests and as the engine have them.

use engine::{Claimed, Payload};
use model::AttemptType;
use time::OffsetDateTime;

use crate::host::bindings::flowhost::engine::types;

/// Builds what a handler is asked to do.
pub(crate) fn task(claimed: &mut Claimed) -> types::Task {
    types::Task {
        execution_id: claimed.fence.execution_id.to_string(),
        namespace: claimed.namespace.clone(),
        kind: claimed.kind.clone(),
        lane: claimed.lane.clone(),
        flow_id: claimed.flow_id.map(|id| id.to_string()),
        attempt_index: claimed.fence.attempt,
        attempt_type: attempt_type(claimed.attempt_type),
        // The worker has no further use for the input.
        input: types::Payload {
            content_type: std::mem::take(&mut claimed.input.content_type),
            data: std::mem::take(&mut claimed.input.data),
        },
        tags: std::mem::take(&mut claimed.tags),
    }
}

/// Takes a payload from a guest.
pub(crate) fn payload(payload: types::Payload) -> Payload {
    Payload {
        content_type: payload.content_type,
        data: payload.data,
    }
}

/// Gives a payload to a guest.
pub(crate) fn given(payload: Payload) -> types::Payload {
    types::Payload {
        content_type: payload.content_type,
        data: payload.data,
    }
}

/// Milliseconds since 1970 as guests count them.
pub(crate) fn timestamp_ms(at: OffsetDateTime) -> f64 {
    // Whole milliseconds stay below 2^53 for the next 285 000 years.
    (at.unix_timestamp_nanos() / 1_000_000) as f64
}

const fn attempt_type(attempt_type: AttemptType) -> types::AttemptType {
    match attempt_type {
        AttemptType::Initial => types::AttemptType::Initial,
        AttemptType::Retry => types::AttemptType::Retry,
        AttemptType::Reclaim => types::AttemptType::Reclaim,
        AttemptType::Replay => types::AttemptType::Replay,
        AttemptType::Fallback => types::AttemptType::Fallback,
    }
}
