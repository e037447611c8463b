//! The suspensions of an execution, and the signals it accepted.

use axum::extract::State;
use engine::{ExecutionInfo, SuspensionInfo};
use model::{Limits, PublicState, SignalId};

use crate::api::{OpenSuspension, Signals, Suspensions, Unreadable};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::page::{ListRequest, Paging};
use crate::http::path::{Id, OfExecution};
use crate::http::problem::Problem;
use crate::http::query::{InNamespace, Query};

/// Lists the suspensions of an execution, oldest first.
#[utoipa::path(
    get, path = "/v1/executions/{id}/suspensions", tag = "signals",
    params(OfExecution, InNamespace),
    responses((status = 200, body = Suspensions))
)]
pub async fn list(
    State(app): State<App>,
    Id(id): Id,
    Query(within): Query<InNamespace>,
) -> Result<Json<Suspensions>, Problem> {
    let namespace = within.name();
    let found = app
        .engine
        .suspensions(id, namespace, Limits::PAGE_MAX)
        .await?;
    let suspensions = found.ok_or_else(|| Problem::no_execution(id))?;
    Ok(Json(suspensions.into()))
}

/// Lists the signals an execution accepted, in that order.
///
/// No page has more than 256, or more than a MiB.
#[utoipa::path(
    get, path = "/v1/executions/{id}/signals", tag = "signals",
    params(OfExecution, InNamespace, Paging),
    responses((status = 200, body = Signals))
)]
pub async fn signals(
    State(app): State<App>,
    Id(id): Id,
    list: ListRequest<InNamespace, SignalId>,
) -> Result<Json<Signals>, Problem> {
    let limit = list.limit.min(Limits::SIGNALS_MAX);
    let namespace = list.filter.name();
    let found = app.engine.signals(id, namespace, list.after, limit).await?;
    let found = found.ok_or_else(|| Problem::no_execution(id))?;
    Ok(Json(Signals::new(found, |last| list.cursor(last))))
}

/// Returns the open suspension of an execution with the waitpoints it waits at, and the
/// rows of both that cannot be shown. `None` if the execution is not suspended, or no
/// longer.
pub async fn open(
    app: &App,
    info: &ExecutionInfo,
) -> Result<(Option<OpenSuspension>, Vec<Unreadable>), Problem> {
    if info.public_state != PublicState::Suspended {
        return Ok((None, Vec::new()));
    }
    // The open one is the last.
    let suspensions = app.engine.suspensions(info.id, None, 1).await?;
    let Some(suspensions) = suspensions else {
        return Ok((None, Vec::new()));
    };
    let each = |rows: Vec<engine::Unreadable>| rows.into_iter().map(Into::into).collect();
    let mut unreadable = suspensions.unreadable;
    let lasts = |suspension: &SuspensionInfo| suspension.closed_at.is_none();
    let Some(suspension) = suspensions.rows.into_iter().rfind(lasts) else {
        return Ok((None, each(unreadable)));
    };
    let waitpoints = app.engine.waitpoints(info.id, None).await?;
    let waitpoints = waitpoints.unwrap_or_default();
    unreadable.extend(waitpoints.unreadable);
    let waitpoints = waitpoints
        .rows
        .into_iter()
        .filter(|waitpoint| waitpoint.suspension_id == Some(suspension.id))
        .map(Into::into)
        .collect();
    let open = OpenSuspension {
        suspension: suspension.into(),
        waitpoints,
    };
    Ok((Some(open), each(unreadable)))
}
