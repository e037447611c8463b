//! Whether the engine can do its work now, from what its statements met.
//!
//! What succeeds and what fails tells, and costs nothing. When a caller asks, one
//! small write is made besides, at most one a second.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sqlstate::{self, Part};
use crate::{Engine, Error};

/// For how long the answer to a small write stands.
const FRESH: Duration = Duration::from_secs(1);
/// Longest the small write may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// A flush that runs for so long hangs; each is bounded by less.
const FLUSH_HANGS: Duration = Duration::from_secs(40);
/// For how long a pool is said to be used up after a call found it so.
const EXHAUSTED_FOR: Duration = Duration::from_secs(3);
/// Runs of a sweep that fail in a row before it is trouble.
const SWEEP_FAILS: u64 = 3;
/// A sweep that runs for so long hangs.
const SWEEP_HANGS: Duration = Duration::from_secs(120);

/// Something that keeps a host from its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What does not work: `database`, `writes`, `connections`, `flush`, `sweep` or
    /// `task` with a name.
    pub part: String,
    /// For how long.
    pub lasting: Duration,
    /// Why, for people; nothing of what is in the database.
    pub why: String,
}

/// What the statements of an engine met.
pub(crate) struct Health {
    began: Instant,
    database: Watched,
    writes: Watched,
    /// When a call first and last found every connection in use.
    exhausted: Mutex<Option<(Instant, Instant)>>,
    flushers: Mutex<Vec<Arc<Flusher>>>,
    /// When the last small write ended.
    probed: tokio::sync::Mutex<Option<Instant>>,
}

/// Something that works or fails.
#[derive(Default)]
struct Watched {
    failing: AtomicBool,
    since: Mutex<Option<(Instant, String)>>,
}

/// One who flushes, and since when.
pub(crate) struct Flusher {
    verb: &'static str,
    /// Milliseconds after the beginning; 0 while it waits for calls.
    since: AtomicU64,
}

impl Watched {
    fn failed(&self, why: impl Into<String>) {
        let mut since = lock(&self.since);
        let first = since
            .as_ref()
            .map_or_else(Instant::now, |(first, _)| *first);
        *since = Some((first, why.into()));
        self.failing.store(true, Ordering::Release);
    }

    fn works(&self) {
        if self.failing.load(Ordering::Acquire) {
            *lock(&self.since) = None;
            self.failing.store(false, Ordering::Release);
        }
    }

    fn trouble(&self, part: &str) -> Option<Trouble> {
        let (since, why) = lock(&self.since).clone()?;
        Some(Trouble {
            part: part.to_owned(),
            lasting: since.elapsed(),
            why,
        })
    }
}

impl Health {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            database: Watched::default(),
            writes: Watched::default(),
            exhausted: Mutex::default(),
            flushers: Mutex::default(),
            probed: tokio::sync::Mutex::default(),
        })
    }

    fn ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// A statement was answered.
    pub(crate) fn answered(&self) {
        self.database.works();
    }

    /// A statement failed for want of a database that can do it.
    pub(crate) fn failed(&self, error: &sqlx::Error) {
        let (part, why) = sqlstate::words(error);
        match part {
            Part::Database => self.database.failed(why),
            Part::Writes => self.writes.failed(why),
            Part::Nothing => {}
        }
    }

    /// A new connection could not be used.
    pub(crate) fn refused(&self, why: &Error) {
        self.database.failed(match why {
            Error::Session(_) => why.to_string(),
            _ => "new connections cannot be used".to_owned(),
        });
    }

    /// Every connection was in use for as long as a call waits for one.
    pub(crate) fn exhausted(&self) {
        let mut exhausted = lock(&self.exhausted);
        let now = Instant::now();
        let first = match *exhausted {
            Some((first, last)) if last.elapsed() < EXHAUSTED_FOR => first,
            _ => now,
        };
        *exhausted = Some((first, now));
    }

    /// A flush wrote what it was asked to.
    fn wrote(&self) {
        self.writes.works();
    }

    /// Enters one who flushes a verb.
    pub(crate) fn flusher(&self, verb: &'static str) -> Arc<Flusher> {
        let flusher = Arc::new(Flusher {
            verb,
            since: AtomicU64::new(0),
        });
        lock(&self.flushers).push(flusher.clone());
        flusher
    }

    /// A flush begins.
    pub(crate) fn flushing(&self, flusher: &Flusher) {
        flusher.since.store(self.ms(), Ordering::Relaxed);
    }

    /// A flush ended; `wrote` says whether it wrote.
    pub(crate) fn flushed(&self, flusher: &Flusher, wrote: bool) {
        flusher.since.store(0, Ordering::Relaxed);
        if wrote {
            self.wrote();
        }
    }

    fn troubles(&self) -> Vec<Trouble> {
        let mut troubles: Vec<Trouble> = [
            self.database.trouble("database"),
            self.writes.trouble("writes"),
        ]
        .into_iter()
        .flatten()
        .collect();
        if let Some((first, last)) = *lock(&self.exhausted)
            && last.elapsed() < EXHAUSTED_FOR
        {
            troubles.push(Trouble {
                part: "connections".to_owned(),
                lasting: first.elapsed(),
                why: "every connection to the database is in use".to_owned(),
            });
        }
        let now = self.ms();
        for flusher in &*lock(&self.flushers) {
            let since = flusher.since.load(Ordering::Relaxed);
            let lasting = Duration::from_millis(now.saturating_sub(since));
            if since > 0 && lasting >= FLUSH_HANGS {
                troubles.push(Trouble {
                    part: format!("flush {}", flusher.verb),
                    lasting,
                    why: "it does not come to an end".to_owned(),
                });
            }
        }
        troubles
    }

    fn is_failing(&self) -> bool {
        [&self.database, &self.writes]
            .iter()
            .any(|watched| watched.failing.load(Ordering::Acquire))
    }
}

