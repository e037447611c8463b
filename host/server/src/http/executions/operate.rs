//! Verbs of operators that change where an execution is, and the list of what operators
//! did to it. Most answer with the execution as it is afterwards.

use axum::extract::State;
use engine::Revoke;
use model::{ExpireReason, Invalid, UnknownName};

use crate::api::{
    self, ExpireExecution, OperateExecution, ResumeExecution, RevokeLease, RevokedExecution,
    SetPriority,
};
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::operator::{OperatorRequest, after};
use crate::http::page::{ListRequest, Paging};
use crate::http::path::{Id, OfExecution};
use crate::http::problem::Problem;
use crate::http::query::InNamespace;

/// Takes the lease of a running execution away.
///
/// The execution is ready again immediately, for a new attempt of type `reclaim`;
/// at its reclaim cap it fails. Its last holder can write no more. A repeat for a
/// lease that is gone already succeeds, and says so.
#[utoipa::path(
    post, path = "/v1/executions/{id}/revoke-lease", tag = "executions",
    params(OfExecution, InNamespace),
    request_body(content = Option<RevokeLease>, content_type = "application/json"),
    responses((status = 200, body = RevokedExecution))
)]
pub async fn revoke(
    State(app): State<App>,
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<RevokeLease>,
) -> Answer<RevokedExecution> {
    let id = operate.id;
    let revoke = Revoke {
        operate,
        expected_lease_id: request.expected_lease_id,
    };
    let revoked = app.engine.revoke(revoke).await?;
    Ok(Json(RevokedExecution {
        id,
        lease_id: revoked.lease_id,
        epoch: revoked.epoch,
        already: revoked.already,
    }))
}

/// Resumes a suspended execution although its condition is not satisfied.
///
/// Its handler is told so, and gets its saved state without signals.
#[utoipa::path(
    post, path = "/v1/executions/{id}/resume", tag = "executions",
    params(OfExecution, InNamespace),
    request_body(content = Option<ResumeExecution>, content_type = "application/json"),
    responses((status = 200, body = api::Execution))
)]
pub async fn resume(
    State(app): State<App>,
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<ResumeExecution>,
) -> Answer<api::Execution> {
    let id = operate.id;
    app.engine.resume(operate, request.delay_ms).await?;
    after(&app, id).await
}

/// Makes a finished execution ready again.
///
/// It keeps its input, policy and attempts; its result or failure is forgotten.
/// The counts of failures and lost leases, and a deadline relative to the creation,
/// begin again.
#[utoipa::path(
    post, path = "/v1/executions/{id}/replay", tag = "executions",
    params(OfExecution, InNamespace),
    request_body(content = Option<OperateExecution>, content_type = "application/json"),
    responses((status = 200, body = api::Execution))
)]
pub async fn replay(
    State(app): State<App>,
    OperatorRequest { operate, .. }: OperatorRequest<OperateExecution>,
) -> Answer<api::Execution> {
    let id = operate.id;
    app.engine.replay(operate).await?;
    after(&app, id).await
}

/// Ends an execution as expired, before its deadline.
#[utoipa::path(
    post, path = "/v1/executions/{id}/expire", tag = "executions",
    params(OfExecution, InNamespace),
    request_body(content = Option<ExpireExecution>, content_type = "application/json"),
    responses((status = 200, body = api::Execution))
)]
pub async fn expire(
    State(app): State<App>,
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<ExpireExecution>,
) -> Answer<api::Execution> {
    let id = operate.id;
    let reason = match request.expire_reason {
        None => ExpireReason::default(),
        Some(text) => text
            .parse()
            .map_err(|error: UnknownName| Invalid::new("expire_reason", error.to_string()))?,
    };
    app.engine.expire(operate, reason).await?;
    after(&app, id).await
}

/// Changes the priority of an execution that is not running.
#[utoipa::path(
    put, path = "/v1/executions/{id}/priority", tag = "executions",
    params(OfExecution, InNamespace),
    request_body = SetPriority,
    responses((status = 200, body = api::Execution))
)]
pub async fn priority(
    State(app): State<App>,
    OperatorRequest {
        operate, request, ..
    }: OperatorRequest<SetPriority>,
) -> Answer<api::Execution> {
    let id = operate.id;
    let priority = model::priority(request.priority)?;
    app.engine.prioritize(operate, priority).await?;
    after(&app, id).await
}

/// Lists what operators did to an execution, oldest first.
#[utoipa::path(
    get, path = "/v1/executions/{id}/operations", tag = "executions",
    params(OfExecution, InNamespace, Paging),
    responses((status = 200, body = api::Operations))
)]
pub async fn operations(
    State(app): State<App>,
    Id(id): Id,
    list: ListRequest<InNamespace, u64>,
) -> Answer<api::Operations> {
    let namespace = list.filter.name();
    let engine = &app.engine;
    let found = engine.operations(id, namespace, list.after, list.limit);
    let found = found.await?.ok_or_else(|| Problem::no_execution(id))?;
    Ok(Json(api::Operations::new(found, |number| {
        list.cursor(number)
    })))
}
