//! `/v1/tokens`: which API keys there are. Their texts are never shown.

use axum::extract::State;
use engine::ApiKeyFilter;
use model::{ApiKeyRefusal, Scope};
use uuid::Uuid;

use crate::api::{ApiKey, ApiKeys};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging};
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::{FromQuery, Given, NoQuery};

/// Which API keys are listed.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhichKeys {
    /// Only the keys that have or had this name
    name: Option<String>,
    /// `true`: only those that are accepted now; also those that were revoked or have expired
    /// when absent
    #[param(value_type = Option<bool>)]
    accepted: bool,
}

impl FromQuery for WhichKeys {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        Ok(Self {
            name: given.name("name")?,
            accepted: given.value("accepted")?.unwrap_or(false),
        })
    }
}

/// Lists the API keys of the namespaces that you administer, the newest first.
#[utoipa::path(
    get, path = "/v1/tokens", tag = "tokens",
    params(WhichKeys, Paging),
    responses((status = 200, body = ApiKeys))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    list: ListRequest<WhichKeys, Uuid>,
) -> Answer<ApiKeys> {
    let filter = ApiKeyFilter {
        within: caller.scope().clone(),
        name: list.filter.name.clone(),
        accepted_only: list.filter.accepted,
    };
    let keys = app.engine.api_keys(&filter, list.after, list.limit).await?;
    Ok(Json(ApiKeys::new(keys, |id| list.cursor(id))))
}

/// Shows an API key.
#[utoipa::path(
    get, path = "/v1/tokens/{id}", tag = "tokens",
    params(("id" = String, Path, description = "The key")),
    responses((status = 200, body = ApiKey))
)]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: NoQuery,
) -> Answer<ApiKey> {
    let id = key_id(&id)?;
    Ok(Json(existing(&app, id, caller.scope()).await?.into()))
}

/// Reads an API key.
///
/// # Errors
/// There is none with this id within the scope.
pub async fn existing(app: &App, id: Uuid, within: &Scope) -> Result<engine::ApiKey, Problem> {
    let found = app.engine.api_key(id, within).await?;
    Ok(found.ok_or_else(|| ApiKeyRefusal::NotFound(id.to_string()))?)
}

/// Reads the id of a key in a path: a text that is none names no key.
pub fn key_id(text: &str) -> Result<Uuid, ApiKeyRefusal> {
    let id = text.parse();
    id.map_err(|_| ApiKeyRefusal::NotFound(model::quoted(text)))
}
