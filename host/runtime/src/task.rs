//! Tasks, payloads, failures and times in the guest's words and in the engine's.

use engine::{Claimed, Payload};
use model::{AttemptType, Failure, FailureClass};
use time::OffsetDateTime;

use crate::bindings::flowhost::engine::types;

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

/// Takes a failure from a guest. A code outside the documented form, or one that only
/// the engine gives, is kept in the message, under the code `guest_failure`.
pub(crate) fn failure(failure: types::Failure) -> Failure {
    let class = match failure.class {
        types::FailureClass::Transient => FailureClass::Transient,
        types::FailureClass::Permanent => FailureClass::Permanent,
        types::FailureClass::InfraCrash => FailureClass::InfraCrash,
        types::FailureClass::Timeout => FailureClass::Timeout,
        types::FailureClass::Cancelled => FailureClass::Cancelled,
    };
    let code = failure.code;
    if model::failure_code(&code).is_ok() {
        Failure::new(class, &code, failure.message)
    } else {
        let shown: String = code.escape_debug().take(80).collect();
        Failure::new(
            class,
            "guest_failure",
            format!("{shown}: {}", failure.message),
        )
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_code_moves_into_the_message() {
        let given = |code: &str| {
            failure(types::Failure {
                class: types::FailureClass::Permanent,
                code: code.to_owned(),
                message: "why".to_owned(),
            })
        };
        assert_eq!(given("bad_image").code, "bad_image");
        let odd = given("Bad Image\n");
        assert_eq!(odd.code, "guest_failure");
        assert_eq!(odd.message, "Bad Image\\n: why");
        assert_eq!(given("").code, "guest_failure");
        let reserved = given("attempt_timeout");
        assert_eq!(reserved.code, "guest_failure");
        assert_eq!(reserved.message, "attempt_timeout: why");
    }
}
