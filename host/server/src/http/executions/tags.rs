//! `/v1/executions/{id}/tags`: the labels of an execution.

use axum::extract::State;

use crate::api::{SetTags, Tags, TagsSet};
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::operator::{OperatorRequest, existing};
use crate::http::path::{Id, OfExecution};
use crate::http::query::{InNamespace, Query};

/// Shows the labels of an execution.
#[utoipa::path(
    get, path = "/v1/executions/{id}/tags", tag = "executions",
    params(OfExecution, InNamespace),
    responses((status = 200, body = Tags))
)]
pub async fn get(
    State(app): State<App>,
    Id(id): Id,
    Query(within): Query<InNamespace>,
) -> Answer<Tags> {
    let tags = existing(&app, id, within.name()).await?.tags;
    Ok(Json(Tags { tags }))
}

/// Sets and removes labels of an execution, in any state; the others stay.
#[utoipa::path(
    patch, path = "/v1/executions/{id}/tags", tag = "executions",
    params(OfExecution, InNamespace),
    request_body = SetTags,
    responses((status = 200, body = TagsSet))
)]
pub async fn set(
    State(app): State<App>,
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<SetTags>,
) -> Answer<TagsSet> {
    let id = operate.id;
    let count = app.engine.tag(operate, request.tags).await?;
    let tags = existing(&app, id, None).await?.tags;
    Ok(Json(TagsSet { count, tags }))
}
