//! `GET /v1/events/{family}`: events of a family, by pages or as a stream.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use engine::EventRequest;
use model::EventStart;

use super::cursor::Cursors;
use super::request::{Filters, From, Reading, family};
use super::stream::Followed;
use crate::api;
use crate::http::App;
use crate::http::access::{Caller, CredentialEnd};
use crate::http::answer::Json;
use crate::http::path::Path;
use crate::http::problem::Problem;
use crate::http::query::{InNamespace, Query};
use crate::http::sse::{self, Reader};
use crate::http::transport::unread::Unread;

/// Reads events of a family, waiting for some if there are none.
///
/// `cursor` is what to pass as `after` to continue, here or at another host of the instance. It
/// moves also where no event fits the filters. Without `wait_ms` the answer comes
/// immediately, and may be empty while `more` says that the next read continues.
///
/// With `Accept: text/event-stream` the answer is a stream of Server-Sent Events without
/// end. Each has the cursor as its id, the name of what happened as its type, and the event
/// as its data; the header `Last-Event-ID` resumes behind one. A stream that ends says why
/// in an event with `cursor`, `code` and `detail`.
#[utoipa::path(
    get, path = "/v1/events/{family}", tag = "events",
    params(
        ("family" = String, Path, description = "What to read: one change may be an event of several families"),
        InNamespace, Filters, Reading,
        ("last-event-id" = Option<String>, Header, description = "The id of the event seen last; it takes precedence over `after`; an empty one counts as absent"),
    ),
    responses((status = 200, description = "Events, in order", content(
        (api::EventPage = "application/json"),
        (String = "text/event-stream"),
    )))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    credential: CredentialEnd,
    Path(name): Path<String>,
    Query((namespace, (filters, reading))): Query<(InNamespace, (Filters, Reading))>,
    unread: Option<Unread>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let family = family(&name)?;
    let from = reading.from(&headers)?;
    app.refuse_closing()?;
    let sent_as = match &from {
        From::After(sent_as, _) => *sent_as,
        From::Now | From::Beginning => "after",
    };
    let cursors = Cursors::of(&app, &caller, sent_as).await?;
    let start = match from {
        From::Now => EventStart::Now,
        From::Beginning => EventStart::Beginning,
        From::After(_, sent) => EventStart::After(cursors.read(sent)),
    };
    let request = EventRequest {
        family,
        filter: filters.within(namespace),
        limit: reading.limit(),
    };
    if sse::is_wanted(&headers) {
        let first = app.engine.events(&request, &start).await;
        let first = first.map_err(|declined| cursors.problem(declined))?;
        let followed = Followed::new(app.clone(), cursors, request, first);
        let reader = Reader {
            app,
            credential,
            unread,
        };
        return Ok(sse::answer(reader, followed));
    }
    let engine = &app.engine;
    let found = if reading.wait().is_zero() {
        engine.events(&request, &start).await
    } else {
        tokio::select! {
            found = engine.await_events(&request, &start, reading.wait()) => found,
            () = app.closed() => engine.events(&request, &start).await,
        }
    };
    let page = found.map_err(|declined| cursors.problem(declined))?;
    let events = page.events.into_iter().map(|event| {
        let cursor = cursors.show(&event.cursor);
        api::Event::new(family, cursor, event)
    });
    Ok(Json(api::EventPage {
        events: events.collect(),
        cursor: cursors.show(&page.cursor),
        more: page.more,
    })
    .into_response())
}
