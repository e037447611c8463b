//! Taking an execution out of its queue and putting it back: `/block` and
//! `/unblock` for any reason, `/hold` and `/unhold` for an operator's.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use engine::Block;
use model::BlockingReason;

use crate::api::{self, BlockExecution, OperateExecution, ProblemBody, UnblockExecution};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::executions::get::Id;
use crate::http::executions::operate::{after, asked};
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Takes a waiting execution out of its queue, for a reason.
///
/// It keeps its place. Nothing unblocks it by itself but the engine, for reasons
/// of the engine's.
#[utoipa::path(
    post, path = "/v1/executions/{id}/block", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body = BlockExecution,
    responses(
        (status = 200, body = api::Execution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn block(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<api::Execution>, Problem> {
    let (operate, request): (_, BlockExecution) = asked(&app, id, query, &headers, body).await?;
    let block = Block {
        operate,
        reason: request.blocking_reason,
        detail: request.detail,
    };
    app.engine.block(block).await?;
    after(&app, id).await
}

/// Puts an execution that is blocked, rate limited or waiting for children back
/// into its queue.
#[utoipa::path(
    post, path = "/v1/executions/{id}/unblock", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body(content = Option<UnblockExecution>, content_type = "application/json"),
    responses(
        (status = 200, body = api::Execution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn unblock(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<api::Execution>, Problem> {
    let (operate, request): (_, UnblockExecution) = asked(&app, id, query, &headers, body).await?;
    app.engine.unblock(operate, request.expected_reason).await?;
    after(&app, id).await
}

/// Holds a waiting execution back until it is let go.
#[utoipa::path(
    post, path = "/v1/executions/{id}/hold", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body(content = Option<OperateExecution>, content_type = "application/json"),
    responses(
        (status = 200, body = api::Execution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn hold(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<api::Execution>, Problem> {
    let (operate, _): (_, OperateExecution) = asked(&app, id, query, &headers, body).await?;
    let block = Block {
        operate,
        reason: BlockingReason::PausedByOperator,
        detail: None,
    };
    app.engine.block(block).await?;
    after(&app, id).await
}

/// Lets an execution go that an operator held back.
#[utoipa::path(
    post, path = "/v1/executions/{id}/unhold", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body(content = Option<OperateExecution>, content_type = "application/json"),
    responses(
        (status = 200, body = api::Execution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn unhold(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<api::Execution>, Problem> {
    let (operate, _): (_, OperateExecution) = asked(&app, id, query, &headers, body).await?;
    app.engine
        .unblock(operate, Some(BlockingReason::PausedByOperator))
        .await?;
    after(&app, id).await
}
