//! Cursors of events as callers have them.

use engine::{CursorSeal, Declined};
use model::{EventCursor, EventsRefusal, RefusalCode};

use crate::http::App;
use crate::http::access::Caller;
use crate::http::problem::Problem;

/// Shows cursors to a caller and reads what it sends.
#[derive(Debug, Clone)]
pub struct Cursors {
    /// Seals them, for a caller that may not see all there is.
    seal: Option<CursorSeal>,
    /// Name of the parameter or header that holds the one that was sent.
    sent_as: &'static str,
}

impl Cursors {
    /// Returns those of a caller.
    ///
    /// # Errors
    /// The key that seals them cannot be read.
    pub async fn of(app: &App, caller: &Caller, sent_as: &'static str) -> Result<Self, Problem> {
        let seal = match caller.is_confined() {
            true => Some(app.engine.cursor_seal().await?),
            false => None,
        };
        Ok(Self { seal, sent_as })
    }

    /// Shows a cursor.
    pub fn show(&self, cursor: &EventCursor) -> String {
        match &self.seal {
            Some(seal) => seal.seal(&cursor.0),
            None => cursor.0.clone(),
        }
    }

    /// Reads a cursor; one that was not given to such a caller is none of any family.
    pub fn read(&self, sent: String) -> EventCursor {
        match &self.seal {
            Some(seal) => EventCursor(seal.open(&sent).unwrap_or_default()),
            None => EventCursor(sent),
        }
    }

    /// Builds the problem of events that were not read.
    pub fn problem(&self, declined: Declined<EventsRefusal>) -> Problem {
        let sent_as = self.sent_as;
        match declined {
            Declined::Refused(refused @ EventsRefusal::InvalidCursor { .. }) => {
                let detail = format!("`{sent_as}` {refused}");
                Problem::new(RefusalCode::InvalidCursor, detail).with("parameter", sent_as)
            }
            Declined::Refused(EventsRefusal::CursorTooOld { .. }) => {
                let detail = "events after this cursor are no longer kept: read the state of what you follow again, then continue with `after=beginning`, the oldest event that is kept, or from now";
                Problem::new(RefusalCode::CursorTooOld, detail).with("parameter", sent_as)
            }
            other => other.into(),
        }
    }
}
