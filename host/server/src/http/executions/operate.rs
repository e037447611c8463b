//! What operators ask of an execution: verbs that need no fence. Each is kept
//! with the execution, and most answer with the execution as it then is.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use engine::{Operate, Operator, Revoke};
use model::ExecutionId;
use serde::de::DeserializeOwned;

use crate::api::{
    self, Asks, OperateExecution, ProblemBody, ResumeExecution, RevokeLease, RevokedExecution,
    SetPriority,
};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::body;
use crate::http::executions::get::{Id, existing};
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Who asks when a request does not say.
pub const ACTOR_DEFAULT: &str = "api";

/// Reads a request of an operator: its query, its body and who asks. A body
/// that may be absent is read as `{}`.
pub async fn asked<T: DeserializeOwned + Asks>(
    app: &App,
    id: ExecutionId,
    mut query: Query,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Operate, T), Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    let bytes = app.result_body().read(headers, body).await?;
    let mut request: T = body::json_or_empty(headers, &bytes)?;
    let (actor, reason) = request.by();
    let by = Operator {
        actor: actor.unwrap_or_else(|| ACTOR_DEFAULT.to_owned()),
        reason,
    };
    Ok((Operate { id, namespace, by }, request))
}

/// Returns an execution as it is after a verb.
pub async fn after(app: &App, id: ExecutionId) -> Result<Json<api::Execution>, Problem> {
    let info = existing(app, id, None).await?;
    Ok(Json(info.into()))
}

/// Takes the lease of a running execution away.
///
/// The execution is ready again at once, for a new attempt of type `reclaim`;
/// at its reclaim cap it fails. Its last holder can write no more. Asked again for a
/// lease that is gone already it succeeds, and says so.
#[utoipa::path(
    post, path = "/v1/executions/{id}/revoke-lease", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body(content = Option<RevokeLease>, content_type = "application/json"),
    responses(
        (status = 200, body = RevokedExecution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn revoke(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RevokedExecution>, Problem> {
    let (operate, request): (_, RevokeLease) = asked(&app, id, query, &headers, body).await?;
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

/// Has a suspended execution go on although its condition is not satisfied.
///
/// Its handler is told so, and gets its state without signals.
#[utoipa::path(
    post, path = "/v1/executions/{id}/resume", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body(content = Option<ResumeExecution>, content_type = "application/json"),
    responses(
        (status = 200, body = api::Execution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn resume(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<api::Execution>, Problem> {
    let (operate, request): (_, ResumeExecution) = asked(&app, id, query, &headers, body).await?;
    app.engine.resume(operate, request.delay_ms).await??;
    after(&app, id).await
}

/// Makes a finished execution ready again.
///
/// It keeps its input, policy and attempts; its result or failure is forgotten.
/// Failures, lost leases and a deadline relative to the creation count anew.
#[utoipa::path(
    post, path = "/v1/executions/{id}/replay", tag = "executions",
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
pub async fn replay(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<api::Execution>, Problem> {
    let (operate, _): (_, OperateExecution) = asked(&app, id, query, &headers, body).await?;
    app.engine.replay(operate).await?;
    after(&app, id).await
}

/// Ends an execution as expired, before its time.
#[utoipa::path(
    post, path = "/v1/executions/{id}/expire", tag = "executions",
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
pub async fn expire(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<api::Execution>, Problem> {
    let (operate, _): (_, OperateExecution) = asked(&app, id, query, &headers, body).await?;
    app.engine.expire(operate).await?;
    after(&app, id).await
}

/// Changes the priority of an execution that is not running.
#[utoipa::path(
    put, path = "/v1/executions/{id}/priority", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Only if it is in this namespace"),
    ),
    request_body = SetPriority,
    responses(
        (status = 200, body = api::Execution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn priority(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<api::Execution>, Problem> {
    let (operate, request): (_, SetPriority) = asked(&app, id, query, &headers, body).await?;
    let priority = model::priority(request.priority)?;
    app.engine.prioritize(operate, priority).await?;
    after(&app, id).await
}

/// Lists what operators did to an execution, oldest first.
#[utoipa::path(
    get, path = "/v1/executions/{id}/operations", tag = "executions",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Answer only if it is in this namespace"),
    ),
    responses(
        (status = 200, body = api::Operations),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn operations(
    State(app): State<App>,
    Id(id): Id,
    mut query: Query,
) -> Result<Json<api::Operations>, Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    existing(&app, id, namespace.as_deref()).await?;
    Ok(Json(app.engine.operations(id).await?.into()))
}
