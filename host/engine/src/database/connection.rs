//! A connection in use, and how its use ends.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use super::pool::{Live, Shared};
use super::sqlstate::{self, Meaning};

/// Longest an abandoned connection may take to answer what it was asked.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// A statement abandoned after so long is not drained: its connection is closed.
const ABANDONED: Duration = Duration::from_secs(1);
const IN_USE: &str = "invariant: a connection is there until its use ends";

/// A statement got no answer for so long.
pub(super) struct NoAnswer(pub(super) Duration);

/// A connection in use. Dropped while it waits for an answer, it is drained, or closed.
pub(crate) struct Connection {
    live: Option<Live>,
    pool: Arc<Shared>,
    /// Time since which it waits for the answer to a statement; absent between two.
    asked: Option<Instant>,
}

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.live.as_ref().expect(IN_USE).connection
    }
}

impl DerefMut for Connection {
    /// Lends the connection to a statement.
    fn deref_mut(&mut self) -> &mut PgConnection {
        if self.asked.is_none() {
            self.asked = Some(Instant::now());
        }
        &mut self.live.as_mut().expect(IN_USE).connection
    }
}

impl Connection {
    pub(super) fn new(live: Live, pool: Arc<Shared>) -> Self {
        Self {
            live: Some(live),
            pool,
            asked: None,
        }
    }

    /// Ends the use of the connection as this answer requires: it is idle again, or
    /// broken and closed.
    pub(super) fn end<T>(
        mut self,
        answer: Result<Result<T, sqlx::Error>, NoAnswer>,
    ) -> Result<T, sqlx::Error> {
        let liveness = &self.pool.liveness;
        let answer = match answer {
            Ok(answer) => answer,
            Err(NoAnswer(waited)) => {
                liveness.no_answer();
                let error = no_answer(waited);
                liveness.health.failed(&error);
                self.live = None;
                return Err(error);
            }
        };
        match answer.as_ref().map_err(sqlstate::of_error) {
            Ok(_) => liveness.health.answered(),
            Err(Meaning::Fault) => {}
            Err(meaning) => {
                if let Err(error) = &answer {
                    liveness.health.failed(error);
                }
                if meaning == Meaning::SessionLost {
                    liveness.suspect_idle();
                    self.live = None;
                }
            }
        }
        self.asked = None;
        answer
    }

    /// Ends the use of the connection after statements that were answered.
    pub(crate) fn done(mut self) {
        self.asked = None;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let pool = self.pool.clone();
        match (self.live.take(), self.asked) {
            (live, None) => pool.release(live),
            (Some(live), Some(asked)) if asked.elapsed() < ABANDONED => {
                // None while the process ends; starting a task would panic then, which
                // aborts it if the drop is part of a panic.
                match tokio::runtime::Handle::try_current() {
                    Ok(runtime) => drop(runtime.spawn(drain(live, pool))),
                    Err(_) => pool.release(None),
                }
            }
            (_, Some(_)) => {
                pool.liveness.suspect_idle();
                pool.release(None);
            }
        }
    }
}

/// Waits for the answer to an abandoned statement, so that the connection can be used
/// again. Its slot stays taken meanwhile.
async fn drain(mut live: Live, pool: Arc<Shared>) {
    match tokio::time::timeout(DRAIN_TIMEOUT, live.connection.ping()).await {
        Ok(Ok(())) => pool.release(Some(live)),
        Ok(Err(_)) => pool.release(None),
        Err(_) => {
            pool.liveness.no_answer();
            pool.release(None);
        }
    }
}

pub(super) fn no_answer(waited: Duration) -> sqlx::Error {
    let text = format!("no answer within {} ms", waited.as_millis());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text))
}
