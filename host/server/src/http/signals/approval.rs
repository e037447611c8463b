//! An operator's yes or no: `/approve` and `/reject`, signals of an operator whose
//! name, category and idempotency key are given, so that one who decides twice
//! counts once.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use engine::{Addressee, Deliver};
use model::{ExecutionId, Invalid, KnownSource, Limits};

use crate::api::{Decide, DeliveredSignal, ProblemBody};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::executions::get::Id;
use crate::http::executions::operate::asked;
use crate::http::payload::{Forms, PAYLOAD};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::signals::send::{deliver, identity};
use crate::http::waitpoints::list::waitpoint_of;

/// Category of the signal.
const APPROVAL: &str = "approval";

/// Says yes: delivers the signal `approved` from an operator.
///
/// The same actor counts once, however often he says so.
#[utoipa::path(
    post, path = "/v1/executions/{id}/approve", tag = "signals",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body(content = Option<Decide>, content_type = "application/json"),
    responses(
        (status = 202, body = DeliveredSignal, description = "Accepted"),
        (status = 200, body = DeliveredSignal, description = "The actor had said so before"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn approve(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<DeliveredSignal>), Problem> {
    decide(&app, id, query, &headers, body, "approved").await
}

/// Says no: delivers the signal `rejected` from an operator.
///
/// The same actor counts once, however often he says so.
#[utoipa::path(
    post, path = "/v1/executions/{id}/reject", tag = "signals",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body(content = Option<Decide>, content_type = "application/json"),
    responses(
        (status = 202, body = DeliveredSignal, description = "Accepted"),
        (status = 200, body = DeliveredSignal, description = "The actor had said so before"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn reject(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<DeliveredSignal>), Problem> {
    decide(&app, id, query, &headers, body, "rejected").await
}

async fn decide(
    app: &App,
    id: ExecutionId,
    query: Query,
    headers: &HeaderMap,
    body: Body,
    decision: &str,
) -> Result<(StatusCode, Json<DeliveredSignal>), Problem> {
    let (operate, request): (_, Decide) = asked(app, id, query, headers, body).await?;
    let forms = Forms {
        names: PAYLOAD,
        json: request.payload.as_deref(),
        text: request.payload_text.as_deref(),
        base64: request.payload_base64.as_deref(),
        content_type: request.content_type.as_deref(),
    };
    let payload = forms.given()?;
    let actor = identity(&operate)?;
    let key = decision_key(decision, &actor, request.idempotency_suffix)?;
    deliver(
        app,
        Deliver {
            to: Addressee::Operator {
                operate,
                waitpoint: waitpoint_of(request.waitpoint)?,
            },
            name: decision.to_owned(),
            category: Some(APPROVAL.to_owned()),
            source_type: KnownSource::Operator.to_string(),
            source_identity: actor,
            correlation_id: None,
            payload,
            idempotency_key: Some(key),
            // Who decided has decided, however long it takes.
            dedup_ttl_ms: Some(Limits::DURATION_MS_MAX),
        },
    )
    .await
}

/// Names a decision, so that one who decides twice counts once.
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
    fn a_decision_is_one_for_each_who_decides() {
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
