//! `GET /v1/flows/{id}`, and the flow of an execution.

use axum::extract::State;
use engine::FlowInfo;
use model::{FlowId, FlowRefusal};

use crate::api::{Flow, FlowOf};
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::operator;
use crate::http::path::{Id, IdOfFlow, OfExecution, OfFlow};
use crate::http::problem::Problem;
use crate::http::query::{InNamespace, Query};

/// Shows a flow: its state, and how many of its members are in which state.
#[utoipa::path(
    get, path = "/v1/flows/{id}", tag = "flows",
    params(OfFlow, InNamespace),
    responses((status = 200, body = Flow))
)]
pub async fn get(
    State(app): State<App>,
    IdOfFlow(id): IdOfFlow,
    Query(within): Query<InNamespace>,
) -> Answer<Flow> {
    let info = existing(&app, id, within.name()).await?;
    let counters = app.engine.flow_counters(id).await?;
    Ok(Json(Flow::new(info, counters)))
}

/// Shows to which flow an execution belongs, and whether the flow lets it run.
#[utoipa::path(
    get, path = "/v1/executions/{id}/flow", tag = "executions",
    params(OfExecution, InNamespace),
    responses((status = 200, body = FlowOf))
)]
pub async fn of_execution(
    State(app): State<App>,
    Id(id): Id,
    Query(within): Query<InNamespace>,
) -> Answer<FlowOf> {
    let info = operator::existing(&app, id, within.name()).await?;
    let eligibility = app.engine.flow_eligibility(id, within.name()).await?;
    Ok(Json(FlowOf {
        flow_id: info.flow_id,
        eligibility,
    }))
}

/// Reads a flow.
///
/// # Errors
/// There is none with this id, or not in this namespace.
pub async fn existing(app: &App, id: FlowId, namespace: Option<&str>) -> Result<FlowInfo, Problem> {
    let found = app.engine.flow(id, namespace).await?;
    Ok(found.ok_or(FlowRefusal::NotFound)?)
}
