//! `/v1/waitpoint-keys`: keys that waitpoint tokens are signed with. Secrets go
//! in and never come out.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use engine::RotateKey;
use model::KeyRetireRefusal;

use crate::api::{
    ProblemBody, RetireWaitpointKey, RotateWaitpointKey, RotatedWaitpointKey, WaitpointKey,
    WaitpointKeys,
};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::body;
use crate::http::executions::operate::ACTOR_DEFAULT;
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Lists the keys.
#[utoipa::path(
    get, path = "/v1/waitpoint-keys", tag = "waitpoint-keys",
    responses(
        (status = 200, body = WaitpointKeys),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list(State(app): State<App>, query: Query) -> Result<Json<WaitpointKeys>, Problem> {
    query.end()?;
    Ok(Json(app.engine.waitpoint_keys().await?.into()))
}

/// Has a new key sign.
///
/// Tokens of the old key are accepted for the grace and no longer, on every host.
/// The same request again changes nothing while its key signs.
#[utoipa::path(
    post, path = "/v1/waitpoint-keys/rotate", tag = "waitpoint-keys",
    request_body(content = Option<RotateWaitpointKey>, content_type = "application/json"),
    responses(
        (status = 200, body = RotatedWaitpointKey),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn rotate(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RotatedWaitpointKey>, Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let request: RotateWaitpointKey = body::json_or_empty(&headers, &bytes)?;
    let rotate = RotateKey {
        kid: request.new_kid,
        secret_hex: request.new_secret_hex,
        grace_ms: request.grace_ms,
        actor: request.actor.unwrap_or_else(|| ACTOR_DEFAULT.to_owned()),
    };
    Ok(Json(app.engine.rotate_waitpoint_key(rotate).await??.into()))
}

/// Has tokens of an old key refused from now on, on every host.
#[utoipa::path(
    post, path = "/v1/waitpoint-keys/{kid}/retire", tag = "waitpoint-keys",
    params(("kid" = String, Path, description = "The key")),
    request_body(content = Option<RetireWaitpointKey>, content_type = "application/json"),
    responses(
        (status = 200, body = WaitpointKey),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn retire(
    State(app): State<App>,
    Path(kid): Path<String>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<WaitpointKey>, Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let request: RetireWaitpointKey = body::json_or_empty(&headers, &bytes)?;
    let actor = request.actor.as_deref().unwrap_or(ACTOR_DEFAULT);
    app.engine.retire_waitpoint_key(&kid, actor).await??;
    // It may have been forgotten since.
    let key = app.engine.waitpoint_key(&kid).await?;
    Ok(Json(key.ok_or(KeyRetireRefusal::KeyNotFound(kid))?.into()))
}