impl Engine {
    /// Returns what keeps this host from its work now; nothing while all is well.
    /// Takes two seconds at most, and rarely longer than a look into memory.
    pub async fn troubles(&self) -> Vec<Trouble> {
        self.probe().await;
        let mut troubles = self.inner.health.troubles();
        troubles.extend(self.inner.tasks.troubles());
        for sweep in self.sweep_figures() {
            let hangs = sweep.running.is_some_and(|running| running >= SWEEP_HANGS);
            if sweep.errors_in_a_row >= SWEEP_FAILS || hangs {
                troubles.push(Trouble {
                    part: format!("sweep {}", sweep.condition),
                    lasting: sweep.failing.or(sweep.running).unwrap_or_default(),
                    why: if hangs {
                        "it does not come to an end".to_owned()
                    } else {
                        "it fails; the log of the host says why".to_owned()
                    },
                });
            }
        }
        troubles
    }

    /// Whether the database answers and takes writes, as far as is known.
    pub async fn is_database_up(&self) -> bool {
        self.probe().await;
        !self.inner.health.is_failing()
    }

    /// Writes something small, unless that was done just now.
    async fn probe(&self) {
        let health = &self.inner.health;
        let mut probed = health.probed.lock().await;
        if probed.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        let probing = async {
            if health.writes.failing.load(Ordering::Acquire) {
                self.write_a_page().await
            } else {
                self.write_a_message().await
            }
        };
        match tokio::time::timeout(PROBE_TIMEOUT, probing).await {
            Ok(Ok(())) => health.writes.works(),
            // What failed noted why.
            Ok(Err(error)) => tracing::debug!(%error, "the database was asked how it is"),
            Err(_) => {
                let ms = PROBE_TIMEOUT.as_millis();
                health
                    .database
                    .failed(format!("it did not answer within {ms} ms"));
            }
        }
        *probed = Some(Instant::now());
    }

    /// Commits a record of the log that changes no table.
    async fn write_a_message(&self) -> Result<(), Error> {
        let row = sqlx::query!(
            r#"SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS "read_only!",
                      CASE WHEN pg_is_in_recovery() THEN NULL
                           ELSE pg_logical_emit_message(true, 'flowhost', '') END IS NULL AS "unwritten!""#
        )
        .fetch_one(&self.inner.verbs)
        .await?;
        if row.read_only || row.unwritten {
            self.inner.health.writes.failed(sqlstate::READ_ONLY);
            return Err(Error::Unavailable(sqlstate::READ_ONLY.to_owned()));
        }
        Ok(())
    }

    /// Has the server find room on its disk for a new table, which is gone at once; a
    /// row may fit into what a table has, and a page of the log into what is there.
    async fn write_a_page(&self) -> Result<(), Error> {
        let pages = "SET LOCAL temp_tablespaces = '';
             CREATE TEMPORARY TABLE flowhost_room ON COMMIT DROP AS
             SELECT repeat(n::text, 4000) AS filler FROM generate_series(1000, 1007) AS n";
        match sqlx::raw_sql(pages)
            .execute(&self.inner.verbs)
            .await
            .map_err(Error::from)
        {
            // A role that may make no table for itself learns less.
            Err(Error::Database(error)) => {
                tracing::debug!(%error, "no room was asked for");
                self.write_a_message().await
            }
            other => other.map(drop),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
