//! follow: events of a family as they happen.

use std::time::Duration;

use futures::Stream;
use futures::stream::try_unfold;
use model::{EventCursor, EventStart, EventsRefusal, Limits, check_range};
use tokio::time::{Instant, timeout_at};

use super::recent::After;
use super::request::{EventPage, EventRequest};
use crate::{Declined, Engine};

impl Engine {
    /// Reads events of a family, and waits for some if there are none: until there is one,
    /// or for `wait`. The cursor of a page without events may have moved all the same.
    ///
    /// No connection to the database is held while it waits.
    ///
    /// # Refusals
    /// Those of [`Engine::events`].
    pub async fn await_events(
        &self,
        request: &EventRequest,
        start: &EventStart,
        wait: Duration,
    ) -> Result<EventPage, Declined<EventsRefusal>> {
        check_range("limit", request.limit, 1..=Limits::PAGE_MAX)?;
        let until = Instant::now() + wait;
        let recent = &self.inner.recent;
        let _follower = self.follow_log();
        let mut changed = recent.changed.subscribe();
        let mut after = match self.starts_after(request.family, start)? {
            Some(after) => after,
            None => self.end_of_log().await?,
        };
        loop {
            changed.mark_unchanged();
            let fits = |event: &model::LoggedEvent| {
                request.filter.admits(event) && event.fact(request.family).is_some()
            };
            match recent.after(after, request.limit as usize, fits) {
                After::Kept(events, place) => {
                    let full = events.len() == request.limit as usize;
                    let found = events.iter().map(AsRef::as_ref).collect();
                    let events = self.that_fit(request, found).await?;
                    if full || !events.is_empty() {
                        return Ok(self.page(request, &events, place, full));
                    }
                    after = place;
                }
                After::LetGo => {
                    let page = self.read_after(request, after).await?;
                    if !page.events.is_empty() {
                        return Ok(page);
                    }
                    after = self.event_place(request.family, &page.cursor)?;
                    if page.more {
                        if Instant::now() >= until {
                            return Ok(page);
                        }
                        continue;
                    }
                }
            }
            if timeout_at(until, changed.changed()).await.is_err() {
                return Ok(self.page(request, &[], after, false));
            }
        }
    }

    /// Returns events of a family one after the other, without end. It waits for each
    /// without a connection to the database, holds nothing but the present page, and reads
    /// no faster than it is asked.
    ///
    /// # Errors
    /// The stream ends with the first: the refusals of [`Engine::events`], and
    /// [`crate::Error::Unavailable`] when the database cannot be reached. The cursor of the last
    /// event is where another stream continues.
    pub fn follow_events(
        &self,
        request: EventRequest,
        start: EventStart,
    ) -> impl Stream<Item = Result<EventPage, Declined<EventsRefusal>>> + Send + 'static {
        let engine = self.clone();
        try_unfold(start, move |start| {
            let (engine, request) = (engine.clone(), request.clone());
            async move {
                let page = engine.await_events(&request, &start, PAGE_WITHIN).await?;
                let next: EventCursor = page.cursor.clone();
                Ok(Some((page, EventStart::After(next))))
            }
        })
    }
}

/// Longest a stream is without a page; one without events says how far it got.
const PAGE_WITHIN: Duration = Duration::from_secs(10);
