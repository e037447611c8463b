//! The second step of a claim in two steps: a worker turns its grant into a lease.

use axum::extract::State;

use crate::api::{self, ClaimedExecution, Redeem};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::Json;
use crate::http::body::Body;
use crate::http::leases::claim;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;

/// Turns a claim grant into a lease.
#[utoipa::path(
    post, path = "/v1/grants/claim", tag = "grants",
    request_body = Redeem,
    responses((status = 200, body = ClaimedExecution))
)]
pub async fn claim(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<Redeem>,
) -> Result<Json<ClaimedExecution>, Problem> {
    api::check_ttl(request.lease_ttl_ms)?;
    let signer = app.engine.handle_signer().await?;
    let (claimed, held) = app
        .engine
        .claim_from_grant(
            caller.scope(),
            &request.grant,
            request.capability_hash.as_deref(),
            request.lease_ttl_ms,
        )
        .await?;
    Ok(Json(claim::shown(
        signer,
        &held.worker_instance_id,
        claimed,
    )))
}

/// Turns a reclaim grant into a lease.
#[utoipa::path(
    post, path = "/v1/grants/reclaim", tag = "grants",
    request_body = Redeem,
    responses((status = 200, body = ClaimedExecution))
)]
pub async fn reclaim(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<Redeem>,
) -> Result<Json<ClaimedExecution>, Problem> {
    api::check_ttl(request.lease_ttl_ms)?;
    let signer = app.engine.handle_signer().await?;
    let (claimed, held) = app
        .engine
        .reclaim_execution(
            caller.scope(),
            &request.grant,
            request.capability_hash.as_deref(),
            request.lease_ttl_ms,
        )
        .await?;
    Ok(Json(claim::shown(
        signer,
        &held.worker_instance_id,
        claimed,
    )))
}
