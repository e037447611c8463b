//! `/v1/lanes`: queues, and whether they take and serve work.

use axum::extract::State;
use model::Scope;

use crate::api::{Lanes, SetLane};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{Answer, Json};
use crate::http::body::Body;
use crate::http::page::{ListRequest, Paging};
use crate::http::path::Path;
use crate::http::query::NoQuery;

/// Lists lanes by name, with their state, and their load in the namespaces that the caller
/// may read.
#[utoipa::path(
    get, path = "/v1/lanes", tag = "lanes",
    params(Paging),
    responses((status = 200, body = Lanes))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    list: ListRequest<(), String>,
) -> Answer<Lanes> {
    let after = list.after.as_deref();
    let namespaces: Option<Vec<String>> = match caller.scope() {
        Scope::Everywhere => None,
        Scope::Namespaces(namespaces) => Some(namespaces.iter().cloned().collect()),
    };
    let lanes = app.engine.lanes(namespaces.as_deref(), after, list.limit);
    let lanes = lanes.await?;
    Ok(Json(Lanes::new(lanes, |name| list.cursor(name))))
}

/// Sets the state of a lane and its share of service, defining it if it is new.
#[utoipa::path(
    put, path = "/v1/lanes/{lane}", tag = "lanes",
    params(("lane" = String, Path, description = "The lane")),
    request_body = SetLane,
    responses((status = 200, body = SetLane))
)]
pub async fn set(
    State(app): State<App>,
    Path(lane): Path<String>,
    _: NoQuery,
    Body(request): Body<SetLane>,
) -> Answer<SetLane> {
    model::lane_name(&lane)?;
    app.engine
        .set_lane(&lane, request.state, request.weight)
        .await?;
    Ok(Json(request))
}
