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

use crate::api::{CreateExecution, CreatedExecution, RawBytes};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::Json;
use crate::http::body;
use crate::http::limits::BodyLimit;
use crate::http::payload::{INPUT, PayloadFields};
use crate::http::problem::{Code, Problem};
use crate::http::query::{FromQuery, Given, Query};
use crate::http::transport::headers;
use crate::http::transport::prefer::{self, Prefers};
use crate::http::transport::text;

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
        ("namespace" = Option<String>, Query, description = "Namespace; when absent the only one in which the caller may create, or `default`"),
        ("lane" = Option<String>, Query, description = "Lane; `default` when absent"),
        ("priority" = Option<u16>, Query, description = "0 to 9000; within its partition a higher one is served first"),
        ("tag" = Option<Vec<String>>, Query, description = "A label, `owner.name:value`; may repeat"),
        ("delay_ms" = Option<u64>, Query, description = "Not before so many milliseconds from now; excludes `delay_until`"),
        ("delay_until" = Option<String>, Query, description = "Not before this time (RFC 3339); excludes `delay_ms`"),
        ("deadline_at" = Option<String>, Query, description = "Time it expires unless it has finished (RFC 3339)"),
        ("policy" = Option<String>, Query, description = "The policy, as JSON"),
        ("creator" = Option<String>, Query, description = "Who asks; kept behind the name of the credential"),
        ("id" = Option<String>, Query, description = "An id of the caller's making"),
        ("idempotency-key" = Option<String>, Header, description = "Makes the request repeatable"),
        ("prefer" = Option<String>, Header, description = "`wait=SECONDS`, at most 60: answer when the execution has ended, or when the time is over"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context, passed to the handler"),
    ),
    request_body(description = "The execution; or with `kind` in the query the input itself, of any media type", content(
        (CreateExecution = "application/json"),
        (RawBytes = "application/octet-stream"),
    )),
    responses(
        (status = 201, body = CreatedExecution, description = "Created; `Location` names it", headers(("location" = String))),
        (status = 200, body = CreatedExecution, description = "The idempotency key was used before with the same request"),
    )
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Query(described): Query<Option<Described>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let cap = match described {
        Some(_) => app.raw_cap(BodyLimit::Input),
        None => app.json_cap(BodyLimit::Input),
    };
    let bytes = cap.read(&headers, body).await?;
    let mut create = match described {
        Some(described) => described.with_input(&headers, bytes)?,
        None => of_json(&headers, &bytes)?,
    }
    .asked_by(&caller)?;
    take_headers(&mut create, &headers)?;
    let prefers = prefer::read(&headers);
    let Some(Prefers::Wait(wait)) = prefers else {
        return Ok(answer(&app.engine.create(create).await?, None));
    };
    let namespace = create.namespace.clone();
    let (created, outcome) = app
        .engine
        .create_and_wait(create, wait, app.closed())
        .await?;
    let state = match outcome {
        Some(outcome) => Some(model::State::Terminal { outcome }.public()),
        None => {
            let info = app.engine.get(created.id(), Some(&namespace)).await?;
            info.map(|info| info.public_state)
        }
    };
    let mut response = answer(&created, state);
    prefer::applied(&mut response, prefers);
    Ok(response)
}

