//! Signals: from callers with a token, and from operators, who need none.
//!
//! They are two routes so that a program whose token is missing by mistake is
//! refused, and so that a proxy can tell by the path who may pass.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use engine::{Addressee, Operate};
use model::{Invalid, KnownSource, Limits};

use crate::api::{DeliveredSignal, OperatorSignal, SendSignal};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::Json;
use crate::http::body::Body;
use crate::http::operator::OperatorRequest;
use crate::http::path::{Id, OfExecution};
use crate::http::payload::{PAYLOAD, PayloadFields};
use crate::http::problem::Problem;
use crate::http::query::{InNamespace, Query};
use crate::http::transport::headers;
use crate::http::waitpoints::operate::waitpoint_of;

/// The source type of a signal that names none.
const API: &str = "api";

/// Delivers a signal to the waitpoint a token is for.
///
/// It is durable when this answers. If it satisfies the condition, the execution
/// resumes. A token that is not good for this execution, waitpoint and name is
/// answered with `invalid_token`, regardless of what is wrong with it.
#[utoipa::path(
    post, path = "/v1/executions/{id}/signal", tag = "signals",
    params(
        OfExecution,
        InNamespace,
        ("idempotency-key" = Option<String>, Header, description = "Makes the request repeatable, as `idempotency_key` does"),
    ),
    request_body = SendSignal,
    responses(
        (status = 202, body = DeliveredSignal, description = "Accepted"),
        (status = 200, body = DeliveredSignal, description = "Had been accepted before, and did nothing now"),
    )
)]
pub async fn signal(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Query(InNamespace { namespace }): Query<InNamespace>,
    headers: HeaderMap,
    Body(request): Body<SendSignal>,
) -> Result<(StatusCode, Json<DeliveredSignal>), Problem> {
    let fields = PayloadFields::new(
        PAYLOAD,
        &request.payload,
        &request.payload_text,
        &request.payload_base64,
        &request.content_type,
    );
    let payload = fields.given()?;
    let idempotency_key = remembered(&headers, request.idempotency_key, request.dedup_ttl_ms)?;
    let source = claimed_source(request.source_type.as_deref())?;
    let (source_type, source_identity) = match caller.credential() {
        Some(_) => {
            let note = [request.source_type, request.source_identity];
            let note = note.into_iter().flatten().collect::<Vec<_>>().join(":");
            let note = Some(note.as_str()).filter(|note| !note.is_empty());
            (API.to_owned(), caller.signs("source_identity", note, API)?)
        }
        None => match request.source_identity {
            Some(identity) => (source.to_owned(), identity),
            None => {
                let fingerprint = fingerprint(&app, &request.waitpoint_token).await?;
                (source.to_owned(), fingerprint)
            }
        },
    };
    deliver(
        &app,
        engine::SendSignal {
            to: Addressee::Token {
                token: request.waitpoint_token,
                execution_id: Some(id),
                namespace,
            },
            name: request.signal_name,
            category: request.signal_category,
            source_type,
            source_identity,
            credential: caller.credential().map(str::to_owned),
            correlation_id: request.correlation_id,
            payload,
            idempotency_key,
            dedup_ttl_ms: request.dedup_ttl_ms,
        },
    )
    .await
}

/// Returns the key that a repeat is recognized by. It is required where the time to
/// remember it is given.
fn remembered(
    headers: &HeaderMap,
    key: Option<String>,
    dedup_ttl_ms: Option<u64>,
) -> Result<Option<String>, Invalid> {
    let key = headers::idempotency_key(headers, key)?;
    if key.is_none() && dedup_ttl_ms.is_some() {
        let detail = "is given without idempotency_key, which it is about";
        return Err(Invalid::new("dedup_ttl_ms", detail));
    }
    Ok(key)
}

