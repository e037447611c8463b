//! Events as a stream of Server-Sent Events.

use std::fmt::Write as _;

use engine::{Declined, EventPage, EventRequest};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use model::{EventCursor, EventStart, EventsRefusal};

use super::cursor::Cursors;
use crate::api;
use crate::http::App;
use crate::http::ops::counters::Streams;
use crate::http::problem::{Code, Problem};
use crate::http::sse::{End, Pages, Piece, refuse_without_database};

/// A stream of the events of a family.
pub struct Followed {
    app: App,
    /// How the caller sees cursors.
    cursors: Cursors,
    request: EventRequest,
    pages: BoxStream<'static, Result<EventPage, Declined<EventsRefusal>>>,
    /// Where the reader is; absent before the first page.
    told: Option<EventCursor>,
}

impl Followed {
    /// Makes one that begins with a page that was read.
    pub fn new(app: App, cursors: Cursors, request: EventRequest, first: EventPage) -> Self {
        let next = EventStart::After(first.cursor.clone());
        let more = app.engine.follow_events(request.clone(), next);
        Self {
            pages: stream::once(async { Ok(first) }).chain(more).boxed(),
            app,
            cursors,
            request,
            told: None,
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
}

impl Pages for Followed {
    async fn next(&mut self) -> Result<Piece, Problem> {
        let page = match self.pages.next().await {
            Some(page) => page.map_err(|declined| self.cursors.problem(declined))?,
            None => return Err(Problem::new(Code::Internal, "the stream has no more")),
        };
        // A page without events was not read from the database if that cannot be reached.
        if page.events.is_empty() && self.told.is_some() {
            refuse_without_database(&self.app).await?;
        }
        let mut text = String::new();
        let end = self.write(page, &mut text).err().map(|error| {
            tracing::error!(%error, "an event cannot be written");
            let detail = format!("an event cannot be written: {error}");
            End::Because(Problem::new(Code::Unreadable, detail))
        });
        Ok(Piece { text, end })
    }

    fn cursor(&self) -> Option<String> {
        let told = self.told.as_ref();
        told.map(|cursor| self.cursors.show(cursor))
    }

    fn subject(&self) -> String {
        format!("events of {}", self.request.family)
    }

    fn counted(app: &App) -> &Streams {
        &app.counters.streams
    }
}
