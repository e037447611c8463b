//! `GET /v1/executions/{id}/attempts/{attempt}/stream/tail`: frames behind a cursor, as soon
//! as there are some, once or until the attempt has ended.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use engine::TailStream;

use super::follow::Followed;
use super::request::Tail;
use crate::api::StreamFrames;
use crate::http::App;
use crate::http::access::CredentialEnd;
use crate::http::answer::Json;
use crate::http::path::{AttemptOf, OfAttempt};
use crate::http::problem::Problem;
use crate::http::query::{InNamespace, Query};
use crate::http::sse::{self, Reader};
use crate::http::transport::unread::Unread;

/// Reads the frames behind a cursor, waiting for some if there are none.
///
/// The answer comes as soon as there is a frame, and immediately when the attempt has ended,
/// also while it waits: `closed_at` says so. It has no frames when the time is over first or
/// the host closes.
///
/// With `Accept: text/event-stream` the answer is a stream of Server-Sent Events until the
/// attempt ends. Each frame is an event `frame` with its id as the id; the header
/// `Last-Event-ID` resumes behind one. The end of the attempt is an event `closed` with
/// `cursor`, `closed_at` and `closed_reason`. A stream that ends before says why in an event
/// with `cursor`, `code` and `detail`.
#[utoipa::path(
    get, path = "/v1/executions/{id}/attempts/{attempt}/stream/tail", tag = "streams",
    params(
        OfAttempt, InNamespace, Tail,
        ("last-event-id" = Option<String>, Header, description = "The id of the frame seen last; it takes precedence over `after`; an empty one counts as absent"),
    ),
    responses((status = 200, description = "Frames, in order", content(
        (StreamFrames = "application/json"),
        (String = "text/event-stream"),
    )))
)]
pub async fn tail(
    State(app): State<App>,
    credential: CredentialEnd,
    of: AttemptOf,
    Query((InNamespace { namespace }, tail)): Query<(InNamespace, Tail)>,
    unread: Option<Unread>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = TailStream {
        execution_id: of.execution,
        attempt: of.attempt,
        namespace,
        after: tail.after(&headers)?,
        count: tail.limit,
        wait: Duration::ZERO,
        visibility: tail.visibility,
    };
    app.refuse_closing()?;
    if sse::is_wanted(&headers) {
        let first = app.engine.tail_stream(&wanted).await?;
        let frames = Followed::frames(app.clone(), wanted, first);
        let reader = Reader {
            app,
            credential,
            unread,
        };
        return Ok(sse::answer(reader, frames));
    }
    let patient = TailStream {
        wait: tail.wait(),
        ..wanted.clone()
    };
    let page = tokio::select! {
        page = app.engine.tail_stream(&patient) => page?,
        () = app.closed() => app.engine.tail_stream(&wanted).await?,
    };
    Ok(Json(StreamFrames::of_tail(page)).into_response())
}
