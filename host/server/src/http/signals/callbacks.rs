//! `/v1/callbacks/{token}`: signals from outsiders who have nothing but the URL,
//! such as the sender of a webhook.
//!
//! The URL is the proof, so it is never logged, and the answer tells only whether the
//! signal was accepted. Each token is one source of signals, named by its fingerprint:
//! the address of the peer is that of the last proxy, and changes between a delivery and
//! its repeat.
//!
//! Senders cannot be told how to ask, and do not repeat what was answered with a 4xx.
//! So everything but the token is taken as it comes, and 4xx means that no repeat can
//! help: the token is not valid or was used, or the body is too large. Everything that a
//! later repeat may succeed with is a 503.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use engine::{Addressee, Declined, Payload, SendSignal};
use model::{Digest, InvalidWaitpointToken, KnownSource, Limits, RefusalCode, SignalRefusal};
use sha2::{Digest as _, Sha256};

use super::send::accepted;
use crate::address::CALLBACKS;
use crate::api::{CallbackAnswer, RawBytes};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::body::Cap;
use crate::http::limits::BodyLimit;
use crate::http::problem::{Code, Problem};
use crate::http::transport::coding::{self, Coding};
use crate::http::transport::headers::IDEMPOTENCY_KEY;
use crate::http::transport::text;

/// The header in which senders of webhooks name a delivery.
const WEBHOOK_ID: &str = "webhook-id";
/// The name of a signal when neither the sender nor the token names one.
const NAME_DEFAULT: &str = "callback";
/// The media type of a body whose sender names none that can be stored.
const TYPE_DEFAULT: &str = "application/octet-stream";
/// The header with which a sender asks whether it may send here, and the one that answers
/// it (CloudEvents, "HTTP 1.1 Web Hooks for Event Delivery").
const ASKING_ORIGIN: &str = "webhook-request-origin";
const ALLOWED_ORIGIN: &str = "webhook-allowed-origin";

/// Takes a signal from a sender that has nothing but this URL.
///
/// The body is its payload, byte for byte, of any type; a content encoding
/// that is understood is undone. A delivery that is repeated with the same
/// `Idempotency-Key` or `webhook-id` counts once. Other parameters are ignored, and a
/// path that ends with a slash is the same.
#[utoipa::path(
    post, path = "/v1/callbacks/{token}", tag = "signals",
    params(
        ("token" = String, Path, description = "The token of a waitpoint"),
        ("signal" = Option<String>, Query, description = "Name of the signal; absent, the only one the token may send, else `callback`"),
        ("idempotency-key" = Option<String>, Header, description = "Makes the request repeatable"),
        ("webhook-id" = Option<String>, Header, description = "The same, if there is no `idempotency-key`"),
    ),
    request_body(content = Option<RawBytes>, content_type = "application/octet-stream", description = "The payload, of any media type"),
    responses(
        (status = 202, body = CallbackAnswer, description = "Accepted"),
        (status = 200, body = CallbackAnswer, description = "Had been accepted before"),
    )
)]
pub async fn callback(
    app: State<App>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<CallbackAnswer>), Problem> {
    let cap = app.raw_cap(BodyLimit::Signal);
    let bytes = cap.read_raw(&headers, body).await.map_err(repeatable)?;
    let payload = payload(&headers, decoded(&headers, bytes, cap)?);
    let Some(token) = token(&uri) else {
        return Err(outward(InvalidWaitpointToken.into()));
    };
    let verified = app.engine.verify_waitpoint_token_for_signal(&token).await;
    let claims = verified.map_err(|declined| match declined {
        Declined::Refused(refusal) => outward(refusal.into()),
        Declined::Fault(fault) => without_reason(fault),
    })?;
    let name = signal_name(&uri).unwrap_or_else(|| match &claims.claims.signal_names[..] {
        [only] => only.clone(),
        _ => NAME_DEFAULT.to_owned(),
    });
    let signal = SendSignal {
        to: Addressee::Token {
            token,
            execution_id: None,
            namespace: None,
        },
        name,
        category: None,
        source_type: KnownSource::Webhook.to_string(),
        source_identity: claims.fingerprint,
        // The URL is one source, and no credential.
        credential: None,
        correlation_id: None,
        payload,
        idempotency_key: idempotency_key(&headers),
        // Senders repeat for days, and cannot say for how many.
        dedup_ttl_ms: Some(Limits::DURATION_MS_MAX),
    };
    let delivered = app.engine.send_signal(signal).await;
    let delivered = delivered.map_err(|declined| match declined {
        Declined::Refused(refusal) => outward(refusal),
        Declined::Fault(fault) => without_reason(fault),
    })?;
    let duplicate = delivered.duplicate;
    let status = if duplicate { "duplicate" } else { "accepted" };
    let answer = CallbackAnswer {
        status: status.to_owned(),
    };
    Ok((accepted(duplicate), Json(answer)))
}

