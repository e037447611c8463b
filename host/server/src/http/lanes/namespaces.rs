//! `/v1/namespaces`: which namespaces have a share of their own.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;

use crate::api::{Namespaces, ProblemBody, SetNamespace};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::body;
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Lists the namespaces that were given a weight; every other one has 100.
#[utoipa::path(
    get, path = "/v1/namespaces", tag = "lanes",
    responses(
        (status = 200, body = Namespaces),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list(State(app): State<App>, query: Query) -> Result<Json<Namespaces>, Problem> {
    query.end()?;
    Ok(Json(app.engine.namespaces().await?.into()))
}

/// Gives a namespace its share of each lane.
#[utoipa::path(
    put, path = "/v1/namespaces/{namespace}", tag = "lanes",
    params(("namespace" = String, Path, description = "The namespace")),
    request_body = SetNamespace,
    responses(
        (status = 200, body = SetNamespace),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn set(
    State(app): State<App>,
    Path(namespace): Path<String>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SetNamespace>, Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let request: SetNamespace = body::json(&headers, &bytes)?;
    app.engine
        .set_namespace(&namespace, request.weight)
        .await??;
    Ok(Json(request))
}
