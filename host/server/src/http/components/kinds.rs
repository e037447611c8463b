//! `/v1/kinds`: which component handles which kind of execution.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::api::{DefineKind, DefinedKind, Kinds, ProblemBody, SetRoutes};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::body;
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Lists kinds and their routes.
#[utoipa::path(
    get, path = "/v1/kinds", tag = "kinds",
    responses(
        (status = 200, body = Kinds),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list(State(app): State<App>, query: Query) -> Result<Json<Kinds>, Problem> {
    query.end()?;
    Ok(Json(app.engine.kinds().await?.into()))
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
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn define(
    State(app): State<App>,
    Path(kind): Path<String>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<DefinedKind>), Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let DefineKind {} = body::json_or_empty(&headers, &bytes)?;
    model::kind_name(&kind)?;
    let new = app.engine.define_kind(&kind).await??;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(DefinedKind { name: kind, new })))
}

/// Replaces the routes of a kind, defining it if it is new.
///
/// Each execution of the kind goes to one of the components, as often as its
/// weight says. A component of the world `service` claims its executions itself:
/// no other may have a weight above zero beside it.
#[utoipa::path(
    put, path = "/v1/kinds/{kind}/routes", tag = "kinds",
    params(("kind" = String, Path, description = "The kind")),
    request_body = SetRoutes,
    responses(
        (status = 200, body = SetRoutes),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn route(
    State(app): State<App>,
    Path(kind): Path<String>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SetRoutes>, Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let request: SetRoutes = body::json(&headers, &bytes)?;
    model::kind_name(&kind)?;
    let routes = request
        .routes
        .iter()
        .map(|route| (route.digest, route.weight))
        .collect();
    app.engine.route(&kind, routes).await??;
    app.refresh();
    Ok(Json(request))
}
