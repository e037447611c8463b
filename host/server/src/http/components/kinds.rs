//! `/v1/kinds`: which component handles which kind of execution.

use axum::extract::State;
use axum::http::StatusCode;

use crate::api::{DefineKind, DefinedKind, Kinds, SetRoutes};
use crate::http::App;
use crate::http::answer::{Answer, Json, created_or_ok};
use crate::http::body::{Body, OptionalBody};
use crate::http::page::{ListRequest, Paging};
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;

/// Lists kinds by name, with their routes.
#[utoipa::path(
    get, path = "/v1/kinds", tag = "kinds",
    params(Paging),
    responses((status = 200, body = Kinds))
)]
pub async fn list(app: State<App>, list: ListRequest<(), String>) -> Answer<Kinds> {
    let after = list.after.as_deref();
    let kinds = app.engine.kinds(after, list.limit).await?;
    Ok(Json(Kinds::new(kinds, |name| list.cursor(name))))
}

/// Defines a kind that no component handles, for workers outside this host.
///
/// Defining it again changes nothing.
#[utoipa::path(
    put, path = "/v1/kinds/{kind}", tag = "kinds",
    params(("kind" = String, Path, description = "The kind")),
    request_body(content = Option<DefineKind>, content_type = "application/json"),
    responses(
        (status = 201, body = DefinedKind, description = "New"),
        (status = 200, body = DefinedKind, description = "Was defined before"),
    )
)]
pub async fn define(
    app: State<App>,
    Path(kind): Path<String>,
    _: NoQuery,
    OptionalBody(DefineKind {}): OptionalBody<DefineKind>,
) -> Result<(StatusCode, Json<DefinedKind>), Problem> {
    model::kind_name(&kind)?;
    let new = app.engine.define_kind(&kind).await?;
    let status = created_or_ok(new);
    Ok((status, Json(DefinedKind { name: kind, new })))
}

/// Replaces the routes of a kind, defining it if it is new.
///
/// Each execution of the kind is run by one of the components, as often as its
/// weight says. A component of the world `service` claims its executions itself:
/// no other may have a weight above zero beside it.
#[utoipa::path(
    put, path = "/v1/kinds/{kind}/routes", tag = "kinds",
    params(("kind" = String, Path, description = "The kind")),
    request_body = SetRoutes,
    responses((status = 200, body = SetRoutes))
)]
pub async fn route(
    app: State<App>,
    Path(kind): Path<String>,
    _: NoQuery,
    Body(request): Body<SetRoutes>,
) -> Answer<SetRoutes> {
    model::kind_name(&kind)?;
    let routes = request
        .routes
        .iter()
        .map(|route| (route.digest, route.weight))
        .collect();
    app.engine.route(&kind, routes).await?;
    app.refresh();
    Ok(Json(request))
}
