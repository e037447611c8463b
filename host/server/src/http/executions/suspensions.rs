//! What an execution waited and waits for, and the signals it accepted.

use axum::extract::State;
use engine::{ExecutionInfo, SuspensionInfo};
use model::{Limits, PublicState, SignalId};

use crate::api::{OpenSuspension, ProblemBody, Signals, Suspensions, Unreadable};
use crate::http::App;
use crate::http::answer::Json;
use crate::http::executions::get::Id;
use crate::http::page::List;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Lists the suspensions of an execution, oldest first.
#[utoipa::path(
    get, path = "/v1/executions/{id}/suspensions", tag = "signals",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Answer only if it is in this namespace"),
    ),
    responses(
        (status = 200, body = Suspensions),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(app): State<App>,
    Id(id): Id,
    mut query: Query,
) -> Result<Json<Suspensions>, Problem> {
    let namespace = query.namespace()?;
    query.end()?;
    let engine = &app.engine;
    let found = engine
        .suspensions(id, namespace.as_deref(), Limits::PAGE_MAX)
        .await?;
    let suspensions = found.ok_or_else(|| Problem::no_execution(id))?;
    Ok(Json(suspensions.into()))
}

/// Lists the signals an execution accepted, in that order.
#[utoipa::path(
    get, path = "/v1/executions/{id}/signals", tag = "signals",
    params(
        ("id" = String, Path, description = "The execution"),
        ("namespace" = Option<String>, Query, description = "Answer only if it is in this namespace"),
        ("limit" = Option<u32>, Query, description = "Rows of the page, 1 to 1000; 50 when absent. No page has more than 256, or more than a MiB"),
        ("after" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, body = Signals),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn signals(
    State(app): State<App>,
    Id(id): Id,
    list: List,
    mut query: Query,
) -> Result<Json<Signals>, Problem> {
    let namespace = query.namespace()?;
    let limit = query.limit()?.min(Limits::SIGNALS_MAX);
    let after: Option<SignalId> = list.after(&mut query)?;
    query.end()?;
    let engine = &app.engine;
    let found = engine
        .signals(id, namespace.as_deref(), after, limit)
        .await?;
    let found = found.ok_or_else(|| Problem::no_execution(id))?;
    Ok(Json(Signals::new(found, |last| list.cursor(last))))
}

/// Returns the suspension of an execution that is suspended, and where it waits; beside
/// it, what of both cannot be shown. No suspension if there is none, or it ended meanwhile.
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
