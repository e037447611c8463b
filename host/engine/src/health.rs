//! Whether this host can do its work now: the database, flushes, tasks and sweeps.
//!
//! When a caller asks, one small write is made besides, at most one a second.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::database::sqlstate;
use crate::{Engine, Error};

/// For how long the result of a small write is used.
const FRESH: Duration = Duration::from_secs(1);
/// Longest the small write may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Failures of a sweep in a row that are trouble.
const SWEEP_FAILS: u64 = 3;
/// A sweep that runs for so long hangs.
const SWEEP_HANGS: Duration = Duration::from_secs(120);

/// Something that keeps a host from its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The part that does not work: `database`, `writes`, `connections`, or `flush`,
    /// `sweep` or `task` with a name.
    pub part: String,
    /// Time since it stopped working.
    pub lasting: Duration,
    /// The reason, for people; holds nothing that is stored in the database.
    pub why: String,
}

/// When the last small write ended.
#[derive(Default)]
pub(crate) struct LastProbe(Mutex<Option<Instant>>);

impl Engine {
    /// Returns what keeps this host from its work now; nothing while all is well. Takes
    /// two seconds at most, and rarely longer than reading from memory.
    pub async fn troubles(&self) -> Vec<Trouble> {
        self.probe_database().await;
        let mut troubles: Vec<_> = self.inner.liveness.health.troubles().collect();
        troubles.extend(self.inner.flushes.troubles());
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
        self.probe_database().await;
        !self.inner.liveness.health.is_failing()
    }

    /// Makes a small write, unless one was made within the last second.
    async fn probe_database(&self) {
        let health = &self.inner.liveness.health;
        let mut last = self.inner.last_probe.0.lock().await;
        if last.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        let probing = async {
            if health.writes_fail() {
                self.write_a_page().await
            } else {
                self.write_a_message().await
            }
        };
        match tokio::time::timeout(PROBE_TIMEOUT, probing).await {
            Ok(Ok(())) => health.wrote(),
            // The statement that failed noted why.
            Ok(Err(error)) => tracing::debug!(%error, "a probe of the database failed"),
            Err(_) => health.gave_no_answer(PROBE_TIMEOUT),
        }
        *last = Some(Instant::now());
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
            self.inner.liveness.health.note_read_only();
            return Err(Error::Unavailable(sqlstate::READ_ONLY.to_owned()));
        }
        Ok(())
    }

    /// Has the server allocate room on its disk for a new table, which is dropped by the
    /// same statement; a row may fit into the room a table has, and a page of the log
    /// into its present file.
    async fn write_a_page(&self) -> Result<(), Error> {
        let pages = "SET LOCAL temp_tablespaces = '';
             CREATE TEMPORARY TABLE flowhost_room ON COMMIT DROP AS
             SELECT repeat(n::text, 4000) AS filler FROM generate_series(1000, 1007) AS n";
        match sqlx::raw_sql(pages)
            .execute(&self.inner.verbs)
            .await
            .map_err(Error::from)
        {
            // A role that may not create temporary tables learns less.
            Err(Error::Database(error)) => {
                tracing::debug!(%error, "the disk was not probed");
                self.write_a_message().await
            }
            other => other.map(drop),
        }
    }
}
