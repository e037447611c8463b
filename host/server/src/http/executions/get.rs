//! `GET /v1/executions/{id}` and what is read below it: input, policy, result.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use engine::Payload;
use model::ExecutionPolicy;

use super::suspensions;
use crate::api;
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::operator::existing;
use crate::http::path::{Id, OfExecution};
use crate::http::problem::{Code, Problem};
use crate::http::query::{InNamespace, Query};

/// Shows one execution, and what it waits for if it is suspended.
#[utoipa::path(
    get, path = "/v1/executions/{id}", tag = "executions",
    params(OfExecution, InNamespace),
    responses((status = 200, body = api::Execution))
)]
pub async fn get(
    State(app): State<App>,
    Id(id): Id,
    Query(within): Query<InNamespace>,
) -> Answer<api::Execution> {
    let info = existing(&app, id, within.name()).await?;
    let (suspension, unreadable) = suspensions::open(&app, &info).await?;
    Ok(Json(api::Execution {
        suspension,
        unreadable,
        ..info.into()
    }))
}

/// Returns the result of an execution that ended with success: its bytes, with
/// their own media type.
#[utoipa::path(
    get, path = "/v1/executions/{id}/result", tag = "executions",
    params(OfExecution, InNamespace),
    responses(
        (status = 200, description = "The result", content(
            (serde_json::Value = "*/*"),
            (api::RawBytes = "application/octet-stream"),
        )),
    )
)]
pub async fn result(
    State(app): State<App>,
    Id(id): Id,
    Query(within): Query<InNamespace>,
) -> Result<Response, Problem> {
    let Some(payload) = app.engine.result(id, within.name()).await? else {
        let info = existing(&app, id, within.name()).await?;
        let state = info.public_state;
        let detail = if state.is_terminal() {
            format!("execution {id} is {state}, so it has no result")
        } else {
            format!("execution {id} is {state}, so it has no result yet")
        };
        return Err(Problem::new(Code::NoResult, detail).with("state", state.as_str()));
    };
    Ok(bytes_of(payload))
}

/// Returns the input of an execution: its bytes, with their own media type.
#[utoipa::path(
    get, path = "/v1/executions/{id}/input", tag = "executions",
    params(OfExecution, InNamespace),
    responses(
        (status = 200, description = "The input", content(
            (serde_json::Value = "*/*"),
            (api::RawBytes = "application/octet-stream"),
        )),
    )
)]
pub async fn input(
    State(app): State<App>,
    Id(id): Id,
    Query(within): Query<InNamespace>,
) -> Result<Response, Problem> {
    match app.engine.context(id, within.name()).await? {
        Some(context) => Ok(bytes_of(context.input)),
        None => Err(Problem::no_execution(id)),
    }
}

/// Shows the policy an execution was created with, every default spelled out.
#[utoipa::path(
    get, path = "/v1/executions/{id}/policy", tag = "executions",
    params(OfExecution, InNamespace),
    responses((status = 200, body = api::Policy))
)]
pub async fn policy(
    State(app): State<App>,
    Id(id): Id,
    Query(within): Query<InNamespace>,
) -> Answer<ExecutionPolicy> {
    match app.engine.context(id, within.name()).await? {
        Some(context) => Ok(Json(context.policy)),
        None => Err(Problem::no_execution(id)),
    }
}

/// Answers with bytes under their own media type.
pub fn bytes_of(payload: Payload) -> Response {
    let content_type = HeaderValue::try_from(payload.content_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let mut response = payload.data.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    // A guest wrote these bytes: a browser that opens them must run nothing.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    response
}