fn of_json(headers: &HeaderMap, bytes: &[u8]) -> Result<Wanted, Problem> {
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

/// An execution as its caller describes it, in a namespace that was not checked yet.
pub struct Wanted {
    create: Create,
    namespace: Option<String>,
}

impl Wanted {
    /// Returns what the engine is asked for, in a namespace where the caller may create, and
    /// in the caller's name.
    pub fn asked_by(self, caller: &Caller) -> Result<Create, Problem> {
        let namespace = caller.within(self.namespace.as_deref())?;
        let mut create = self.in_flow_of(caller)?;
        if let Some(namespace) = namespace {
            create.namespace = namespace;
        }
        Ok(create)
    }

    /// Returns what the engine is asked for in the caller's name, in the namespace of a flow.
    pub fn in_flow_of(self, caller: &Caller) -> Result<Create, Problem> {
        let mut create = self.create;
        create.creator = caller.creator(create.creator.as_deref())?;
        Ok(create)
    }
}

/// Turns a request into what the engine is asked for.
pub fn of_request(request: CreateExecution) -> Result<Wanted, Problem> {
    let input = input_of(&request)?;
    let mut create = Create::new(request.kind, input);
    create.id = request.id;
    if let Some(lane) = request.lane {
        create.lane = lane;
    }
    create.priority = model::priority(request.priority.unwrap_or_default())?;
    create.creator = request.creator;
    create.idempotency_key = request.idempotency_key;
    create.tags = request.tags;
    if let Some(policy) = request.policy {
        create.policy = ExecutionPolicy::read(policy.get().as_bytes())?;
    }
    create.delay_ms = request.delay_ms;
    create.delay_until = Moment::of_field("delay_until", request.delay_until.as_deref())?;
    create.deadline_at = Moment::of_field("deadline_at", request.deadline_at.as_deref())?;
    without_nul(&create)?;
    Ok(Wanted {
        create,
        namespace: request.namespace,
    })
}

fn input_of(request: &CreateExecution) -> Result<Payload, Invalid> {
    let fields = PayloadFields::new(
        INPUT,
        &request.input,
        &request.input_text,
        &request.input_base64,
        &request.content_type,
    );
    fields.read()
}

/// An execution that the query describes, without its input.
pub struct Described(Wanted);

impl FromQuery for Option<Described> {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let Some(kind) = given.text("kind")? else {
            return Ok(None);
        };
        let mut create = Create::new(kind, Payload::new("application/octet-stream", Vec::new()));
        create.id = given.value("id")?;
        let namespace = given.text("namespace")?;
        if let Some(lane) = given.text("lane")? {
            create.lane = lane;
        }
        create.priority = model::priority(given.value("priority")?.unwrap_or_default())?;
        create.creator = given.text("creator")?;
        create.tags = given.tags("tag")?.into_iter().collect();
        create.delay_ms = given.value("delay_ms")?;
        for (name, moment) in [
            ("delay_until", &mut create.delay_until),
            ("deadline_at", &mut create.deadline_at),
        ] {
            let text = given.text(name)?;
            *moment = Moment::of_field(name, text.as_deref())?;
        }
        if let Some(policy) = given.text("policy")? {
            create.policy = ExecutionPolicy::read(policy.as_bytes())?;
        }
        Ok(Some(Described(Wanted { create, namespace })))
    }
}

impl Described {
    fn with_input(self, headers: &HeaderMap, data: Bytes) -> Result<Wanted, Invalid> {
        let Self(mut wanted) = self;
        let create = &mut wanted.create;
        let content_type = match headers.get(header::CONTENT_TYPE) {
            None => std::mem::take(&mut create.input.content_type),
            Some(value) => value
                .to_str()
                .map_err(|_| Invalid::new("content_type", "must be printable ASCII"))?
                .to_owned(),
        };
        create.input = Payload::new(content_type, data);
        Ok(wanted)
    }
}

fn take_headers(create: &mut Create, headers: &HeaderMap) -> Result<(), Problem> {
    create.idempotency_key = headers::idempotency_key(headers, create.idempotency_key.take())?;
    create.traceparent = headers::traceparent(headers);
    Ok(())
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

/// `state` is where the execution is now, if it was read again.
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
    use model::RefusalCode;

    const INVALID: Code = Code::Refused(RefusalCode::InvalidInput);

    fn of(text: &str) -> Result<Create, Problem> {
        of_request(body::parse(text.as_bytes())?).map(|wanted| wanted.create)
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
            (r#"{"kind": "k", "input": 1, "input_text": "x"}"#, INVALID),
            (r#"{"kind": "k", "input_base64": "!"}"#, INVALID),
            (r#"{"kind": "k", "knd": 1}"#, Code::MalformedJson),
            (
                r#"{"kind": "k", "tags": {"a.b": "1", "a.b": "2"}}"#,
                Code::MalformedJson,
            ),
            (r#"{"kind": "k", "creator": "a\u0000"}"#, INVALID),
            (r#"{"kind": "k", "priority": -1}"#, INVALID),
            (r#"{"kind": "k", "priority": 70000}"#, INVALID),
            (r#"{"kind": "k", "deadline_at": "soon"}"#, INVALID),
            (r#"{"kind": "k", "deadline_at": 1}"#, Code::MalformedJson),
            // A whole number, however it is written; the other is none.
            (r#"{"kind": "k", "priority": 1e9}"#, INVALID),
            (r#"{"kind": "k", "priority": 1.5}"#, Code::MalformedJson),
            ("{}", Code::MalformedJson),
            ("", Code::MalformedJson),
        ] {
            assert_eq!(of(text).expect_err(text).code, code, "{text}");
        }
    }
}
