//! The decision of an operator: `/approve` and `/reject`, signals whose name, category
//! and idempotency key are fixed, so that an operator who decides twice counts once.

use axum::extract::State;
use axum::http::StatusCode;
use engine::{Addressee, SendSignal};
use model::{Invalid, KnownSource, Limits};

use super::send::{deliver, identity};
use crate::api::{Decide, DeliveredSignal};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::operator::OperatorRequest;
use crate::http::path::OfExecution;
use crate::http::payload::{PAYLOAD, PayloadFields};
use crate::http::problem::Problem;
use crate::http::query::InNamespace;
use crate::http::waitpoints::operate::waitpoint_of;

/// Category of the signal.
const APPROVAL: &str = "approval";

/// Approves: delivers the signal `approved` from an operator.
///
/// The same credential counts once, however often it repeats it and with any note;
/// where none is required, the same actor does. The credential that asked for the execution
/// is refused, unless the suspension says `allow_requester`.
#[utoipa::path(
    post, path = "/v1/executions/{id}/approve", tag = "signals",
    params(OfExecution, InNamespace),
    request_body(content = Option<Decide>, content_type = "application/json"),
    responses(
        (status = 202, body = DeliveredSignal, description = "Accepted"),
        (status = 200, body = DeliveredSignal, description = "A repeat by the same actor"),
    )
)]
pub async fn approve(
    app: State<App>,
    asked: OperatorRequest<Decide>,
) -> Result<(StatusCode, Json<DeliveredSignal>), Problem> {
    decide(&app, asked, "approved").await
}

/// Rejects: delivers the signal `rejected` from an operator.
///
/// The same credential counts once, however often it repeats it and with any note;
/// where none is required, the same actor does. The credential that asked for the execution
/// is refused, unless the suspension says `allow_requester`.
#[utoipa::path(
    post, path = "/v1/executions/{id}/reject", tag = "signals",
    params(OfExecution, InNamespace),
    request_body(content = Option<Decide>, content_type = "application/json"),
    responses(
        (status = 202, body = DeliveredSignal, description = "Accepted"),
        (status = 200, body = DeliveredSignal, description = "A repeat by the same actor"),
    )
)]
pub async fn reject(
    app: State<App>,
    asked: OperatorRequest<Decide>,
) -> Result<(StatusCode, Json<DeliveredSignal>), Problem> {
    decide(&app, asked, "rejected").await
}

async fn decide(
    app: &App,
    OperatorRequest {
        operate,
        request,
        caller,
    }: OperatorRequest<Decide>,
    decision: &str,
) -> Result<(StatusCode, Json<DeliveredSignal>), Problem> {
    let fields = PayloadFields::new(
        PAYLOAD,
        &request.payload,
        &request.payload_text,
        &request.payload_base64,
        &request.content_type,
    );
    let payload = fields.given()?;
    let actor = identity(&operate, &caller)?;
    let key = decision_key(decision, &actor, request.idempotency_suffix)?;
    deliver(
        app,
        SendSignal {
            to: Addressee::Operator {
                operate,
                waitpoint: waitpoint_of(request.waitpoint)?,
            },
            name: decision.to_owned(),
            category: Some(APPROVAL.to_owned()),
            source_type: KnownSource::Operator.to_string(),
            source_identity: actor,
            credential: caller.credential().map(str::to_owned),
            correlation_id: None,
            payload,
            idempotency_key: Some(key),
            // A decision holds for as long as anything is remembered.
            dedup_ttl_ms: Some(Limits::DURATION_MS_MAX),
        },
    )
    .await
}

/// Returns the idempotency key of a decision: an actor who decides twice counts once.
fn decision_key(decision: &str, actor: &str, suffix: Option<String>) -> Result<String, Invalid> {
    let (field, suffix) = match &suffix {
        Some(suffix) => ("idempotency_suffix", suffix.as_str()),
        None => ("actor", actor),
    };
    let head = format!("{APPROVAL}:{decision}:");
    let max = Limits::KEY_BYTES_MAX - head.len();
    if suffix.is_empty() || suffix.len() > max {
        return Err(Invalid::new(field, format!("must be 1 to {max} bytes")));
    }
    Ok(head + suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_actor_decides_once() {
        fn key(actor: &str, suffix: Option<&str>) -> Result<String, Invalid> {
            decision_key("approved", actor, suffix.map(str::to_owned))
        }
        assert_eq!(key("alice", None).as_deref(), Ok("approval:approved:alice"));
        assert_eq!(
            key("alice", Some("round-2")).as_deref(),
            Ok("approval:approved:round-2")
        );
        assert!(key(&"a".repeat(237), None).is_ok());
        let long = "a".repeat(238);
        assert_eq!(key(&long, None).expect_err("too long").field, "actor");
        let field = |suffix| key("alice", Some(suffix)).expect_err("refused").field;
        assert_eq!(field(&long), "idempotency_suffix");
        assert_eq!(field(""), "idempotency_suffix");
    }
}
