//! `GET /v1/executions/{id}/attempts/{attempt}/stream`: frames between two cursors.

use axum::extract::State;
use engine::ReadStream;

use super::request::Range;
use crate::api::StreamFrames;
use crate::http::App;
use crate::http::answer::{Answer, Json};
use crate::http::path::{AttemptOf, OfAttempt};
use crate::http::query::{InNamespace, Query};

/// Reads the frames that an attempt has appended to its stream, in order.
///
/// A page ends after `limit` frames or 4 MiB of payloads; `next_cursor` is then what to pass
/// as `from` for the rest. An attempt that has not begun, or appended nothing, has no frames.
#[utoipa::path(
    get, path = "/v1/executions/{id}/attempts/{attempt}/stream", tag = "streams",
    params(OfAttempt, InNamespace, Range),
    responses((status = 200, body = StreamFrames))
)]
pub async fn read(
    State(app): State<App>,
    of: AttemptOf,
    Query((InNamespace { namespace }, range)): Query<(InNamespace, Range)>,
) -> Answer<StreamFrames> {
    let wanted = ReadStream {
        execution_id: of.execution,
        attempt: of.attempt,
        namespace,
        from: range.from,
        to: range.to,
        count: range.limit,
        visibility: range.visibility,
    };
    let page = app.engine.read_stream(&wanted).await?;
    Ok(Json(StreamFrames::of_range(page)))
}
