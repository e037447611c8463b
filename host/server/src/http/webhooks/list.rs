//! `/v1/webhooks`: which webhooks there are, and how they stand. Their secrets are never
//! shown.

use axum::extract::State;
use model::WebhookRefusal;
use uuid::Uuid;

use crate::api::{Webhook, Webhooks};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::page::{ListRequest, Paging};
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::{InNamespace, Query};

/// Lists webhooks, the newest first.
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "webhooks",
    params(InNamespace, Paging),
    responses((status = 200, body = Webhooks))
)]
pub async fn list(
    State(app): State<App>,
    list: ListRequest<InNamespace, Uuid>,
) -> Result<Json<Webhooks>, Problem> {
    let within = list.filter.name();
    let webhooks = app.engine.webhooks(within, list.after, list.limit).await?;
    Ok(Json(Webhooks::new(webhooks, |id| list.cursor(id))))
}

/// Shows a webhook: where it stands, and how its last try ended.
#[utoipa::path(
    get, path = "/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook"), InNamespace),
    responses((status = 200, body = Webhook))
)]
pub async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(within): Query<InNamespace>,
) -> Result<Json<Webhook>, Problem> {
    let webhook = existing(&app, webhook_id(&id)?, within.name()).await?;
    Ok(Json(webhook.into()))
}

/// Reads a webhook.
///
/// # Errors
/// There is none with this id within the namespace.
pub async fn existing(
    app: &App,
    id: Uuid,
    within: Option<&str>,
) -> Result<engine::Webhook, Problem> {
    let found = app.engine.webhook(id, within).await?;
    Ok(found.ok_or_else(|| WebhookRefusal::NotFound(id.to_string()))?)
}

/// Reads the id of a webhook in a path: a text that is none names no webhook.
pub fn webhook_id(text: &str) -> Result<Uuid, WebhookRefusal> {
    let id = text.parse();
    id.map_err(|_| WebhookRefusal::NotFound(model::quoted(text)))
}
