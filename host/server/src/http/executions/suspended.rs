//! `/v1/suspended`: executions that wait for a signal, and for what.

use axum::extract::State;

use crate::api::{ProblemBody, SuspendedExecutions};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::page::{List, Position};
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Lists suspended executions, those that have waited longest coming first.
#[utoipa::path(
    get, path = "/v1/suspended", tag = "executions",
    params(
        ("namespace" = Option<String>, Query, description = "In this namespace"),
        ("limit" = Option<u32>, Query, description = "Rows of the page, 1 to 1000; 50 when absent"),
        ("after" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, body = SuspendedExecutions),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn suspended(
    State(app): State<App>,
    list: List,
    mut query: Query,
) -> Result<Json<SuspendedExecutions>, Problem> {
    let namespace = query.namespace()?;
    let limit = query.limit()?;
    let after: Option<Position> = list.after(&mut query)?;
    query.end()?;
    let after = after.map(|Position(at, id)| (at, id));
    let executions = app
        .engine
        .list_suspended(namespace.as_deref(), after, limit)
        .await?;
    Ok(Json(SuspendedExecutions::new(executions, |(at, id)| {
        list.cursor(Position(*at, *id))
    })))
}
