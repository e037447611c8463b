//! `/v1/lanes`: queues, and whether they take and serve work.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;

use crate::api::{Lanes, ProblemBody, SetLane};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::body;
use crate::http::page::List;
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Lists lanes by name, with their state and load.
#[utoipa::path(
    get, path = "/v1/lanes", tag = "lanes",
    params(
        ("limit" = Option<u32>, Query, description = "Rows of the page, 1 to 1000; 50 when absent"),
        ("after" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, body = Lanes),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(app): State<App>,
    list: List,
    mut query: Query,
) -> Result<Json<Lanes>, Problem> {
    let limit = query.limit()?;
    let after: Option<String> = list.after(&mut query)?;
    query.end()?;
    let lanes = app.engine.lanes(after.as_deref(), limit).await?;
    Ok(Json(Lanes::new(lanes, |name| list.cursor(name))))
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
