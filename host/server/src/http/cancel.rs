//! `POST /v1/executions/{id}/cancel`: ends an execution, also one that runs.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use engine::Cancel;
use model::Invalid;

use super::App;
use super::body;
use super::problem::Problem;
use super::query::Query;
use super::read::Id;
use crate::api::{CancelExecution, CancelledExecution, ProblemBody};

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
    mut query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CancelledExecution>, Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let request: CancelExecution = body::json_or_empty(&headers, &bytes)?;
    if request
        .reason
        .as_ref()
        .is_some_and(|reason| reason.contains('\0'))
    {
        return Err(Invalid::new("reason", "must not hold a NUL character").into());
    }
    let cancelled = app
        .engine
        .cancel(Cancel {
            id,
            namespace,
            reason: request.reason,
            source: "api".to_owned(),
        })
        .await??;
    Ok(Json(CancelledExecution {
        id,
        was_active: cancelled.was_active,
        already: cancelled.already,
    }))
}
