//! `/v1/leases/children` and the results that the holder of a lease is given by others of its
//! flow.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use engine::Engine;
use model::{ExecutionId, Fence, FlowRefusal};

use super::graph::Wanted;
use crate::api::{ChangedFlow, GivenResults, ListResults, ReadResult, StartChildren};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json};
use crate::http::body::Body;
use crate::http::executions::get::bytes_of;
use crate::http::leases::verbs::held;
use crate::http::problem::{Code, Problem};
use crate::http::query::NoQuery;

/// Starts children of the execution that a lease is on.
///
/// They become members of its flow, which is made where it has none. A repeat finds children
/// of the same name again, so an attempt that is tried again starts nothing twice.
#[utoipa::path(
    post, path = "/v1/leases/children", tag = "leases",
    params(
        ("traceparent" = Option<String>, Header, description = "W3C trace context, passed to the handlers of the children"),
    ),
    request_body = StartChildren,
    responses((status = 200, body = ChangedFlow))
)]
pub async fn start(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    headers: HeaderMap,
    Body(request): Body<StartChildren>,
) -> Answer<ChangedFlow> {
    let fence = fence_of(&app, &caller, &request.lease).await?;
    let wanted = Wanted {
        members: request.members,
        added: Vec::new(),
        edges: request.edges,
        groups: request.groups,
    };
    let start = engine::StartChildren {
        fence,
        graph: wanted.asked_by(&caller, &headers)?,
    };
    let changed = app.engine.start_children(start).await?;
    Ok(Json(changed.into()))
}

/// Lists what the holder of a lease is given: children of its execution, and results that edges
/// pass to it.
#[utoipa::path(
    post, path = "/v1/leases/results", tag = "leases",
    request_body = ListResults,
    responses((status = 200, body = GivenResults))
)]
pub async fn results(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<ListResults>,
) -> Answer<GivenResults> {
    let fence = fence_of(&app, &caller, &request.lease).await?;
    must_hold(&app.engine, fence).await?;
    Ok(Json(given(&app.engine, fence.execution_id).await?))
}

/// Returns the result of a child, or one that an edge passes to the execution: its bytes, with
/// their own media type.
#[utoipa::path(
    post, path = "/v1/leases/result", tag = "leases",
    request_body = ReadResult,
    responses(
        (status = 200, description = "The result", content(
            (serde_json::Value = "*/*"),
            (crate::api::RawBytes = "application/octet-stream"),
        )),
    )
)]
pub async fn result(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<ReadResult>,
) -> Result<Response, Problem> {
    let fence = fence_of(&app, &caller, &request.lease).await?;
    must_hold(&app.engine, fence).await?;
    let id = request.execution_id;
    let given = given(&app.engine, fence.execution_id).await?;
    let children = given.children.iter().map(|child| child.execution_id);
    let inputs = given.inputs.iter().map(|input| input.execution_id);
    if !children.chain(inputs).any(|it| it == id) {
        return Err(FlowRefusal::ExecutionNotInFlow(id.to_string()).into());
    }
    let Some(payload) = app.engine.result(id, None).await? else {
        let detail = format!("execution {id} has no result, or none yet");
        return Err(Problem::new(Code::NoResult, detail));
    };
    Ok(bytes_of(payload))
}

/// Reads the children of an execution, and what is passed to it.
pub async fn given(engine: &Engine, id: ExecutionId) -> Result<GivenResults, Problem> {
    let children = engine.children(id).await?;
    let inputs = engine.flow_inputs(id).await?;
    Ok(GivenResults {
        children: children.into_iter().map(Into::into).collect(),
        inputs: inputs.into_iter().map(Into::into).collect(),
    })
}

async fn must_hold(engine: &Engine, fence: Fence) -> Result<(), Problem> {
    let mut held = engine.check(&[fence]).await?;
    held.pop().expect("invariant: a verdict for each fence")?;
    Ok(())
}

async fn fence_of(app: &App, caller: &Caller, lease: &str) -> Result<Fence, Problem> {
    let signer = app.engine.handle_signer().await?;
    held(signer, caller.scope(), lease)
}
