//! Whether the database works, from what statements met. This costs nothing: what
//! succeeds and what fails tells.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::sqlstate::{self, Part};
use crate::{Error, Trouble};

/// For how long a pool counts as used up after a call found it so.
const EXHAUSTED_FOR: Duration = Duration::from_secs(3);

/// What the statements of an engine met.
#[derive(Default)]
pub(crate) struct DatabaseHealth {
    /// The database itself, or the way to it.
    database: Watched,
    writes: Watched,
    /// When a call first and last found every connection in use.
    exhausted: Mutex<Option<(Instant, Instant)>>,
}

/// A part of the database that works or fails.
#[derive(Default)]
struct Watched {
    failing: AtomicBool,
    /// Time of the first failure since it worked, and the reason of the last.
    failed: Mutex<Option<(Instant, String)>>,
}

impl Watched {
    fn failed(&self, why: impl Into<String>) {
        let mut failed = self.failed.lock();
        let first = failed
            .as_ref()
            .map_or_else(Instant::now, |(first, _)| *first);
        *failed = Some((first, why.into()));
        self.failing.store(true, Ordering::Release);
    }

    fn works(&self) {
        if self.is_failing() {
            *self.failed.lock() = None;
            self.failing.store(false, Ordering::Release);
        }
    }

    fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    fn trouble(&self, part: &str) -> Option<Trouble> {
        let (first, why) = self.failed.lock().clone()?;
        Some(Trouble {
            part: part.to_owned(),
            lasting: first.elapsed(),
            why,
        })
    }
}

impl DatabaseHealth {
    /// A statement was answered.
    pub(super) fn answered(&self) {
        self.database.works();
    }

    /// A statement wrote.
    pub(crate) fn wrote(&self) {
        self.writes.works();
    }

    /// A statement failed because of the state of the database.
    pub(super) fn failed(&self, error: &sqlx::Error) {
        let (part, why) = sqlstate::describe(error);
        match part {
            Part::Database => self.database.failed(why),
            Part::Writes => self.writes.failed(why),
            Part::Nothing => {}
        }
    }

    /// The database did not answer within this time.
    pub(crate) fn gave_no_answer(&self, within: Duration) {
        let ms = within.as_millis();
        self.database
            .failed(format!("it did not answer within {ms} ms"));
    }

    /// The database takes no writes.
    pub(crate) fn note_read_only(&self) {
        self.writes.failed(sqlstate::READ_ONLY);
    }

    /// A new connection could not be used.
    pub(super) fn refused(&self, why: &Error) {
        self.database.failed(match why {
            Error::Session(_) => why.to_string(),
            _ => "new connections cannot be used".to_owned(),
        });
    }

    /// Every connection was in use for as long as a call waits for one.
    pub(super) fn exhausted(&self) {
        let mut exhausted = self.exhausted.lock();
        let now = Instant::now();
        let first = match *exhausted {
            Some((first, last)) if last.elapsed() < EXHAUSTED_FOR => first,
            _ => now,
        };
        *exhausted = Some((first, now));
    }

    /// Whether the database, or its taking of writes, fails.
    pub(crate) fn is_failing(&self) -> bool {
        self.database.is_failing() || self.writes.is_failing()
    }

    /// Whether its taking of writes fails.
    pub(crate) fn writes_fail(&self) -> bool {
        self.writes.is_failing()
    }

    /// Returns what of the database does not work.
    pub(crate) fn troubles(&self) -> impl Iterator<Item = Trouble> {
        let exhausted = *self.exhausted.lock();
        let exhausted = exhausted.filter(|(_, last)| last.elapsed() < EXHAUSTED_FOR);
        [
            self.database.trouble("database"),
            self.writes.trouble("writes"),
            exhausted.map(|(first, _)| Trouble {
                part: "connections".to_owned(),
                lasting: first.elapsed(),
                why: "every connection to the database is in use".to_owned(),
            }),
        ]
        .into_iter()
        .flatten()
    }
}
