//! `/v1/webhooks`: makes, changes, pauses, resumes, tries and deletes webhooks. An answer with
//! the secret of a webhook is the only place that it is ever shown in.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use egress::Target;
use engine::WebhookSecret;
use model::Invalid;

use super::list::{existing, webhook_id};
use crate::api::{
    CreateWebhook, CreatedWebhook, PauseWebhook, ResumeWebhook, RotateWebhookSecret, TestedWebhook,
    UpdateWebhook, Webhook,
};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::Json;
use crate::http::body::{Body, OptionalBody};
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::{InNamespace, NoQuery, Query};
use crate::http::waitpoints::operate::NO_STORE;
use crate::webhook;

type Made = (
    StatusCode,
    [(HeaderName, HeaderValue); 1],
    Json<CreatedWebhook>,
);

/// Creates a webhook, which is delivered from now on.
///
/// The answer has its secret, which is shown once. A repeat is refused because the name is
/// taken. A URL whose host is at an address that may not be reached is refused; one whose
/// host cannot be resolved now is not.
#[utoipa::path(
    post, path = "/v1/webhooks", tag = "webhooks",
    request_body = CreateWebhook,
    responses((status = 201, body = CreatedWebhook))
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<CreateWebhook>,
) -> Result<Made, Problem> {
    let namespace = caller.within(request.namespace.as_deref())?;
    check_url(&app, &request.url).await?;
    let create = engine::CreateWebhook {
        name: request.name,
        namespace: namespace.clone(),
        family: request.family,
        filter: request.filter.unwrap_or_default().into(),
        url: request.url,
        secret: read_secret(request.secret.as_deref())?,
        from_beginning: request.from_beginning,
        actor: caller.actor(request.actor.as_deref())?,
    };
    let created = app.engine.create_webhook(create).await?;
    made(&app, StatusCode::CREATED, created, namespace.as_deref()).await
}

/// Changes where and which events are sent, from the next event on.
#[utoipa::path(
    patch, path = "/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook"), InNamespace),
    request_body = UpdateWebhook,
    responses((status = 200, body = Webhook))
)]
pub async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(within): Query<InNamespace>,
    Body(request): Body<UpdateWebhook>,
) -> Result<Json<Webhook>, Problem> {
    let id = webhook_id(&id)?;
    if let Some(url) = &request.url {
        check_url(&app, url).await?;
    }
    let update = engine::UpdateWebhook {
        url: request.url,
        filter: request.filter.map(Into::into),
        actor: caller.actor(request.actor.as_deref())?,
    };
    let updated = app.engine.update_webhook(id, within.name(), update).await?;
    Ok(Json(updated.into()))
}

/// Stops the delivery of a webhook after the present try. Its place in the log is kept.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/pause", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook"), InNamespace),
    request_body(content = Option<PauseWebhook>, content_type = "application/json"),
    responses((status = 200, body = Webhook))
)]
pub async fn pause(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(within): Query<InNamespace>,
    OptionalBody(request): OptionalBody<PauseWebhook>,
) -> Result<Json<Webhook>, Problem> {
    let id = webhook_id(&id)?;
    let actor = caller.actor(request.actor.as_deref())?;
    let reason = request.reason.as_deref();
    let paused = app
        .engine
        .pause_webhook(id, within.name(), reason, &actor)
        .await?;
    Ok(Json(paused.into()))
}

/// Has a webhook delivered from where it stood, immediately.
///
/// If events there are not kept any more, a message `webhook.missed` says so, and the oldest
/// event that is kept follows.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/resume", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook"), InNamespace),
    request_body(content = Option<ResumeWebhook>, content_type = "application/json"),
    responses((status = 200, body = Webhook))
)]
pub async fn resume(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(within): Query<InNamespace>,
    OptionalBody(request): OptionalBody<ResumeWebhook>,
) -> Result<Json<Webhook>, Problem> {
    let id = webhook_id(&id)?;
    let actor = caller.actor(request.actor.as_deref())?;
    let resumed = app.engine.resume_webhook(id, within.name(), &actor).await?;
    Ok(Json(resumed.into()))
}

/// Gives a webhook another secret. The one before signs too for the overlap.
///
/// The answer has the new secret, which is shown once; a repeat is another rotation.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/rotate", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook"), InNamespace),
    request_body(content = Option<RotateWebhookSecret>, content_type = "application/json"),
    responses((status = 200, body = CreatedWebhook))
)]
pub async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(within): Query<InNamespace>,
    OptionalBody(request): OptionalBody<RotateWebhookSecret>,
) -> Result<Made, Problem> {
    let id = webhook_id(&id)?;
    let secret = read_secret(request.secret.as_deref())?;
    let actor = caller.actor(request.actor.as_deref())?;
    let rotated =
        app.engine
            .rotate_webhook_secret(id, within.name(), secret, request.overlap_ms, &actor);
    made(&app, StatusCode::OK, rotated.await?, within.name()).await
}

/// Deletes a webhook with its secret and its place in the log.
#[utoipa::path(
    delete, path = "/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook"), InNamespace),
    responses((status = 204, description = "Deleted"))
)]
pub async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(within): Query<InNamespace>,
) -> Result<StatusCode, Problem> {
    let deleted = app.engine.delete_webhook(webhook_id(&id)?, within.name());
    deleted.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a `webhook.ping` to the receiver of a webhook, in any state, and returns what it
/// answered. Nothing is recorded.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/test", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook"), InNamespace),
    responses((status = 200, body = TestedWebhook))
)]
pub async fn test(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(within): Query<InNamespace>,
) -> Result<Json<TestedWebhook>, Problem> {
    let test = app.engine.test_webhook(webhook_id(&id)?, within.name());
    let engine::TestWebhook {
        webhook,
        secrets,
        now,
    } = test.await?;
    let ping = webhook::ping(webhook.id, now);
    let sent = ping.send(&app.egress, &webhook.url, &secrets, now).await;
    Ok(Json(TestedWebhook {
        accepted: sent.error.is_none(),
        status: sent.status,
        error: sent.error,
    }))
}

async fn made(
    app: &App,
    status: StatusCode,
    created: engine::CreatedWebhook,
    within: Option<&str>,
) -> Result<Made, Problem> {
    let webhook = existing(app, created.id, within).await?.into();
    let secret = created.secret.reveal();
    Ok((status, NO_STORE, Json(CreatedWebhook { secret, webhook })))
}

/// Checks a URL, and that its host is not at an address that may not be reached. That its
/// host cannot be resolved at the moment refuses nothing.
async fn check_url(app: &App, url: &str) -> Result<(), Invalid> {
    let target: Target = url
        .parse()
        .map_err(|error: egress::TargetError| Invalid::new("url", error.to_string()))?;
    match app.egress.vet(&target).await {
        Err(blocked @ egress::Error::BlockedAddress { .. }) => {
            Err(Invalid::new("url", blocked.to_string()))
        }
        _ => Ok(()),
    }
}

fn read_secret(text: Option<&str>) -> Result<Option<WebhookSecret>, Invalid> {
    text.map(WebhookSecret::parse).transpose()
}
