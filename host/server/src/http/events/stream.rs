//! Events as a stream of Server-Sent Events.
//!
//! The stream reads a page when the connection has taken the one before, and holds nothing
//! else. It ends by itself, with an event that says why, when the credential of its caller
//! ends, when the host closes, and when the database cannot be reached. A connection that
//! takes nothing for [`UNREAD_MAX`] is cut off, and the stream with it: what cannot be
//! written cannot be told.
//!
//! [`UNREAD_MAX`]: crate::http::transport::unread::UNREAD_MAX

use std::convert::Infallible;
use std::fmt::Write as _;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use engine::{Declined, EventPage, EventRequest};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use model::{EventCursor, EventStart, EventsRefusal};
use serde_json::json;

use super::cursor::Cursors;
use crate::api;
use crate::http::App;
use crate::http::access::CredentialEnd;
use crate::http::problem::{Code, Problem};
use crate::http::transport::unread::Unread;

/// What readers do after a break: connect again after so many milliseconds.
const RETRY: &str = "retry: 1000\n\n";
/// The name under which a reader learns that the database cannot be reached.
const DISCONNECTED: &str = "disconnected";
/// The verdict on a stream whose reader does not read.
const BACKPRESSURE: &str = "backpressure";
/// The verdict on a stream whose reader went away.
const CLIENT_GONE: &str = "client_gone";

/// A stream that is to begin, and its first page.
pub struct Followed {
    pub app: App,
    /// Tells when the credential of the caller ends.
    pub credential: CredentialEnd,
    /// Tells whether the connection takes what is written; absent if nothing watches it.
    pub unread: Option<Unread>,
    /// How the caller sees cursors.
    pub cursors: Cursors,
    pub request: EventRequest,
    /// The page it begins with.
    pub first: EventPage,
}

/// A stream that continues.
struct Following {
    app: App,
    credential: CredentialEnd,
    unread: Option<Unread>,
    cursors: Cursors,
    request: EventRequest,
    pages: BoxStream<'static, Result<EventPage, Declined<EventsRefusal>>>,
    /// Where the reader is; absent before the first page.
    told: Option<EventCursor>,
    /// Why it ended; absent while it continues.
    ended: Option<&'static str>,
}

/// Answers with a stream.
pub fn answer(followed: Followed) -> Response {
    const HEADERS: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that hold answers back do not do so.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (HEADERS, Body::from_stream(pieces(followed))).into_response()
}

fn pieces(followed: Followed) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let Followed {
        app,
        credential,
        unread,
        cursors,
        request,
        first,
    } = followed;
    let next = EventStart::After(first.cursor.clone());
    let more = app.engine.follow_events(request.clone(), next);
    app.counters.streams.begin();
    let following = Following {
        pages: stream::once(async { Ok(first) }).chain(more).boxed(),
        app,
        credential,
        unread,
        cursors,
        request,
        told: None,
        ended: None,
    };
    stream::unfold(following, async |mut following| {
        if following.ended.is_some() {
            return None;
        }
        Some((Ok(following.next().await), following))
    })
}

impl Following {
    /// Returns what is written next.
    async fn next(&mut self) -> Bytes {
        let page = tokio::select! {
            biased;
            () = self.credential.reached() => return self.end(&Problem::unauthenticated()),
            () = self.app.closed() => return self.end(&Problem::draining()),
            page = self.pages.next() => page,
        };
        let begins = self.told.is_none();
        let mut text = match begins {
            true => RETRY.to_owned(),
            false => String::new(),
        };
        let page = match page {
            Some(Ok(page)) => page,
            Some(Err(declined)) => return self.end(&self.cursors.problem(declined)),
            None => return self.end(&Problem::new(Code::Internal, "the stream has no more")),
        };
        // A page without events was not read from the database if that cannot be reached.
        if page.events.is_empty() && !begins && !self.app.engine.is_database_up().await {
            let detail = "the database cannot be reached: connect again, here or at another host";
            return self.end(&Problem::new(Code::Unavailable, detail));
        }
        match self.write(page, &mut text) {
            Ok(()) => Bytes::from(text),
            Err(error) => {
                tracing::error!(%error, "an event cannot be written");
                let detail = format!("an event cannot be written: {error}");
                let last = self.end(&Problem::new(Code::Unreadable, detail));
                Bytes::from([text.as_bytes(), &last].concat())
            }
        }
    }

    /// Writes a page: its events, and how far it goes beyond the last of them. One without
    /// events keeps the connection open.
    fn write(&mut self, page: EventPage, text: &mut String) -> Result<(), serde_json::Error> {
        if page.events.is_empty() {
            text.push_str(": idle\n");
        }
        let idle = page.events.is_empty();
        for event in page.events {
            let cursor = event.cursor.clone();
            let id = self.cursors.show(&cursor);
            let event = api::Event::new(self.request.family, id, event);
            let data = serde_json::to_string(&event)?;
            let (id, name) = (&event.cursor, &event.event);
            let _ = write!(text, "id: {id}\nevent: {name}\ndata: {data}\n\n");
            self.told = Some(cursor);
        }
        if self.told.as_ref() != Some(&page.cursor) {
            // Without data nothing is dispatched, and the reader continues from there.
            let id = self.cursors.show(&page.cursor);
            let _ = write!(text, "id: {id}\n\n");
            self.told = Some(page.cursor);
        } else if idle {
            text.push('\n');
        }
        Ok(())
    }

    /// Ends the stream; returns the event that says why.
    fn end(&mut self, why: &Problem) -> Bytes {
        let name = match why.code {
            Code::Unavailable => DISCONNECTED,
            other => other.as_str(),
        };
        self.ended = Some(name);
        let cursor = self.told.as_ref().map(|cursor| self.cursors.show(cursor));
        let data = json!({"cursor": cursor, "code": why.code, "detail": why.detail});
        Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let unread = self.unread.as_ref().is_some_and(Unread::is_cut);
        let verdict = match self.ended {
            Some(ended) => ended,
            None if unread => BACKPRESSURE,
            None => CLIENT_GONE,
        };
        self.app.counters.streams.end(verdict);
        if verdict == BACKPRESSURE {
            let family = self.request.family;
            tracing::warn!(%family, "a stream of events ended with backpressure: its reader did not read");
        }
    }
}
