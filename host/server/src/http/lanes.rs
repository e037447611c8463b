//! `/v1/lanes`: queues, and whether they take and serve work.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use engine::Lane;
use serde::Serialize;

use super::App;
use super::body;
use super::problem::Problem;
use super::query::Query;
use crate::api::{self, ProblemBody, SetLane};

/// [`api::Lanes`] as the server writes it.
#[derive(Serialize)]
pub struct Lanes {
    lanes: Vec<Lane>,
}

/// Lists lanes with their state and load.
#[utoipa::path(
    get, path = "/v1/lanes", tag = "lanes",
    responses(
        (status = 200, body = api::Lanes),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list(State(app): State<App>, query: Query) -> Result<Json<Lanes>, Problem> {
    query.end()?;
    let lanes = app.engine.lanes().await?;
    Ok(Json(Lanes { lanes }))
}

/// Sets the state of a lane and its share of service, defining it if it is new.
#[utoipa::path(
    put, path = "/v1/lanes/{lane}", tag = "lanes",
    params(("lane" = String, Path, description = "The lane")),
    request_body = SetLane,
    responses(
        (status = 200, body = SetLane),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn set(
    State(app): State<App>,
    Path(lane): Path<String>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SetLane>, Problem> {
    query.end()?;
    let bytes = app.small_body().read(&headers, body).await?;
    let request: SetLane = body::json(&headers, &bytes)?;
    model::lane_name(&lane)?;
    app.engine
        .set_lane(&lane, request.state, request.weight)
        .await??;
    Ok(Json(request))
}
