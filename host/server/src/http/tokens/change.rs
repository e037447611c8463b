//! `/v1/tokens`: makes, rotates and revokes API keys. An answer with the text of a key is the
//! only place that it is ever shown in.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use model::{ApiKeyRefusal, RoleGrant, Scope, may_grant};

use super::list::{existing, key_id};
use crate::api::{ApiKey, CreateApiKey, CreatedApiKey, RevokeApiKey, RotateApiKey};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json};
use crate::http::body::{Body, OptionalBody};
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::http::waitpoints::operate::NO_STORE;

type Made = ([(HeaderName, HeaderValue); 1], Json<CreatedApiKey>);

/// Makes an API key, for a role and a namespace that you hold yourself.
///
/// The answer has its text, which is shown once; the database keeps its hash. A repeat is
/// refused because the name is taken.
#[utoipa::path(
    post, path = "/v1/tokens", tag = "tokens",
    request_body = CreateApiKey,
    responses((status = 201, body = CreatedApiKey))
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<CreateApiKey>,
) -> Result<
    (
        StatusCode,
        [(HeaderName, HeaderValue); 1],
        Json<CreatedApiKey>,
    ),
    Problem,
> {
    let create = engine::CreateApiKey {
        name: request.name,
        grant: RoleGrant {
            role: request.role,
            namespace: request.namespace,
        },
        expires_in_ms: request.expires_in_ms,
        actor: caller.actor(request.actor.as_deref())?,
    };
    check_grant(&caller, &create.grant)?;
    let created = app.engine.create_api_key(create).await?;
    let (no_store, shown) = made(&app, created, caller.scope()).await?;
    Ok((StatusCode::CREATED, no_store, shown))
}

/// Draws another text for an API key, which keeps its id, name and role.
///
/// The texts before are accepted for the overlap and no longer, on every host. The answer has
/// the new text, which is shown once; a repeat is another rotation.
#[utoipa::path(
    post, path = "/v1/tokens/{id}/rotate", tag = "tokens",
    params(("id" = String, Path, description = "The key")),
    request_body(content = Option<RotateApiKey>, content_type = "application/json"),
    responses((status = 200, body = CreatedApiKey))
)]
pub async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: NoQuery,
    OptionalBody(request): OptionalBody<RotateApiKey>,
) -> Result<Made, Problem> {
    let (id, within) = (key_id(&id)?, caller.scope());
    let key = existing(&app, id, within).await?;
    // The new text opens what the key does: it is made like another key.
    let grant = RoleGrant {
        role: key.role,
        namespace: key.namespace,
    };
    check_grant(&caller, &grant)?;
    let rotated = app.engine.rotate_api_key(id, within, request.overlap_ms);
    made(&app, rotated.await?, within).await
}

/// Refuses every text of an API key from now on, on every host.
///
/// A repeat changes nothing and is answered as the first was.
#[utoipa::path(
    post, path = "/v1/tokens/{id}/revoke", tag = "tokens",
    params(("id" = String, Path, description = "The key")),
    request_body(content = Option<RevokeApiKey>, content_type = "application/json"),
    responses((status = 200, body = ApiKey))
)]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: NoQuery,
    OptionalBody(request): OptionalBody<RevokeApiKey>,
) -> Answer<ApiKey> {
    let id = key_id(&id)?;
    let actor = caller.actor(request.actor.as_deref())?;
    let revoked = app.engine.revoke_api_key(id, caller.scope(), &actor);
    let revoked = revoked.await?;
    Ok(Json(revoked.into()))
}

async fn made(app: &App, created: engine::CreatedApiKey, within: &Scope) -> Result<Made, Problem> {
    let key = existing(app, created.id, within).await?.into();
    let text = created.text.reveal().to_owned();
    Ok((NO_STORE, Json(CreatedApiKey { text, key })))
}

/// Checks that the caller may make a key that holds this.
fn check_grant(maker: &Caller, grant: &RoleGrant) -> Result<(), ApiKeyRefusal> {
    if may_grant(maker.principal(), grant) {
        Ok(())
    } else {
        Err(ApiKeyRefusal::NotHeld(grant.clone()))
    }
}
