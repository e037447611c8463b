//! `/v1/waitpoint-keys`: keys that waitpoint tokens are signed with. Secrets are taken in
//! and never shown.

use axum::extract::State;
use engine::WaitpointKeyPlace;
use model::KeyRetireRefusal;

use crate::api::{
    RetireWaitpointKey, RotateWaitpointKey, RotatedWaitpointKey, SeedWaitpointKey,
    SeededWaitpointKey, WaitpointKey, WaitpointKeys,
};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json};
use crate::http::body::{Body, OptionalBody};
use crate::http::page::{ListRequest, Paging};
use crate::http::path::Path;
use crate::http::query::NoQuery;

/// Lists the keys, the active one first.
#[utoipa::path(
    get, path = "/v1/waitpoint-keys", tag = "waitpoint-keys",
    params(Paging),
    responses((status = 200, body = WaitpointKeys))
)]
pub async fn list(
    State(app): State<App>,
    list: ListRequest<(), WaitpointKeyPlace>,
) -> Answer<WaitpointKeys> {
    let after = list.after.as_ref();
    let keys = app.engine.waitpoint_keys(after, list.limit).await?;
    Ok(Json(WaitpointKeys::new(keys, |place| list.cursor(place))))
}

/// Makes a new key sign.
///
/// Tokens of the old key are accepted for the grace and no longer, on every host.
/// A repeat of the request changes nothing while its key signs.
#[utoipa::path(
    post, path = "/v1/waitpoint-keys/rotate", tag = "waitpoint-keys",
    request_body(content = Option<RotateWaitpointKey>, content_type = "application/json"),
    responses((status = 200, body = RotatedWaitpointKey))
)]
pub async fn rotate(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    OptionalBody(request): OptionalBody<RotateWaitpointKey>,
) -> Answer<RotatedWaitpointKey> {
    let rotate = engine::RotateWaitpointKey {
        kid: request.new_kid,
        secret_hex: request.new_secret_hex,
        grace_ms: request.grace_ms,
        actor: caller.actor(request.actor.as_deref())?,
    };
    Ok(Json(app.engine.rotate_waitpoint_key(rotate).await?.into()))
}

/// Creates the first key, for an instance that brings its own secret.
///
/// Changes nothing where a key signs already, and says whether it is the same one.
#[utoipa::path(
    post, path = "/v1/waitpoint-keys/seed", tag = "waitpoint-keys",
    request_body = SeedWaitpointKey,
    responses((status = 200, body = SeededWaitpointKey))
)]
pub async fn seed(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<SeedWaitpointKey>,
) -> Answer<SeededWaitpointKey> {
    let actor = caller.actor(request.actor.as_deref())?;
    let seeded = app
        .engine
        .seed_waitpoint_key(&request.kid, request.secret_hex.as_deref(), &actor)
        .await?;
    Ok(Json(seeded.into()))
}

/// Refuses tokens of an old key from now on, on every host.
#[utoipa::path(
    post, path = "/v1/waitpoint-keys/{kid}/retire", tag = "waitpoint-keys",
    params(("kid" = String, Path, description = "The key")),
    request_body(content = Option<RetireWaitpointKey>, content_type = "application/json"),
    responses((status = 200, body = WaitpointKey))
)]
pub async fn retire(
    State(app): State<App>,
    caller: Caller,
    Path(kid): Path<String>,
    _: NoQuery,
    OptionalBody(request): OptionalBody<RetireWaitpointKey>,
) -> Answer<WaitpointKey> {
    let actor = caller.actor(request.actor.as_deref())?;
    app.engine.retire_waitpoint_key(&kid, &actor).await?;
    // It may have been forgotten since.
    let key = app.engine.waitpoint_key(&kid).await?;
    Ok(Json(key.ok_or(KeyRetireRefusal::KeyNotFound(kid))?.into()))
}