/// Answers a path that no route has: a token with a slash behind it is the token.
pub async fn nearly(app: App, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let token = parts.uri.path().strip_prefix(CALLBACKS).unwrap_or_default();
    let token = token.trim_end_matches('/');
    if token.is_empty() || token.contains('/') {
        let detail = "a callback URL ends with its token";
        return Problem::new(Code::NotFound, detail).into_response();
    }
    if parts.method != Method::POST {
        return probed(&parts.method, &parts.headers);
    }
    callback(State(app), parts.uri, parts.headers, body)
        .await
        .into_response()
}

/// Answers requests with another method, which do nothing.
pub fn other_methods(request: &Request) -> Response {
    probed(request.method(), request.headers())
}

/// Some senders probe a URL before they use it, and so do programs that preview links.
/// The answer is the same for every token.
fn probed(method: &Method, headers: &HeaderMap) -> Response {
    let mut response = match *method {
        Method::GET | Method::HEAD => {
            let detail = "this address takes signals by POST; looking at it does nothing\n";
            (StatusCode::OK, detail).into_response()
        }
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => Problem::new(
            Code::MethodNotAllowed,
            "this address takes signals by POST; nothing was done",
        )
        .into_response(),
    };
    let allowed = HeaderValue::from_static("POST, GET, HEAD, OPTIONS");
    let answer = response.headers_mut();
    answer.insert(header::ALLOW, allowed);
    if *method == Method::OPTIONS
        && let Some(origin) = headers.get(ASKING_ORIGIN)
    {
        answer.insert(ALLOWED_ORIGIN, origin.clone());
    }
    response
}

/// Returns the token of a path; `None` if it is not UTF-8, as no token is.
fn token(uri: &Uri) -> Option<String> {
    let token = uri.path().strip_prefix(CALLBACKS)?.trim_end_matches('/');
    String::from_utf8(text::unescaped(token)?).ok()
}

/// Returns the name of the signal, if the sender gives one that a signal can have.
fn signal_name(uri: &Uri) -> Option<String> {
    let name = first(uri.query()?, "signal")?;
    let good = !name.contains(char::REPLACEMENT_CHARACTER) && model::signal_name(&name).is_ok();
    good.then_some(name)
}

/// Returns the first value of a parameter and ignores all others. Bytes in it that are
/// not UTF-8 are replaced.
fn first(query: &str, name: &str) -> Option<String> {
    let uri = Uri::builder()
        .path_and_query(format!("/?{query}"))
        .build()
        .ok()?;
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
    let mut pairs = pairs.0.into_iter();
    pairs
        .find(|(given, _)| given == name)
        .map(|(_, value)| value)
}

/// Returns the first name of the delivery that is not empty. One that cannot be stored
/// as it is names the same delivery each time, and so does its digest.
fn idempotency_key(headers: &HeaderMap) -> Option<String> {
    let mut given = headers
        .get_all(IDEMPOTENCY_KEY)
        .iter()
        .chain(headers.get_all(WEBHOOK_ID));
    let name = given.find(|value| !value.as_bytes().trim_ascii().is_empty())?;
    let kept = name
        .to_str()
        .ok()
        .filter(|it| it.len() <= Limits::KEY_BYTES_MAX);
    Some(match kept {
        Some(name) => name.trim().to_owned(),
        None => Digest(Sha256::digest(name.as_bytes()).into()).to_string(),
    })
}

/// Undoes the content encoding. A body that is not what its header says, or in a coding
/// that is not understood, is taken as it came: some senders set the header by mistake.
fn decoded(headers: &HeaderMap, body: Bytes, cap: Cap) -> Result<Bytes, Problem> {
    match Coding::of(headers) {
        Ok(Coding::Identity) | Err(_) => Ok(body),
        Ok(coding) => match coding::decode(coding, &body, cap.bytes_max) {
            Ok(decoded) => Ok(decoded.into()),
            Err(coding::DecodeError::Malformed) => Ok(body),
            Err(coding::DecodeError::TooLarge) => Err(Problem::too_large(cap.limit, cap.bytes_max)),
        },
    }
}

/// Returns the payload; an empty body without a type is none.
fn payload(headers: &HeaderMap, data: Bytes) -> Option<Payload> {
    let given = headers.get(header::CONTENT_TYPE);
    if given.is_none() && data.is_empty() {
        return None;
    }
    let kept = given
        .and_then(|value| value.to_str().ok())
        // A header may hold tabs, a media type that is kept may not.
        .map(|text| text.replace('\t', " ").trim().to_owned())
        .filter(|text| (1..=Limits::CONTENT_TYPE_BYTES_MAX).contains(&text.len()));
    let content_type = kept.unwrap_or_else(|| TYPE_DEFAULT.to_owned());
    Some(Payload::new(content_type, data))
}

