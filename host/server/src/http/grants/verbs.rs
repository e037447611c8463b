//! Claims in two steps, for schedulers outside: they look at what waits, grant
//! it to a worker, and the worker turns the grant into a lease.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use engine::{GrantNext, IssueGrant};

use crate::api::{
    self, ClaimForWorker, ClaimedExecution, EligibleExecutions, GrantFor, GrantedClaim,
    IssuedGrant, ProblemBody, Redeem,
};
use crate::http::answer::Json;
use crate::http::executions::get::Id;
use crate::http::leases::claim;
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::{App, body};

/// Lists what waits in a lane and is not granted, in the order of service.
///
/// A lane that does not serve has nothing.
#[utoipa::path(
    get, path = "/v1/lanes/{lane}/eligible", tag = "grants",
    params(
        ("lane" = String, Path, description = "The lane"),
        ("limit" = Option<u32>, Query, description = "Most executions, 1 to 1000; 50 when absent"),
    ),
    responses(
        (status = 200, body = EligibleExecutions),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn eligible(
    State(app): State<App>,
    Path(lane): Path<String>,
    mut query: Query,
) -> Result<Json<EligibleExecutions>, Problem> {
    let limit = query.limit()?;
    query.end()?;
    Ok(Json(app.engine.scan_eligible(&lane, limit).await??.into()))
}

/// Grants a waiting execution to a worker.
///
/// It waits on for everyone who reads it, but no claim takes it before the grant
/// is used or lapses.
#[utoipa::path(
    post, path = "/v1/executions/{id}/claim-grant", tag = "grants",
    params(("id" = String, Path, description = "The execution")),
    request_body = GrantFor,
    responses(
        (status = 200, body = IssuedGrant),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn issue_claim(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<IssuedGrant>, Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let wanted = of_request(body::json(&headers, &bytes)?);
    let grant = app.engine.issue_claim_grant(id, wanted).await??;
    Ok(Json(grant.into()))
}

/// Grants an execution whose holder was lost to another worker.
#[utoipa::path(
    post, path = "/v1/executions/{id}/reclaim-grant", tag = "grants",
    params(("id" = String, Path, description = "The execution")),
    request_body = GrantFor,
    responses(
        (status = 200, body = IssuedGrant),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn issue_reclaim(
    State(app): State<App>,
    Id(id): Id,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<IssuedGrant>, Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let wanted = of_request(body::json(&headers, &bytes)?);
    let grant = app.engine.issue_reclaim_grant(id, wanted).await??;
    Ok(Json(grant.into()))
}

/// Finds the first execution of a lane that fits a worker, and grants it.
#[utoipa::path(
    post, path = "/v1/workers/{worker_instance_id}/claim-grant", tag = "grants",
    params(("worker_instance_id" = String, Path, description = "The process that will hold the lease")),
    request_body = ClaimForWorker,
    responses(
        (status = 200, body = GrantedClaim),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn claim_for_worker(
    State(app): State<App>,
    Path(worker_instance_id): Path<String>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<GrantedClaim>, Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let request: ClaimForWorker = body::json(&headers, &bytes)?;
    let wanted = GrantNext {
        lane: request.lane,
        kinds: request.kinds.map(|kinds| kinds.into_iter().collect()),
        grant: IssueGrant {
            worker_id: request.worker_id,
            worker_instance_id,
            capabilities: request.capabilities,
            grant_ttl_ms: request.grant_ttl_ms,
        },
    };
    let granted = app.engine.claim_for_worker(wanted).await??.map(Into::into);
    Ok(Json(GrantedClaim { granted }))
}

/// Turns a claim grant into a lease.
#[utoipa::path(
    post, path = "/v1/grants/claim", tag = "grants",
    request_body = Redeem,
    responses(
        (status = 200, body = ClaimedExecution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn claim(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ClaimedExecution>, Problem> {
    query.end()?;
    let request = redeemed(&app, &headers, body).await?;
    let seals = app.engine.seals().await?;
    let claimed = app
        .engine
        .claim_from_grant(
            &request.grant,
            request.capability_hash.as_deref(),
            request.lease_ttl_ms,
        )
        .await?;
    let (claimed, held) = claimed?;
    Ok(Json(claim::shown(seals, &held.worker_instance_id, claimed)))
}

/// Turns a reclaim grant into a lease.
#[utoipa::path(
    post, path = "/v1/grants/reclaim", tag = "grants",
    request_body = Redeem,
    responses(
        (status = 200, body = ClaimedExecution),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn reclaim(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ClaimedExecution>, Problem> {
    query.end()?;
    let request = redeemed(&app, &headers, body).await?;
    let seals = app.engine.seals().await?;
    let claimed = app
        .engine
        .reclaim_execution(
            &request.grant,
            request.capability_hash.as_deref(),
            request.lease_ttl_ms,
        )
        .await?;
    let (claimed, held) = claimed?;
    Ok(Json(claim::shown(seals, &held.worker_instance_id, claimed)))
}

async fn redeemed(app: &App, headers: &HeaderMap, body: Body) -> Result<Redeem, Problem> {
    let bytes = app.small_body().read(headers, body).await?;
    let request: Redeem = body::json(headers, &bytes)?;
    api::check_ttl(request.lease_ttl_ms)?;
    Ok(request)
}

fn of_request(request: GrantFor) -> IssueGrant {
    IssueGrant {
        worker_id: request.worker_id,
        worker_instance_id: request.worker_instance_id,
        capabilities: request.capabilities,
        grant_ttl_ms: request.grant_ttl_ms,
    }
}
