//! `POST /v1/callbacks/{token}`: a signal from outsiders who have nothing but the
//! address, such as the sender of a webhook.
//!
//! The address is the proof, so it is written into no log, and the answer tells
//! only whether the signal was accepted. What comes is one source for each token,
//! by the token's fingerprint: the address of the peer is that of the last proxy,
//! and changes between a delivery and its repeat.

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use engine::{Addressee, Deliver, Payload};
use model::{Invalid, InvalidToken, Limits, SignalRefusal};

use super::App;
use super::answer::Json;
use super::body::Cap;
use super::create::KEY_HEADER;
use super::problem::{Code, Problem};
use super::query::Query;
use super::signal::{WEBHOOK, accepted};
use crate::api::{CallbackAnswer, ProblemBody};

/// Below which addresses have a token in them.
pub const PATH: &str = "/v1/callbacks/";
/// Where senders of webhooks put the name of a delivery.
const WEBHOOK_ID: &str = "webhook-id";
/// Name of a signal whose sender and token name none.
const NAME_DEFAULT: &str = "callback";

/// Takes a signal from whoever has the address.
///
/// The body is what it brings, byte for byte, whatever its type. A delivery that
/// is repeated with the same `Idempotency-Key` or `webhook-id` counts once.
#[utoipa::path(
    post, path = "/v1/callbacks/{token}", tag = "signals",
    params(
        ("token" = String, Path, description = "The token of a waitpoint"),
        ("signal" = Option<String>, Query, description = "Name of the signal; absent, the only one the token may send, else `callback`"),
        ("idempotency-key" = Option<String>, Header, description = "Makes the request repeatable"),
        ("webhook-id" = Option<String>, Header, description = "The same, if there is no `idempotency-key`"),
    ),
    request_body(content = String, content_type = "*/*"),
    responses(
        (status = 202, body = CallbackAnswer, description = "Accepted"),
        (status = 200, body = CallbackAnswer, description = "Had been accepted before"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn callback(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    mut query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<CallbackAnswer>), Problem> {
    let name = query.text("signal")?;
    query.end()?;
    if let Some(name) = &name {
        let wrong = |invalid: Invalid| Invalid::new("signal", invalid.detail);
        model::signal_name(name).map_err(wrong)?;
    }
    let idempotency_key = idempotency_key(&headers)?;
    let cap = Cap {
        limit: "the limit of a signal",
        bytes_max: Limits::SIGNAL_BYTES_MAX as usize,
        timeout: app.http.request_timeout(),
    };
    let payload = payload(&headers, cap.read(&headers, body).await?)?;
    let Ok(Path(token)) = path else {
        return Err(outward(InvalidToken.into()));
    };
    let opened = app.engine.open_signal_token(&token).await;
    let opened = opened.map_err(without_reason)?;
    let claims = opened.map_err(|refusal| outward(refusal.into()))?;
    let name = name.unwrap_or_else(|| match &claims.claims.signal_names[..] {
        [only] => only.clone(),
        _ => NAME_DEFAULT.to_owned(),
    });
    let signal = Deliver {
        to: Addressee::Token {
            token,
            execution_id: None,
            namespace: None,
        },
        name,
        category: None,
        source_type: WEBHOOK.to_owned(),
        source_identity: claims.fingerprint,
        correlation_id: None,
        payload,
        idempotency_key,
        // Senders repeat for days, and cannot say for how many.
        dedup_ttl_ms: Some(Limits::DURATION_MS_MAX),
    };
    let delivered = app.engine.signal(signal).await.map_err(without_reason)?;
    let duplicate = delivered.map_err(outward)?.duplicate;
    let status = if duplicate { "duplicate" } else { "accepted" };
    let answer = CallbackAnswer {
        status: status.to_owned(),
    };
    Ok((accepted(duplicate), Json(answer)))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Invalid> {
    let Some(value) = headers.get(KEY_HEADER).or_else(|| headers.get(WEBHOOK_ID)) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) => Ok(Some(key.to_owned())),
        Err(_) => Err(Invalid::new(
            "idempotency_key",
            "must be printable ASCII in a header",
        )),
    }
}

/// An empty body without a type brings nothing.
fn payload(headers: &HeaderMap, data: Bytes) -> Result<Option<Payload>, Invalid> {
    let given = headers.get(header::CONTENT_TYPE);
    let content_type = match given.map(|value| value.to_str()) {
        None if data.is_empty() => return Ok(None),
        None => "application/octet-stream",
        Some(Ok(given)) => given,
        Some(Err(_)) => {
            return Err(Invalid::new("content_type", "must be printable ASCII"));
        }
    };
    Ok(Some(Payload::new(content_type, data)))
}

/// Tells an outsider no more than whether the address is good.
fn outward(refusal: SignalRefusal) -> Problem {
    match refusal {
        SignalRefusal::Invalid(invalid) => invalid.into(),
        SignalRefusal::TargetNotSignalable { .. }
        | SignalRefusal::WaitpointClosed { .. }
        | SignalRefusal::SignalLimitExceeded { .. } => {
            Problem::new(Code::WaitpointClosed, "nothing is accepted here any more")
        }
        SignalRefusal::InvalidToken(_)
        | SignalRefusal::ExecutionNotFound
        | SignalRefusal::WaitpointNotFound
        | SignalRefusal::WaitpointAmbiguous { .. } => InvalidToken.into(),
    }
}

/// What an operator has to set is not told to outsiders.
fn without_reason(error: engine::Error) -> Problem {
    let problem = Problem::from(error);
    match problem.code {
        Code::SecretsKey | Code::Unavailable => Problem::new(
            Code::Unavailable,
            "nothing can be accepted now; send it again",
        ),
        _ => problem,
    }
}

/// Answers whoever asks with another method, such as a program that shows where a
/// link leads: nothing happens then.
pub fn other_methods() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "this address takes signals by POST; looking at it does nothing",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Outcome, WaitpointCloseReason};

    #[test]
    fn an_outsider_learns_nothing_but_whether_the_address_is_good() {
        let told = |refusal| serde_json::to_string(&outward(refusal)).expect("writes");
        let closed = [
            SignalRefusal::TargetNotSignalable {
                outcome: Outcome::Failed,
            },
            SignalRefusal::WaitpointClosed {
                reason: WaitpointCloseReason::TimedOutFail,
            },
            SignalRefusal::SignalLimitExceeded { max: 7 },
        ];
        for refusal in closed.clone() {
            assert_eq!(told(refusal), told(closed[0].clone()));
        }
        for refusal in [
            SignalRefusal::ExecutionNotFound,
            SignalRefusal::WaitpointNotFound,
            SignalRefusal::WaitpointAmbiguous { open: 2 },
        ] {
            assert_eq!(told(refusal), told(InvalidToken.into()));
        }
        assert_ne!(told(closed[0].clone()), told(InvalidToken.into()));
    }

    #[test]
    fn a_delivery_is_named_by_either_header() {
        let mut headers = HeaderMap::new();
        assert_eq!(idempotency_key(&headers), Ok(None));
        headers.insert(WEBHOOK_ID, "msg_1".parse().expect("a value"));
        assert_eq!(idempotency_key(&headers), Ok(Some("msg_1".into())));
        headers.insert(KEY_HEADER, "mine".parse().expect("a value"));
        assert_eq!(idempotency_key(&headers), Ok(Some("mine".into())));
    }
}