/// Turns the problem of a body that was cut short, or of an address that sends too much,
/// into one that senders repeat after.
pub fn repeatable(problem: Problem) -> Problem {
    match problem.code {
        Code::RequestTimeout | Code::IncompleteBody | Code::RateLimited => Problem {
            code: Code::Unavailable,
            ..problem
        },
        _ => problem,
    }
}

/// Tells an outsider no more than whether the URL is good.
fn outward(refusal: SignalRefusal) -> Problem {
    match refusal {
        SignalRefusal::Invalid(invalid) => invalid.into(),
        SignalRefusal::TargetNotSignalable { .. }
        | SignalRefusal::WaitpointClosed { .. }
        | SignalRefusal::SignalLimitExceeded { .. } => Problem::new(
            RefusalCode::WaitpointClosed,
            "nothing is accepted here any more",
        ),
        SignalRefusal::InvalidWaitpointToken(_)
        | SignalRefusal::ApprovalByRequester { .. }
        | SignalRefusal::ExecutionNotFound
        | SignalRefusal::WaitpointNotFound
        | SignalRefusal::WaitpointAmbiguous { .. } => InvalidWaitpointToken.into(),
    }
}

/// Hides from outsiders which setting an operator has to mend.
fn without_reason(error: engine::Error) -> Problem {
    let problem = Problem::from(error);
    match problem.code {
        Code::HmacSecretNotInitialized | Code::SecretsKey | Code::Unavailable => Problem::new(
            Code::Unavailable,
            "nothing can be accepted now; send it again",
        ),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Outcome, WaitpointCloseReason};

    #[test]
    fn an_outsider_learns_nothing_but_whether_the_url_is_good() {
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
            assert_eq!(told(refusal), told(InvalidWaitpointToken.into()));
        }
        assert_ne!(told(closed[0].clone()), told(InvalidWaitpointToken.into()));
    }

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value).expect("a value"));
        }
        headers
    }

    #[test]
    fn a_delivery_is_named_by_either_header() {
        let key = |pairs: &[(&'static str, &[u8])]| idempotency_key(&headers(pairs));
        assert_eq!(key(&[]), None);
        assert_eq!(
            key(&[(IDEMPOTENCY_KEY, b""), (IDEMPOTENCY_KEY, b" ")]),
            None
        );
        let named = Some("msg_1".to_owned());
        assert_eq!(key(&[(WEBHOOK_ID, b"msg_1")]), named);
        assert_eq!(
            key(&[(IDEMPOTENCY_KEY, b""), (WEBHOOK_ID, b"msg_1")]),
            named
        );
        let both = key(&[(WEBHOOK_ID, b"msg_1"), (IDEMPOTENCY_KEY, b"mine")]);
        assert_eq!(both, Some("mine".to_owned()));
        let long = [b'k'; 300];
        for odd in [&long[..], b"\xff\xfe"] {
            let kept = key(&[(IDEMPOTENCY_KEY, odd)]).expect("a name");
            assert_eq!(key(&[(IDEMPOTENCY_KEY, odd)]).as_ref(), Some(&kept));
            assert!(kept.len() <= Limits::KEY_BYTES_MAX, "{kept}");
            let other = [odd, b"x"].concat();
            assert_ne!(key(&[(IDEMPOTENCY_KEY, &other)]), Some(kept));
        }
    }

    #[test]
    fn a_type_that_cannot_be_kept_is_not_a_reason_to_refuse() {
        let kind = |value: &[u8]| {
            let headers = headers(&[("content-type", value)]);
            payload(&headers, Bytes::new()).map(|it| it.content_type)
        };
        for odd in [&b""[..], b"\xff", &[b'a'; 2000]] {
            assert_eq!(kind(odd).as_deref(), Some(TYPE_DEFAULT));
        }
        assert_eq!(kind(b"text/plain;\tq").as_deref(), Some("text/plain; q"));
        assert_eq!(payload(&HeaderMap::new(), Bytes::new()), None);
    }

    #[test]
    fn only_a_name_that_a_signal_can_have_is_taken_from_the_query() {
        let name = |query: &str| {
            let uri = format!("{CALLBACKS}v1.a.b.c?{query}");
            signal_name(&uri.parse().expect("a URI"))
        };
        assert_eq!(name("utm=1&signal=paid&signal=other"), Some("paid".into()));
        for none in [
            "",
            "signal=",
            "signal",
            "signal=%00",
            "signal=%ff",
            "signals=a",
        ] {
            assert_eq!(name(none), None, "{none}");
        }
        let uri = |path: &str| token(&format!("{CALLBACKS}{path}").parse().expect("a URI"));
        assert_eq!(uri("v1.a+b%2fc//?x"), Some("v1.a+b/c".into()));
        assert_eq!(uri("v1.a&b"), Some("v1.a&b".into()));
        assert_eq!((uri("%FF"), uri("a%")), (None, None));
    }
}
