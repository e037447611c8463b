//! `POST /v1/executions`: creates one execution.
//!
//! Two forms: a JSON object that describes the execution, or — with the kind in
//! the query — a body of any type that is the input itself.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use engine::{Create, Created, Payload};
use model::{ExecutionPolicy, Invalid, Moment, PublicState};

use crate::api::{CreateExecution, CreatedExecution};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::body::{self, Cap, SMALL_BYTES_MAX};
use crate::http::payload::{Forms, INPUT};
use crate::http::problem::{Code, Problem};
use crate::http::query::Query;
use crate::http::transport::prefer::{self, Prefers};
use crate::http::transport::text;

/// Header that carries an idempotency key.
pub const KEY_HEADER: &str = "idempotency-key";

/// Creates an execution.
///
/// The body is a JSON object, or with `kind` in the query the input itself,
/// stored with its `Content-Type`. A request with an idempotency key seen before
/// makes nothing and answers 200 with the first execution, unless the requests
/// differ.
#[utoipa::path(
    post, path = "/v1/executions", tag = "executions",
    params(
        ("kind" = Option<String>, Query, description = "Makes the body the input itself; the parameters below apply only then"),
        ("namespace" = Option<String>, Query, description = "Namespace; `default` when absent"),
        ("lane" = Option<String>, Query, description = "Lane; `default` when absent"),
        ("priority" = Option<u16>, Query, description = "0 to 9000; within its partition a higher one is served first"),
        ("tag" = Option<Vec<String>>, Query, description = "A label, `owner.name:value`; may repeat"),
        ("delay_ms" = Option<u64>, Query, description = "Not before so many milliseconds from now"),
        ("policy" = Option<String>, Query, description = "The policy, as JSON"),
        ("creator" = Option<String>, Query, description = "Who asks"),
        ("id" = Option<String>, Query, description = "An id of the caller's making"),
        ("idempotency-key" = Option<String>, Header, description = "Makes the request repeatable"),
        ("prefer" = Option<String>, Header, description = "`wait=SECONDS`, at most 60: answer when the execution has ended, or when the time is over"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context, passed to the handler"),
    ),
    request_body(content(
        (CreateExecution = "application/json"),
        (String = "*/*"),
    )),
    responses(
        (status = 201, body = CreatedExecution, description = "Created; `Location` names it", headers(("location" = String))),
        (status = 200, body = CreatedExecution, description = "The idempotency key was used before with the same request"),
        (status = "default", body = crate::api::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let raw = query.has("kind");
    let bytes = cap(&app, raw).read(&headers, body).await?;
    let mut create = if raw {
        of_raw(query, &headers, bytes)?
    } else {
        query.end()?;
        of_json(&headers, &bytes)?
    };
    take_headers(&mut create, &headers)?;
    let prefers = prefer::read(&headers);
    let Some(Prefers::Wait(patience)) = prefers else {
        return Ok(answer(&app.engine.create(create).await?, None));
    };
    let (created, _) = app
        .engine
        .create_and_wait(create, patience, app.closed())
        .await?;
    let info = app.engine.get(created.id(), None).await?;
    let mut response = answer(&created, info.map(|info| info.public_state));
    prefer::applied(&mut response, prefers);
    Ok(response)
}

/// JSON spends a third on base64 and some on everything beside the input.
fn cap(app: &App, raw: bool) -> Cap {
    let input = app.limits().input_bytes_max as usize;
    Cap {
        limit: "input_bytes_max",
        bytes_max: if raw {
            input
        } else {
            input / 3 * 4 + SMALL_BYTES_MAX
        },
        timeout: app.http.request_timeout(),
    }
}

fn of_json(headers: &HeaderMap, bytes: &[u8]) -> Result<Create, Problem> {
    match body::media_type(headers)? {
        Some(given) if !body::is_json(&given) => Err(Problem::new(
            Code::UnsupportedMediaType,
            format!(
                "a body of type `{}` is the input itself when the query names the kind: POST /v1/executions?kind=KIND; without it, expected application/json",
                text::quoted(given.as_bytes())
            ),
        )),
        _ => of_request(body::parse(bytes)?),
    }
}

/// Turns a request into what the engine is asked for.
pub fn of_request(request: CreateExecution) -> Result<Create, Problem> {
    let input = input_of(&request)?;
    let mut create = Create::new(request.kind, input);
    create.id = request.id;
    if let Some(namespace) = request.namespace {
        create.namespace = namespace;
    }
    if let Some(lane) = request.lane {
        create.lane = lane;
    }
    create.priority = model::priority(request.priority.unwrap_or_default())?;
    create.creator = request.creator;
    create.idempotency_key = request.idempotency_key;
    create.tags = request.tags;
    create.policy = request.policy.unwrap_or_default();
    create.delay_ms = request.delay_ms;
    create.delay_until = Moment::of_field("delay_until", request.delay_until.as_deref())?;
    create.deadline_at = Moment::of_field("deadline_at", request.deadline_at.as_deref())?;
    without_nul(&create)?;
    Ok(create)
}

/// Exactly one of the three forms of input; none is an empty one.
fn input_of(request: &CreateExecution) -> Result<Payload, Invalid> {
    let forms = Forms {
        names: INPUT,
        json: request.input.as_deref(),
        text: request.input_text.as_deref(),
        base64: request.input_base64.as_deref(),
        content_type: request.content_type.as_deref(),
    };
    forms.read()
}

fn of_raw(mut query: Query, headers: &HeaderMap, bytes: Bytes) -> Result<Create, Problem> {
    let content_type = match headers.get(header::CONTENT_TYPE) {
        None => "application/octet-stream".to_owned(),
        Some(value) => value
            .to_str()
            .map_err(|_| Invalid::new("content_type", "must be printable ASCII"))?
            .to_owned(),
    };
    let kind = query.text("kind")?.unwrap_or_default();
    let mut create = Create::new(
        kind,
        Payload {
            content_type,
            data: bytes.into(),
        },
    );
    create.id = query.value("id")?;
    if let Some(namespace) = query.text("namespace")? {
        create.namespace = namespace;
    }
    if let Some(lane) = query.text("lane")? {
        create.lane = lane;
    }
    create.priority = model::priority(query.value("priority")?.unwrap_or_default())?;
    create.creator = query.text("creator")?;
    create.tags = query.tags("tag")?.into_iter().collect();
    create.delay_ms = query.value("delay_ms")?;
    if let Some(policy) = query.text("policy")? {
        create.policy = body::parse::<ExecutionPolicy>(policy.as_bytes())?;
    }
    query.end()?;
    Ok(create)
}

fn take_headers(create: &mut Create, headers: &HeaderMap) -> Result<(), Problem> {
    create.idempotency_key = idempotency_key(headers, create.idempotency_key.take())?;
    create.traceparent = traceparent(headers);
    Ok(())
}

/// Returns the idempotency key of a request, which its header or its body names.
pub fn idempotency_key(
    headers: &HeaderMap,
    of_body: Option<String>,
) -> Result<Option<String>, Invalid> {
    let Some(value) = headers.get(KEY_HEADER) else {
        return Ok(of_body);
    };
    let key = value
        .to_str()
        .map_err(|_| Invalid::new("idempotency_key", "must be printable ASCII in a header"))?;
    match of_body {
        Some(other) if other != key => Err(Invalid::new(
            "idempotency_key",
            "the header Idempotency-Key and the body name different keys",
        )),
        _ => Ok(Some(key.to_owned())),
    }
}

/// Returns the trace context of a request. One that cannot be read is no reason to
/// refuse work.
pub fn traceparent(headers: &HeaderMap) -> Option<String> {
    headers
        .get("traceparent")
        .and_then(|value| value.to_str().ok())
        .filter(|text| is_traceparent(text))
        .map(str::to_owned)
}

/// `version-trace-parent-flags`, in lower-case hexadecimal.
fn is_traceparent(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [2, 32, 16, 2]
        && text
            .bytes()
            .all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The database stores no NUL in a text.
fn without_nul(create: &Create) -> Result<(), Invalid> {
    let has = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains('\0'));
    let detail = "must not hold a NUL character";
    if has(&create.creator) {
        Err(Invalid::new("creator", detail))
    } else if has(&create.idempotency_key) {
        Err(Invalid::new("idempotency_key", detail))
    } else if create.tags.values().any(|value| value.contains('\0')) {
        Err(Invalid::new("tags", detail))
    } else if create.input.content_type.contains('\0') {
        Err(Invalid::new("content_type", detail))
    } else {
        Ok(())
    }
}

/// `state` is where it stands now, if that was looked at again.
fn answer(created: &Created, state: Option<PublicState>) -> Response {
    let mut shown = CreatedExecution::from(*created);
    shown.state = state.or(shown.state);
    let status = if shown.duplicate {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let mut response = (status, Json(&shown)).into_response();
    if let Ok(location) = HeaderValue::try_from(format!("/v1/executions/{}", shown.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Create, Problem> {
        of_request(body::parse(text.as_bytes())?)
    }

    #[test]
    fn json_input_keeps_its_bytes() {
        let create =
            of(r#"{"kind": "k", "input": {"b": 1.0, "a":  9007199254740993}}"#).expect("valid");
        assert_eq!(create.input.data, br#"{"b": 1.0, "a":  9007199254740993}"#);
        assert_eq!(create.input.content_type, "application/json");
        assert_eq!(
            of(r#"{"kind": "k", "input": null}"#)
                .expect("valid")
                .input
                .data,
            b"null"
        );
        assert!(of(r#"{"kind": "k"}"#).expect("valid").input.data.is_empty());
    }

    #[test]
    fn one_form_of_input_is_enough() {
        let create = of(r#"{"kind": "k", "input_base64": "aGk=", "content_type": "image/png"}"#);
        let input = create.expect("valid").input;
        assert_eq!(
            (input.data.as_slice(), input.content_type.as_str()),
            (b"hi".as_slice(), "image/png")
        );
        for (text, code) in [
            (
                r#"{"kind": "k", "input": 1, "input_text": "x"}"#,
                Code::InvalidInput,
            ),
            (r#"{"kind": "k", "input_base64": "!"}"#, Code::InvalidInput),
            (r#"{"kind": "k", "knd": 1}"#, Code::MalformedJson),
            (
                r#"{"kind": "k", "tags": {"a.b": "1", "a.b": "2"}}"#,
                Code::MalformedJson,
            ),
            (r#"{"kind": "k", "creator": "a\u0000"}"#, Code::InvalidInput),
            (r#"{"kind": "k", "priority": -1}"#, Code::InvalidInput),
            (r#"{"kind": "k", "priority": 70000}"#, Code::InvalidInput),
            (
                r#"{"kind": "k", "deadline_at": "soon"}"#,
                Code::InvalidInput,
            ),
            (r#"{"kind": "k", "deadline_at": 1}"#, Code::MalformedJson),
            (r#"{"kind": "k", "priority": 1e9}"#, Code::MalformedJson),
            ("{}", Code::MalformedJson),
            ("", Code::MalformedJson),
        ] {
            assert_eq!(of(text).expect_err(text).code, code, "{text}");
        }
    }

    #[test]
    fn only_a_well_formed_trace_context_is_passed_on() {
        assert!(is_traceparent(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        ));
        assert!(!is_traceparent(
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        ));
        assert!(!is_traceparent("x"));
    }
}
