//! `POST /v1/executions/{id}/cancel`: ends an execution, also one that runs.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use engine::Cancel;
use model::CancelSource;

use crate::api::{CancelExecution, CancelledExecution, ProblemBody};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::executions::get::Id;
use crate::http::executions::operate::asked;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Cancels an execution.
///
/// One that runs loses its lease at once. Cancelling again changes nothing and
/// succeeds; an execution that ended some other way is refused.
#[utoipa::path(
    post, path = "/v1/executions/{id}/cancel", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body(content = Option<CancelExecution>, content_type = "application/json"),
    responses(
        (status = 200, body = CancelledExecution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CancelledExecution>, Problem> {
    let (operate, request): (_, CancelExecution) = asked(&app, id, query, &headers, body).await?;
    let source = match &request.source {
        None => CancelSource::default(),
        Some(text) => CancelSource::of_caller(text)?,
    };
    let cancelled = app
        .engine
        .cancel(Cancel {
            id,
            namespace: operate.namespace,
            reason: operate.by.reason,
            source,
            actor: Some(operate.by.actor),
        })
        .await?;
    Ok(Json(CancelledExecution {
        id,
        was_active: cancelled.was_active,
        already: cancelled.already,
    }))
}
