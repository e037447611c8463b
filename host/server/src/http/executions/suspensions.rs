//! The suspensions of an execution, and the signals it accepted.

use axum::extract::State;
use engine::ExecutionInfo;
use model::PublicState;

use crate::api::{OpenSuspension, Signals, Suspensions, Unreadable};
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging};
use crate::http::path::{Id, OfExecution};
use crate::http::problem::Problem;
use crate::http::query::InNamespace;

/// Lists the suspensions of an execution, oldest first.
///
/// A page ends after a MiB of conditions.
#[utoipa::path(
    get, path = "/v1/executions/{id}/suspensions", tag = "executions",
    params(OfExecution, InNamespace, Paging),
    responses((status = 200, body = Suspensions))
)]
pub async fn list(
    State(app): State<App>,
    Id(id): Id,
    list: ListRequest<InNamespace, u64>,
) -> Answer<Suspensions> {
    let namespace = list.filter.name();
    let engine = &app.engine;
    let found = engine.suspensions(id, namespace, list.after, list.limit);
    let found = found.await?.ok_or_else(|| Problem::no_execution(id))?;
    Ok(Json(Suspensions::new(found, |number| list.cursor(number))))
}

/// Lists the signals an execution accepted, in that order.
///
/// A page has at most 256, and ends after a MiB of payloads.
#[utoipa::path(
    get, path = "/v1/executions/{id}/signals", tag = "signals",
    params(OfExecution, InNamespace, Paging),
    responses((status = 200, body = Signals))
)]
pub async fn signals(
    State(app): State<App>,
    Id(id): Id,
    list: ListRequest<InNamespace, u64>,
) -> Answer<Signals> {
    let namespace = list.filter.name();
    let engine = &app.engine;
    let found = engine.signals(id, namespace, list.after, list.limit);
    let found = found.await?.ok_or_else(|| Problem::no_execution(id))?;
    Ok(Json(Signals::new(found, |number| list.cursor(number))))
}

/// Returns the open suspension of an execution with the waitpoints at which it waits, and
/// the rows of both that cannot be shown. `None` if the execution is not suspended, or no
/// longer.
pub async fn open(
    app: &App,
    info: &ExecutionInfo,
) -> Result<(Option<OpenSuspension>, Vec<Unreadable>), Problem> {
    if info.public_state != PublicState::Suspended {
        return Ok((None, Vec::new()));
    }
    let suspension = match app.engine.open_suspension(info.id).await {
        Ok(Some(suspension)) => suspension,
        Ok(None) => return Ok((None, Vec::new())),
        Err(error) => return Ok((None, vec![error.unreadable()?.into()])),
    };
    let waitpoints = app.engine.waitpoints_of(info.id, suspension.id).await?;
    let open = OpenSuspension {
        suspension: suspension.into(),
        waitpoints: waitpoints.rows.into_iter().map(Into::into).collect(),
    };
    let unreadable = waitpoints.unreadable.into_iter().map(Into::into).collect();
    Ok((Some(open), unreadable))
}
