//! `GET /v1/executions/{id}` and what hangs below it: result, attempts, history.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use engine::{ExecutionInfo, Payload};
use model::{ExecutionId, ExecutionPolicy, IdError};

use crate::api;
use crate::http::App;
use crate::http::answer::Json;
use crate::http::executions::suspensions;
use crate::http::path::Path;
use crate::http::problem::{Code, Problem};
use crate::http::query::Query;

/// The id of an execution in the path.
#[derive(Debug, Clone, Copy)]
pub struct Id(pub ExecutionId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text): Path<String> = Path::from_request_parts(parts, state).await?;
        Self::read(&text)
    }
}

impl Id {
    /// Reads an id.
    pub fn read(text: &str) -> Result<Self, Problem> {
        text.parse()
            .map(Self)
            .map_err(|error: IdError| Problem::new(Code::InvalidId, error.to_string()))
    }
}

/// Shows one execution, and what it waits for if it is suspended.
#[utoipa::path(
    get, path = "/v1/executions/{id}", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Answer only if it is in this namespace"),
    ),
    responses(
        (status = 200, body = api::Execution),
        (status = "default", body = api::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn get(
    State(app): State<App>,
    Id(id): Id,
    mut query: Query,
) -> Result<Json<api::Execution>, Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    let info = existing(&app, id, namespace.as_deref()).await?;
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
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Answer only if it is in this namespace"),
    ),
    responses(
        (status = 200, content_type = "*/*", body = String, description = "The result"),
        (status = "default", body = api::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn result(
    State(app): State<App>,
    Id(id): Id,
    mut query: Query,
) -> Result<Response, Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    let Some(payload) = app.engine.result(id, namespace.as_deref()).await? else {
        let info = existing(&app, id, namespace.as_deref()).await?;
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
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Answer only if it is in this namespace"),
    ),
    responses(
        (status = 200, content_type = "*/*", body = String, description = "The input"),
        (status = "default", body = api::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn input(
    State(app): State<App>,
    Id(id): Id,
    mut query: Query,
) -> Result<Response, Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    match app.engine.context(id, namespace.as_deref()).await? {
        Some(context) => Ok(bytes_of(context.input)),
        None => Err(Problem::no_execution(id)),
    }
}

/// Shows the policy an execution was created with, every default spelled out.
#[utoipa::path(
    get, path = "/v1/executions/{id}/policy", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Answer only if it is in this namespace"),
    ),
    responses(
        (status = 200, body = api::Policy),
        (status = "default", body = api::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn policy(
    State(app): State<App>,
    Id(id): Id,
    mut query: Query,
) -> Result<Json<ExecutionPolicy>, Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    match app.engine.context(id, namespace.as_deref()).await? {
        Some(context) => Ok(Json(context.policy)),
        None => Err(Problem::no_execution(id)),
    }
}

/// Lists the attempts at an execution with their leases, logs and usage.
#[utoipa::path(
    get, path = "/v1/executions/{id}/attempts", tag = "executions",
    params(("id" = String, Path, description = "The execution")),
    responses(
        (status = 200, body = api::Attempts),
        (status = "default", body = api::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn attempts(
    State(app): State<App>,
    Id(id): Id,
    mut query: Query,
) -> Result<Json<api::Attempts>, Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    existing(&app, id, namespace.as_deref()).await?;
    Ok(Json(app.engine.attempts(id).await?.into()))
}

/// Lists what happened to an execution, oldest first.
#[utoipa::path(
    get, path = "/v1/executions/{id}/history", tag = "executions",
    params(("id" = String, Path, description = "The execution")),
    responses(
        (status = 200, body = api::History),
        (status = "default", body = api::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn history(
    State(app): State<App>,
    Id(id): Id,
    mut query: Query,
) -> Result<Json<api::History>, Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    existing(&app, id, namespace.as_deref()).await?;
    Ok(Json(app.engine.history(id).await?.into()))
}

fn bytes_of(payload: Payload) -> Response {
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

/// Reads an execution, or says that there is none.
pub async fn existing(
    app: &App,
    id: ExecutionId,
    namespace: Option<&str>,
) -> Result<ExecutionInfo, Problem> {
    match app.engine.get(id, namespace).await? {
        Some(info) => Ok(info),
        None => Err(Problem::no_execution(id)),
    }
}
