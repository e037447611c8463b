//! The second step of a claim in two steps: a worker turns its grant into a lease.

use axum::extract::State;
use model::GrantKind;

use crate::api::{self, ClaimedExecution, Redeem};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json};
use crate::http::body::Body;
use crate::http::leases::claim;
use crate::http::query::NoQuery;

/// Turns a claim grant into a lease.
#[utoipa::path(
    post, path = "/v1/grants/claim", tag = "grants",
    request_body = Redeem,
    responses((status = 200, body = ClaimedExecution))
)]
pub async fn claim(
    app: State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<Redeem>,
) -> Answer<ClaimedExecution> {
    redeem(&app, &caller, GrantKind::Claim, request).await
}

/// Turns a reclaim grant into a lease.
#[utoipa::path(
    post, path = "/v1/grants/reclaim", tag = "grants",
    request_body = Redeem,
    responses((status = 200, body = ClaimedExecution))
)]
pub async fn reclaim(
    app: State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<Redeem>,
) -> Answer<ClaimedExecution> {
    redeem(&app, &caller, GrantKind::Reclaim, request).await
}

async fn redeem(
    app: &App,
    caller: &Caller,
    kind: GrantKind,
    request: Redeem,
) -> Answer<ClaimedExecution> {
    let (hash, ttl_ms) = (request.capability_hash.as_deref(), request.lease_ttl_ms);
    api::check_ttl(ttl_ms)?;
    let signer = app.engine.handle_signer().await?;
    let (scope, grant) = (caller.scope(), &request.grant);
    let redeemed = app.engine.redeem_grant(scope, kind, grant, hash, ttl_ms);
    let (claimed, held) = redeemed.await?;
    let worker = &held.worker_instance_id;
    Ok(Json(claim::shown(signer, worker, claimed)))
}
