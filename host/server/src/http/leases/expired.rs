//! `/v1/leases/expired`: leases that have lapsed and were not taken back yet.

use axum::extract::State;

use crate::api::{ExpiredLeases, ProblemBody};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::page::{List, Position};
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Lists leases that have lapsed and were not taken back yet.
///
/// Every host takes lapsed leases back once a second, so this is empty but for
/// moments, unless no host runs its sweeps.
#[utoipa::path(
    get, path = "/v1/leases/expired", tag = "executions",
    params(
        ("namespace" = Option<String>, Query, description = "In this namespace"),
        ("limit" = Option<u32>, Query, description = "Rows of the page, 1 to 1000; 50 when absent"),
        ("after" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, body = ExpiredLeases),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn expired(
    State(app): State<App>,
    list: List,
    mut query: Query,
) -> Result<Json<ExpiredLeases>, Problem> {
    let namespace = query.namespace()?;
    let limit = query.limit()?;
    let after: Option<Position> = list.after(&mut query)?;
    query.end()?;
    let leases = app
        .engine
        .list_expired_leases(
            namespace.as_deref(),
            after.map(|Position(at, id)| (at, id)),
            limit,
        )
        .await?;
    Ok(Json(ExpiredLeases::new(leases, |(at, id)| {
        list.cursor(Position(*at, *id))
    })))
}
