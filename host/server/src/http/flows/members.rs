//! `GET /v1/flows/{id}/members`: a page of the members of a flow, with their states.

use axum::extract::State;
use model::ExecutionId;

use super::get::existing;
use crate::api::FlowMembers;
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging};
use crate::http::path::{IdOfFlow, OfFlow};
use crate::http::query::InNamespace;

/// Lists the members of a flow in the order of their creation, each with what its group of
/// edges has come to.
#[utoipa::path(
    get, path = "/v1/flows/{id}/members", tag = "flows",
    params(OfFlow, InNamespace, Paging),
    responses((status = 200, body = FlowMembers))
)]
pub async fn list(
    State(app): State<App>,
    IdOfFlow(id): IdOfFlow,
    list: ListRequest<InNamespace, ExecutionId>,
) -> Answer<FlowMembers> {
    let flow = existing(&app, id, list.filter.name()).await?;
    let members = app.engine.flow_members(&flow, list.after, list.limit);
    Ok(Json(FlowMembers::new(members.await?, |id| list.cursor(id))))
}
