//! `POST /v1/flows/{id}/members`: adds members, edges and groups to a flow.

use axum::extract::State;
use axum::http::HeaderMap;
use model::check_range;

use super::graph::Wanted;
use crate::api::{ChangedFlow, EPOCH_MAX, GrowFlow};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json};
use crate::http::body::Body;
use crate::http::path::{IdOfFlow, OfFlow};
use crate::http::query::{InNamespace, Query};

/// Adds to the graph of a flow.
///
/// New members, executions that exist, edges and groups are added in one step: all of them, or
/// nothing. Edges lead to members that have not started. A repeat of a request whose new members
/// have names finds them again.
#[utoipa::path(
    post, path = "/v1/flows/{id}/members", tag = "flows",
    params(
        OfFlow,
        InNamespace,
        ("traceparent" = Option<String>, Header, description = "W3C trace context, passed to the handlers of the new members"),
    ),
    request_body = GrowFlow,
    responses((status = 200, body = ChangedFlow))
)]
pub async fn grow(
    State(app): State<App>,
    IdOfFlow(id): IdOfFlow,
    caller: Caller,
    Query(InNamespace { namespace }): Query<InNamespace>,
    headers: HeaderMap,
    Body(request): Body<GrowFlow>,
) -> Answer<ChangedFlow> {
    if let Some(revision) = request.expected_graph_revision {
        check_range("expected_graph_revision", revision, 0..=EPOCH_MAX)?;
    }
    let actor = caller.actor(request.actor.as_deref())?;
    let wanted = Wanted {
        members: request.members,
        added: request.added,
        edges: request.edges,
        groups: request.groups,
    };
    let grow = engine::GrowFlow {
        id,
        namespace,
        expected_graph_revision: request.expected_graph_revision,
        graph: wanted.asked_by(&caller, &headers)?,
        holder: None,
        actor,
    };
    let changed = app.engine.grow_flow(grow).await?;
    Ok(Json(changed.into()))
}
