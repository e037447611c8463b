//! `/v1/namespaces`: which namespaces have a share of their own.

use axum::extract::State;

use crate::api::{Namespaces, SetNamespace};
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::body::Body;
use crate::http::page::{ListRequest, Paging};
use crate::http::path::Path;
use crate::http::query::NoQuery;

/// Lists the namespaces that were given a weight, by name; every other one has 100.
#[utoipa::path(
    get, path = "/v1/namespaces", tag = "namespaces",
    params(Paging),
    responses((status = 200, body = Namespaces))
)]
pub async fn list(app: State<App>, list: ListRequest<(), String>) -> Answer<Namespaces> {
    let after = list.after.as_deref();
    let namespaces = app.engine.namespaces(after, list.limit).await?;
    Ok(Json(Namespaces::new(namespaces, |name| list.cursor(name))))
}

/// Gives a namespace its share of each lane.
#[utoipa::path(
    put, path = "/v1/namespaces/{namespace}", tag = "namespaces",
    params(("namespace" = String, Path, description = "The namespace")),
    request_body = SetNamespace,
    responses((status = 200, body = SetNamespace))
)]
pub async fn set(
    app: State<App>,
    Path(namespace): Path<String>,
    _: NoQuery,
    Body(request): Body<SetNamespace>,
) -> Answer<SetNamespace> {
    app.engine.set_namespace(&namespace, request.weight).await?;
    Ok(Json(request))
}
