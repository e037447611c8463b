//! Taking an execution out of its queue and putting it back: `/block` and `/unblock`
//! for any reason, `/hold` and `/unhold` for that of an operator.

use axum::extract::State;
use engine::{Block, Operate};
use model::BlockingReason;

use crate::api::{self, BlockExecution, OperateExecution, UnblockExecution};
use crate::http::App;
use crate::http::answer::Answer;
use crate::http::operator::{OperatorRequest, after};
use crate::http::path::OfExecution;
use crate::http::query::InNamespace;

/// Takes a waiting execution out of its queue, for a reason.
///
/// It keeps its place. It stays blocked until a caller unblocks it, or the engine does
/// for a reason that is the engine's own.
#[utoipa::path(
    post, path = "/v1/executions/{id}/block", tag = "executions",
    params(OfExecution, InNamespace),
    request_body = BlockExecution,
    responses((status = 200, body = api::Execution))
)]
pub async fn block(
    State(app): State<App>,
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<BlockExecution>,
) -> Answer<api::Execution> {
    let reason = BlockingReason::of_caller("blocking_reason", &request.blocking_reason)?;
    blocked(&app, operate, reason, request.detail).await
}

/// Puts an execution that is blocked, rate limited or waiting for children back
/// into its queue.
#[utoipa::path(
    post, path = "/v1/executions/{id}/unblock", tag = "executions",
    params(OfExecution, InNamespace),
    request_body(content = Option<UnblockExecution>, content_type = "application/json"),
    responses((status = 200, body = api::Execution))
)]
pub async fn unblock(
    State(app): State<App>,
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<UnblockExecution>,
) -> Answer<api::Execution> {
    let expected = request.expected_reason.as_deref();
    let expected = expected.map(|text| BlockingReason::of_caller("expected_reason", text));
    unblocked(&app, operate, expected.transpose()?).await
}

/// Takes a waiting execution out of its queue until an operator releases it.
#[utoipa::path(
    post, path = "/v1/executions/{id}/hold", tag = "executions",
    params(OfExecution, InNamespace),
    request_body(content = Option<OperateExecution>, content_type = "application/json"),
    responses((status = 200, body = api::Execution))
)]
pub async fn hold(
    State(app): State<App>,
    OperatorRequest { operate, .. }: OperatorRequest<OperateExecution>,
) -> Answer<api::Execution> {
    blocked(&app, operate, BlockingReason::PausedByOperator, None).await
}

/// Puts an execution that an operator held back into its queue.
#[utoipa::path(
    post, path = "/v1/executions/{id}/unhold", tag = "executions",
    params(OfExecution, InNamespace),
    request_body(content = Option<OperateExecution>, content_type = "application/json"),
    responses((status = 200, body = api::Execution))
)]
pub async fn unhold(
    State(app): State<App>,
    OperatorRequest { operate, .. }: OperatorRequest<OperateExecution>,
) -> Answer<api::Execution> {
    unblocked(&app, operate, Some(BlockingReason::PausedByOperator)).await
}

async fn blocked(
    app: &App,
    operate: Operate,
    reason: BlockingReason,
    detail: Option<String>,
) -> Answer<api::Execution> {
    let id = operate.id;
    let block = Block {
        operate,
        reason,
        detail,
    };
    app.engine.block(block).await?;
    after(app, id).await
}

async fn unblocked(
    app: &App,
    operate: Operate,
    expected: Option<BlockingReason>,
) -> Answer<api::Execution> {
    let id = operate.id;
    app.engine.unblock(operate, expected).await?;
    after(app, id).await
}
