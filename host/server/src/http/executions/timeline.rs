//! What happened to an execution: its attempts, and its history.

use axum::extract::State;
use engine::HistoryPlace;

use crate::api::{Attempts, History};
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::page::{ListRequest, Paging};
use crate::http::path::{Id, OfExecution};
use crate::http::problem::Problem;
use crate::http::query::InNamespace;

/// Lists the attempts at an execution with their leases, logs and usage.
///
/// `limit` bounds the leases of a page, not its attempts, and a page ends after a MiB of
/// logs: an attempt whose leases continue on the next page is on both.
#[utoipa::path(
    get, path = "/v1/executions/{id}/attempts", tag = "executions",
    params(OfExecution, InNamespace, Paging),
    responses((status = 200, body = Attempts))
)]
pub async fn attempts(
    State(app): State<App>,
    Id(id): Id,
    list: ListRequest<InNamespace, u64>,
) -> Answer<Attempts> {
    let namespace = list.filter.name();
    let engine = &app.engine;
    let found = engine.attempts(id, namespace, list.after, list.limit);
    let found = found.await?.ok_or_else(|| Problem::no_execution(id))?;
    Ok(Json(Attempts::new(found, |epoch| list.cursor(epoch))))
}

/// Lists what happened to an execution, oldest first.
#[utoipa::path(
    get, path = "/v1/executions/{id}/history", tag = "executions",
    params(OfExecution, InNamespace, Paging),
    responses((status = 200, body = History))
)]
pub async fn history(
    State(app): State<App>,
    Id(id): Id,
    list: ListRequest<InNamespace, HistoryPlace>,
) -> Answer<History> {
    let namespace = list.filter.name();
    let engine = &app.engine;
    let found = engine.history(id, namespace, list.after, list.limit);
    let found = found.await?.ok_or_else(|| Problem::no_execution(id))?;
    Ok(Json(History::new(found, |place| list.cursor(place))))
}
