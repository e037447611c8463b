//! `/v1/executions/{id}/tags`: the labels of an execution.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;

use crate::api::{ProblemBody, SetTags, Tags};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::executions::get::{Id, existing};
use crate::http::executions::operate::asked;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Shows the labels of an execution.
#[utoipa::path(
    get, path = "/v1/executions/{id}/tags", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Answer only if it is in this namespace"),
    ),
    responses(
        (status = 200, body = Tags),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn get(
    State(app): State<App>,
    Id(id): Id,
    mut query: Query,
) -> Result<Json<Tags>, Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    let tags = existing(&app, id, namespace.as_deref()).await?.tags;
    Ok(Json(Tags { tags }))
}

/// Sets and removes labels of an execution, in any state; the others stay.
#[utoipa::path(
    patch, path = "/v1/executions/{id}/tags", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body = SetTags,
    responses(
        (status = 200, body = Tags),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn set(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Tags>, Problem> {
    let (operate, request): (_, SetTags) = asked(&app, id, query, &headers, body).await?;
    app.engine.tag(operate, request.tags).await?;
    let tags = existing(&app, id, None).await?.tags;
    Ok(Json(Tags { tags }))
}
