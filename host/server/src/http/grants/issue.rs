//! The first step of a claim in two steps: a scheduler outside reads what waits and
//! grants it to a worker.

use axum::extract::State;
use engine::{EligiblePlace, GrantNext, IssueGrant};
use model::{ExecutionId, GrantKind};

use crate::api::{ClaimForWorker, EligibleExecutions, GrantFor, GrantedClaim, IssuedGrant};
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::body::Body;
use crate::http::page::{ListRequest, Paging};
use crate::http::path::{Id, OfExecution, Path};
use crate::http::query::{InNamespace, Query};

/// Lists executions that wait in a lane and are not granted, in the order of service.
///
/// The list of a lane that does not serve is empty.
#[utoipa::path(
    get, path = "/v1/lanes/{lane}/eligible", tag = "grants",
    params(("lane" = String, Path, description = "The lane"), InNamespace, Paging),
    responses((status = 200, body = EligibleExecutions))
)]
pub async fn eligible(
    app: State<App>,
    Path(lane): Path<String>,
    list: ListRequest<InNamespace, EligiblePlace>,
) -> Answer<EligibleExecutions> {
    let found = app
        .engine
        .scan_eligible(&lane, list.filter.name(), list.after, list.limit);
    Ok(Json(EligibleExecutions::new(found.await?, |place| {
        list.cursor(place)
    })))
}

/// Grants a waiting execution to a worker.
///
/// It still waits for everyone who reads it, but no claim takes it before the grant
/// is used or expires.
#[utoipa::path(
    post, path = "/v1/executions/{id}/claim-grant", tag = "grants",
    params(OfExecution, InNamespace),
    request_body = GrantFor,
    responses((status = 200, body = IssuedGrant))
)]
pub async fn issue_claim(
    app: State<App>,
    Id(id): Id,
    Query(within): Query<InNamespace>,
    Body(request): Body<GrantFor>,
) -> Answer<IssuedGrant> {
    issue(&app, id, &within, GrantKind::Claim, request).await
}

/// Grants an execution, whose holder was lost, to another worker.
#[utoipa::path(
    post, path = "/v1/executions/{id}/reclaim-grant", tag = "grants",
    params(OfExecution, InNamespace),
    request_body = GrantFor,
    responses((status = 200, body = IssuedGrant))
)]
pub async fn issue_reclaim(
    app: State<App>,
    Id(id): Id,
    Query(within): Query<InNamespace>,
    Body(request): Body<GrantFor>,
) -> Answer<IssuedGrant> {
    issue(&app, id, &within, GrantKind::Reclaim, request).await
}

/// Finds the first execution of a lane that fits a worker, and grants it.
#[utoipa::path(
    post, path = "/v1/workers/{worker_instance_id}/claim-grant", tag = "grants",
    params(("worker_instance_id" = String, Path, description = "The process that will hold the lease"), InNamespace),
    request_body = ClaimForWorker,
    responses((status = 200, body = GrantedClaim))
)]
pub async fn claim_for_worker(
    app: State<App>,
    Path(worker_instance_id): Path<String>,
    Query(within): Query<InNamespace>,
    Body(request): Body<ClaimForWorker>,
) -> Answer<GrantedClaim> {
    let wanted = GrantNext {
        namespace: within.namespace,
        lane: request.lane,
        kinds: request.kinds.map(|kinds| kinds.into_iter().collect()),
        grant: IssueGrant {
            worker_id: request.worker_id,
            worker_instance_id,
            capabilities: request.capabilities,
            grant_ttl_ms: request.grant_ttl_ms,
        },
    };
    let granted = app.engine.claim_for_worker(wanted).await?.map(Into::into);
    Ok(Json(GrantedClaim { granted }))
}

async fn issue(
    app: &App,
    id: ExecutionId,
    within: &InNamespace,
    kind: GrantKind,
    request: GrantFor,
) -> Answer<IssuedGrant> {
    let wanted = IssueGrant {
        worker_id: request.worker_id,
        worker_instance_id: request.worker_instance_id,
        capabilities: request.capabilities,
        grant_ttl_ms: request.grant_ttl_ms,
    };
    let grant = app.engine.issue_grant(id, within.name(), kind, wanted);
    Ok(Json(grant.await?.into()))
}
