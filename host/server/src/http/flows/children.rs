//! `GET /v1/executions/{id}/children`: what an execution has started, and what it is given.

use axum::extract::State;

use super::held::given;
use crate::api::GivenResults;
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::operator::existing;
use crate::http::path::{Id, OfExecution};
use crate::http::query::{InNamespace, Query};

/// Shows the executions that the attempts of one have started, and the results that edges of
/// its flow pass to it.
#[utoipa::path(
    get, path = "/v1/executions/{id}/children", tag = "executions",
    params(OfExecution, InNamespace),
    responses((status = 200, body = GivenResults))
)]
pub async fn list(
    State(app): State<App>,
    Id(id): Id,
    Query(within): Query<InNamespace>,
) -> Answer<GivenResults> {
    existing(&app, id, within.name()).await?;
    Ok(Json(given(&app.engine, id).await?))
}
