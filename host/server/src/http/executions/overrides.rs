//! Verbs of a holder done by an operator, without a fence: `/complete`, `/fail`, `/delay`
//! and `/wait-children` of an execution that runs. Its holder loses the lease.

use axum::extract::State;
use model::Failure;

use crate::api::{self, CompleteOverride, DelayOverride, FailOverride, WaitChildrenOverride};
use crate::http::App;
use crate::http::answer::Answer;
use crate::http::leases::verbs::due_of;
use crate::http::operator::{OperatorRequest, after};
use crate::http::path::OfExecution;
use crate::http::payload::{PayloadFields, RESULT};
use crate::http::query::InNamespace;

/// Finishes a running execution with a result, in place of its holder.
#[utoipa::path(
    post, path = "/v1/executions/{id}/complete", tag = "executions",
    params(OfExecution, InNamespace),
    request_body(content = Option<CompleteOverride>, content_type = "application/json"),
    responses((status = 200, body = api::Execution))
)]
pub async fn complete(
    State(app): State<App>,
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<CompleteOverride>,
) -> Answer<api::Execution> {
    let id = operate.id;
    let fields = PayloadFields::new(
        RESULT,
        &request.result,
        &request.result_text,
        &request.result_base64,
        &request.content_type,
    );
    let result = fields.read()?;
    app.engine.complete_override(operate, result).await?;
    after(&app, id).await
}

/// Ends the attempt of a running execution as failed, in place of its holder, and lets
/// the retry policy decide.
#[utoipa::path(
    post, path = "/v1/executions/{id}/fail", tag = "executions",
    params(OfExecution, InNamespace),
    request_body = FailOverride,
    responses((status = 200, body = api::Execution))
)]
pub async fn fail(
    State(app): State<App>,
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<FailOverride>,
) -> Answer<api::Execution> {
    let id = operate.id;
    let failure = Failure::new(request.class, &request.code, request.message);
    app.engine.fail_override(operate, failure).await?;
    after(&app, id).await
}

/// Delays a running execution, in place of its holder; the same attempt resumes when
/// the delay is over.
#[utoipa::path(
    post, path = "/v1/executions/{id}/delay", tag = "executions",
    params(OfExecution, InNamespace),
    request_body = DelayOverride,
    responses((status = 200, body = api::Execution))
)]
pub async fn delay(
    State(app): State<App>,
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<DelayOverride>,
) -> Answer<api::Execution> {
    let id = operate.id;
    let due = due_of(request.delay_ms, request.delay_until.as_deref())?;
    app.engine.delay_override(operate, due).await?;
    after(&app, id).await
}

/// Has a running execution wait for its children, in place of its holder; the same attempt
/// resumes when so many of those have ended as is waited for, or an operator unblocks it.
#[utoipa::path(
    post, path = "/v1/executions/{id}/wait-children", tag = "executions",
    params(OfExecution, InNamespace),
    request_body(content = Option<WaitChildrenOverride>, content_type = "application/json"),
    responses((status = 200, body = api::Execution))
)]
pub async fn wait_children(
    State(app): State<App>,
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<WaitChildrenOverride>,
) -> Answer<api::Execution> {
    let id = operate.id;
    let children = request.children.as_deref();
    let wait = api::wait_for(children, request.policy, request.dependency_kind)?;
    app.engine.wait_children_override(operate, &wait).await?;
    after(&app, id).await
}