/// Reads what a sender says it is. A source type that only this host can vouch for is
/// refused: receivers of a signal rely on it.
fn claimed_source(source_type: Option<&str>) -> Result<&str, Invalid> {
    match source_type {
        Some(name) if name.parse::<KnownSource>().is_ok() => Err(Invalid::new(
            "source_type",
            format!("`{name}` cannot be claimed by a sender with a token"),
        )),
        Some(name) => Ok(name),
        None => Ok(API),
    }
}

/// Returns what a sender proves about itself: the fingerprint of its token.
async fn fingerprint(app: &App, token: &str) -> Result<String, Problem> {
    let verified = app.engine.verify_waitpoint_token_for_signal(token).await?;
    Ok(verified.fingerprint)
}

/// Delivers a signal from an operator, who needs no token.
///
/// What an operator does is kept with the execution. The signal's source is
/// `operator` and the actor.
#[utoipa::path(
    post, path = "/v1/executions/{id}/operator-signal", tag = "signals",
    params(
        OfExecution,
        InNamespace,
        ("idempotency-key" = Option<String>, Header, description = "Makes the request repeatable, as `idempotency_key` does"),
    ),
    request_body = OperatorSignal,
    responses(
        (status = 202, body = DeliveredSignal, description = "Accepted"),
        (status = 200, body = DeliveredSignal, description = "Had been accepted before, and did nothing now"),
    )
)]
pub async fn operator_signal(
    State(app): State<App>,
    headers: HeaderMap,
    OperatorRequest {
        operate,
        request,
        caller,
    }: OperatorRequest<OperatorSignal>,
) -> Result<(StatusCode, Json<DeliveredSignal>), Problem> {
    let fields = PayloadFields::new(
        PAYLOAD,
        &request.payload,
        &request.payload_text,
        &request.payload_base64,
        &request.content_type,
    );
    let payload = fields.given()?;
    let idempotency_key = remembered(&headers, request.idempotency_key, request.dedup_ttl_ms)?;
    deliver(
        &app,
        engine::SendSignal {
            source_type: KnownSource::Operator.to_string(),
            source_identity: identity(&operate, &caller)?,
            credential: caller.credential().map(str::to_owned),
            to: Addressee::Operator {
                operate,
                waitpoint: waitpoint_of(request.waitpoint)?,
            },
            name: request.signal_name,
            category: request.signal_category,
            correlation_id: request.correlation_id,
            payload,
            idempotency_key,
            dedup_ttl_ms: request.dedup_ttl_ms,
        },
    )
    .await
}

/// Returns the source of a signal from an operator: their credential without the note, or where none is required the name they give.
pub fn identity(operate: &Operate, caller: &Caller) -> Result<String, Invalid> {
    let actor = &operate.by.actor;
    if let Some(credential) = caller.credential() {
        return Ok(credential.to_owned());
    }
    let max = Limits::SIGNAL_TEXT_BYTES_MAX;
    if (1..=max).contains(&actor.len()) && !actor.contains('\0') {
        Ok(actor.clone())
    } else {
        let detail = format!("must be 1 to {max} bytes without U+0000");
        Err(Invalid::new("actor", detail))
    }
}

/// Delivers a signal, and answers with what it did.
pub async fn deliver(
    app: &App,
    signal: engine::SendSignal,
) -> Result<(StatusCode, Json<DeliveredSignal>), Problem> {
    let delivered = app.engine.send_signal(signal).await?;
    let status = accepted(delivered.duplicate);
    Ok((status, Json(delivered.into())))
}

/// Returns the status of a signal that was accepted, now or before.
pub const fn accepted(duplicate: bool) -> StatusCode {
    if duplicate {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_with_a_token_cannot_claim_a_source_that_only_the_host_can_vouch_for() {
        assert_eq!(claimed_source(None), Ok("api"));
        assert_eq!(claimed_source(Some("ci")), Ok("ci"));
        for name in ["operator", "webhook", "execution", "component"] {
            let refused = claimed_source(Some(name)).expect_err(name);
            assert_eq!(refused.field, "source_type");
        }
    }
}
