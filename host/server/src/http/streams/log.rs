//! `GET /v1/executions/{id}/attempts/{attempt}/log` and `…/log/tail`: what an attempt has
//! logged so far, as soon as there is more, once or until the attempt has ended.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use engine::ReadLog;

use super::follow::Followed;
use super::request::{LogAfter, LogWait};
use crate::api::AttemptLog;
use crate::http::App;
use crate::http::access::CredentialEnd;
use crate::http::answer::{Answer, Json};
use crate::http::path::{AttemptOf, OfAttempt};
use crate::http::problem::Problem;
use crate::http::query::{InNamespace, Query};
use crate::http::sse::{self, Reader};
use crate::http::transport::unread::Unread;

/// Reads what an attempt has logged.
///
/// A handler that runs is up to half a second ahead of its log. A page ends after 4 MiB;
/// `more` says that the next one continues.
#[utoipa::path(
    get, path = "/v1/executions/{id}/attempts/{attempt}/log", tag = "streams",
    params(OfAttempt, InNamespace, LogAfter),
    responses((status = 200, body = AttemptLog))
)]
pub async fn read(
    State(app): State<App>,
    of: AttemptOf,
    Query((namespace, after)): Query<(InNamespace, LogAfter)>,
) -> Answer<AttemptLog> {
    let wanted = wanted(of, namespace, &after, &HeaderMap::new())?;
    Ok(Json(app.engine.read_log(&wanted).await?.into()))
}

/// Reads what an attempt has logged behind a place, waiting for more if there is none.
///
/// The answer comes as soon as there is more, and immediately when the attempt has ended,
/// also while it waits. It has no text when the time is over first or the host closes.
///
/// With `Accept: text/event-stream` the answer is a stream of Server-Sent Events until the
/// attempt ends. Each text is an event `log` with its `cursor` as the id; the header
/// `Last-Event-ID` resumes behind one. The end of the attempt is an event `closed` with
/// `cursor`, `closed_at` and `closed_reason`. A stream that ends before says why in an event
/// with `cursor`, `code` and `detail`.
#[utoipa::path(
    get, path = "/v1/executions/{id}/attempts/{attempt}/log/tail", tag = "streams",
    params(
        OfAttempt, InNamespace, LogAfter, LogWait,
        ("last-event-id" = Option<String>, Header, description = "The id seen last; it takes precedence over `after`; an empty one counts as absent"),
    ),
    responses((status = 200, description = "What was logged, in order", content(
        (AttemptLog = "application/json"),
        (String = "text/event-stream"),
    )))
)]
pub async fn tail(
    State(app): State<App>,
    credential: CredentialEnd,
    of: AttemptOf,
    Query((namespace, (after, wait))): Query<(InNamespace, (LogAfter, LogWait))>,
    unread: Option<Unread>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = wanted(of, namespace, &after, &headers)?;
    app.refuse_closing()?;
    if sse::is_wanted(&headers) {
        let first = app.engine.read_log(&wanted).await?;
        let texts = Followed::log(app.clone(), wanted, first);
        let reader = Reader {
            app,
            credential,
            unread,
        };
        return Ok(sse::answer(reader, texts));
    }
    let page = tokio::select! {
        page = app.engine.tail_log(&wanted, wait.duration()) => page?,
        () = app.closed() => app.engine.read_log(&wanted).await?,
    };
    Ok(Json(AttemptLog::from(page)).into_response())
}

/// Says what is read.
fn wanted(
    of: AttemptOf,
    namespace: InNamespace,
    after: &LogAfter,
    headers: &HeaderMap,
) -> Result<ReadLog, Problem> {
    Ok(ReadLog {
        execution_id: of.execution,
        attempt: of.attempt,
        namespace: namespace.namespace,
        after: after.place(headers)?,
    })
}
