//! A stream or a log that is followed as Server-Sent Events, until its attempt has ended.

use std::fmt::Write as _;

use engine::{LogPage, ReadLog, StreamPage, TailStream};
use model::{ExecutionId, StreamClosed};
use serde::Serialize;

use super::request::SILENT_MAX;
use crate::api::{AttemptLog, LogText, StreamEnd, StreamFrame};
use crate::http::App;
use crate::http::ops::counters::Streams;
use crate::http::problem::{Code, Problem};
use crate::http::sse::{End, Pages, Piece, refuse_without_database};

/// Name of the event that says that the attempt has ended.
const CLOSED: &str = "closed";

/// What is followed; its cursor is where the reader is.
enum Wanted {
    Frames(TailStream),
    Log(ReadLog),
}

/// What was read of it.
enum Page {
    Frames(StreamPage),
    Log(LogPage),
}

/// A stream or a log.
pub struct Followed {
    app: App,
    wanted: Wanted,
    /// The page it begins with, before that is written.
    first: Option<Page>,
}

impl Followed {
    /// Makes a stream that begins with a page that was read.
    pub fn frames(app: App, wanted: TailStream, first: StreamPage) -> Self {
        let wait = SILENT_MAX;
        Self {
            app,
            wanted: Wanted::Frames(TailStream { wait, ..wanted }),
            first: Some(Page::Frames(first)),
        }
    }

    /// Makes a log that begins with a page that was read.
    pub fn log(app: App, wanted: ReadLog, first: LogPage) -> Self {
        Self {
            app,
            wanted: Wanted::Log(wanted),
            first: Some(Page::Log(first)),
        }
    }

    /// Returns the cursor of what was told last.
    fn place(&self) -> String {
        match &self.wanted {
            Wanted::Frames(wanted) => wanted.after.to_string(),
            Wanted::Log(wanted) => wanted.after.to_string(),
        }
    }

    fn of(&self) -> (ExecutionId, u32) {
        match &self.wanted {
            Wanted::Frames(wanted) => (wanted.execution_id, wanted.attempt),
            Wanted::Log(wanted) => (wanted.execution_id, wanted.attempt),
        }
    }

    /// Writes a page; returns the end of the attempt if nothing is behind it.
    fn write(&mut self, page: Page, text: &mut String) -> Result<Option<StreamClosed>, Problem> {
        match (page, &mut self.wanted) {
            (Page::Frames(page), Wanted::Frames(wanted)) => {
                for frame in &page.frames {
                    write(text, "frame", frame.id, &StreamFrame::new(frame))?;
                    wanted.after = frame.id.into();
                }
                Ok(page.closed.filter(|_| !page.more))
            }
            (Page::Log(page), Wanted::Log(wanted)) => {
                let (closed, more) = (page.closed, page.more);
                let (after, log) = AttemptLog::read(page);
                if !log.is_empty() {
                    let cursor = after.to_string();
                    write(text, "log", after, &LogText { cursor, text: log })?;
                }
                wanted.after = after;
                Ok(closed.filter(|_| !more))
            }
            _ => unreachable!("invariant: a page is of what was read"),
        }
    }
}

impl Page {
    /// Whether it says nothing.
    fn is_silent(&self) -> bool {
        match self {
            Self::Frames(page) => page.frames.is_empty() && page.closed.is_none(),
            Self::Log(page) => page.text.is_empty() && page.closed.is_none(),
        }
    }
}

impl Pages for Followed {
    async fn next(&mut self) -> Result<Piece, Problem> {
        let begins = self.first.is_some();
        let engine = &self.app.engine;
        let page = match (self.first.take(), &self.wanted) {
            (Some(first), _) => first,
            (None, Wanted::Frames(wanted)) => Page::Frames(engine.tail_stream(wanted).await?),
            (None, Wanted::Log(wanted)) => Page::Log(engine.tail_log(wanted, SILENT_MAX).await?),
        };
        let mut text = String::new();
        if page.is_silent() && !begins {
            refuse_without_database(&self.app).await?;
            text.push_str(": idle\n\n");
        }
        let written = match self.write(page, &mut text) {
            Ok(None) => return Ok(text.into()),
            Ok(Some(closed)) => {
                let end = StreamEnd::new(self.place(), closed);
                line(&mut text, CLOSED, &end).map(|()| End::Told(CLOSED))
            }
            Err(problem) => Err(problem),
        };
        let end = Some(written.unwrap_or_else(End::Because));
        Ok(Piece { text, end })
    }

    fn cursor(&self) -> Option<String> {
        Some(self.place())
    }

    fn subject(&self) -> String {
        let (execution, attempt) = self.of();
        format!("attempt {attempt} of {execution}")
    }

    fn counted(app: &App) -> &Streams {
        &app.counters.attempt_streams
    }
}

/// Writes an event with an id.
fn write(
    text: &mut String,
    name: &str,
    id: impl std::fmt::Display,
    data: &impl Serialize,
) -> Result<(), Problem> {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "id: {id}");
    line(text, name, data)
}

fn line(text: &mut String, name: &str, data: &impl Serialize) -> Result<(), Problem> {
    let data = serde_json::to_string(data).map_err(|error| {
        tracing::error!(%error, "an event of a stream cannot be written");
        let detail = format!("what follows cannot be written: {error}");
        Problem::new(Code::Unreadable, detail)
    })?;
    let _ = write!(text, "event: {name}\ndata: {data}\n\n");
    Ok(())
}
