//! A holder's verbs done by an operator, without a fence: `/complete`, `/fail`
//! and `/delay` of an execution that runs. Its holder loses the lease.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use model::Failure;

use crate::api::{self, CompleteOverride, DelayOverride, FailOverride, ProblemBody};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::executions::get::Id;
use crate::http::executions::operate::{after, asked};
use crate::http::payload::{Forms, RESULT};
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Finishes a running execution with a result, whoever runs it.
#[utoipa::path(
    post, path = "/v1/executions/{id}/complete", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body(content = Option<CompleteOverride>, content_type = "application/json"),
    responses(
        (status = 200, body = api::Execution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn complete(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<api::Execution>, Problem> {
    let (operate, request): (_, CompleteOverride) = asked(&app, id, query, &headers, body).await?;
    let forms = Forms {
        names: RESULT,
        json: request.result.as_deref(),
        text: request.result_text.as_deref(),
        base64: request.result_base64.as_deref(),
        content_type: request.content_type.as_deref(),
    };
    let result = forms.read()?;
    app.engine.complete_override(operate, result).await?;
    after(&app, id).await
}

/// Ends the attempt of a running execution as failed, whoever runs it, and lets
/// the retry policy decide.
#[utoipa::path(
    post, path = "/v1/executions/{id}/fail", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body = FailOverride,
    responses(
        (status = 200, body = api::Execution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn fail(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<api::Execution>, Problem> {
    let (operate, request): (_, FailOverride) = asked(&app, id, query, &headers, body).await?;
    let failure = Failure::new(request.class, &request.code, request.message);
    app.engine.fail_override(operate, failure).await?;
    after(&app, id).await
}

/// Puts a running execution down for a while, whoever runs it; the same attempt
/// goes on then.
#[utoipa::path(
    post, path = "/v1/executions/{id}/delay", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body = DelayOverride,
    responses(
        (status = 200, body = api::Execution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn delay(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<api::Execution>, Problem> {
    let (operate, request): (_, DelayOverride) = asked(&app, id, query, &headers, body).await?;
    app.engine.delay_override(operate, request.delay_ms).await?;
    after(&app, id).await
}
