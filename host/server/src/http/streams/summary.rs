//! `GET /v1/executions/{id}/attempts/{attempt}/stream/summary`: the document that summary
//! frames are merged into.

use axum::extract::State;

use crate::api::StreamSummary;
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::path::{AttemptOf, OfAttempt};
use crate::http::query::{InNamespace, Query};

/// Reads the summary of an attempt: the document into which the patches of its summary
/// frames are merged, as of the last of them.
///
/// `version` counts the patches; it is 0, and `document` null, before the first.
#[utoipa::path(
    get, path = "/v1/executions/{id}/attempts/{attempt}/stream/summary", tag = "streams",
    params(OfAttempt, InNamespace),
    responses((status = 200, body = StreamSummary))
)]
pub async fn get(
    State(app): State<App>,
    of: AttemptOf,
    Query(InNamespace { namespace }): Query<InNamespace>,
) -> Answer<StreamSummary> {
    let engine = &app.engine;
    let found = engine.read_summary(of.execution, of.attempt, namespace.as_deref());
    Ok(Json(StreamSummary::new(found.await?)))
}
