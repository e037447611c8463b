//! `POST /v1/flows`: creates a flow, with its whole graph at once.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::graph::Wanted;
use crate::api::{ChangedFlow, CreateFlow};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Json, created_or_ok};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::http::transport::headers;

/// Creates a flow.
///
/// Members, edges and groups are made in one step: all of them, or nothing. Members that wait
/// for no other one may run immediately. A request with an idempotency key or an id seen
/// before makes nothing and answers 200 with the first flow, unless the requests differ. The
/// body has at most 48 MiB, and the inputs of all members together 32 MiB.
#[utoipa::path(
    post, path = "/v1/flows", tag = "flows",
    params(
        ("idempotency-key" = Option<String>, Header, description = "Makes the request repeatable"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context, passed to the handlers of the members"),
    ),
    request_body = CreateFlow,
    responses(
        (status = 201, body = ChangedFlow, description = "Created; `Location` names it", headers(("location" = String))),
        (status = 200, body = ChangedFlow, description = "The idempotency key or the id was used before with the same request"),
    )
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    headers: HeaderMap,
    Body(request): Body<CreateFlow>,
) -> Result<Response, Problem> {
    let mut create = engine::CreateFlow::new(request.kind);
    if let Some(namespace) = caller.within(request.namespace.as_deref())? {
        create.namespace = namespace;
    }
    create.id = request.id;
    create.creator = caller.creator(request.creator.as_deref())?;
    create.idempotency_key = headers::idempotency_key(&headers, request.idempotency_key)?;
    create.tags = request.tags;
    create.cancellation_policy = request.cancellation_policy;
    let wanted = Wanted {
        members: request.members,
        added: Vec::new(),
        edges: request.edges,
        groups: request.groups,
    };
    create.graph = wanted.asked_by(&caller, &headers)?;
    let changed = app.engine.create_flow(create).await?;
    let location = format!("/v1/flows/{}", changed.id);
    let status = created_or_ok(changed.applied);
    let mut response = (status, Json(ChangedFlow::from(changed))).into_response();
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
