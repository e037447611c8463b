//! Up to which transaction the log can be read: no transaction before it will write to it
//! any more.
//!
//! Below the oldest running transaction of the server nothing changes. But that may be one
//! that has nothing to do with the log, such as a backup that runs for an hour. Where it
//! holds the horizon back, the transactions that may write to the log are looked at by
//! themselves. That needs three statements, one after the other:
//!
//! 1. the number `m` that the next transaction would get;
//! 2. the transactions that hold a lock on the log with which one writes;
//! 3. the events of transactions below `m` and below all of those.
//!
//! Every writer of the log is a single statement, which locks the table before it gets a
//! transaction id. So a writer that 2 does not see has ended before it, and 3 sees what it
//! wrote, or gets an id of `m` or more. In one statement 2 and 3 would see one moment, and
//! a writer that ends between the two looks would be skipped.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::database::Pool;
use crate::{Engine, Error};

/// How long the oldest running transaction may hold the horizon back before writers of the
/// log are looked at by themselves.
const PATIENCE: Duration = Duration::from_millis(20);

/// The horizon that was seen last, and since when it did not move.
#[derive(Debug, Default)]
pub(crate) struct Horizon(Mutex<Option<(u64, Instant)>>);

impl Horizon {
    /// Whether the oldest running transaction was the same one some time ago.
    fn lags(&self, oldest: u64) -> bool {
        let mut seen = self.0.lock();
        match *seen {
            Some((before, since)) if before == oldest => since.elapsed() >= PATIENCE,
            _ => {
                *seen = Some((oldest, Instant::now()));
                false
            }
        }
    }
}

impl Engine {
    /// Returns the first transaction whose events cannot be read yet.
    pub(super) async fn horizon(&self, prompt: bool) -> Result<u64, Error> {
        let reads = &self.inner.reads;
        let running = sqlx::query!(
            r#"SELECT pg_snapshot_xmin(s)::text::bigint AS "oldest!",
                      pg_snapshot_xmax(s)::text::bigint AS "next!"
               FROM pg_current_snapshot() AS s"#
        )
        .fetch_one(reads)
        .await?;
        let (oldest, next) = (running.oldest.unsigned_abs(), running.next.unsigned_abs());
        if oldest == next || !(self.inner.recent.horizon.lags(oldest) || prompt) {
            return Ok(oldest);
        }
        let writer = oldest_writer(reads, next).await?;
        Ok(writer.map_or(next, |writer| writer.min(next)))
    }
}

/// Returns the oldest transaction with an id that may write to the log; `next` is the
/// number that a transaction would have got before.
async fn oldest_writer(reads: &Pool, next: u64) -> Result<Option<u64>, Error> {
    let ids = sqlx::query_scalar!(
        r#"WITH held AS MATERIALIZED (SELECT * FROM pg_locks WHERE granted),
               writers AS (
                   SELECT h.virtualtransaction FROM held h
                   WHERE h.locktype = 'relation' AND h.relation = 'event'::regclass
                     AND h.database = (SELECT oid FROM pg_database
                                       WHERE datname = current_database())
                     AND h.mode NOT IN ('AccessShareLock', 'RowShareLock')
               )
           SELECT h.transactionid::text::bigint AS "id!" FROM held h
           WHERE h.locktype = 'transactionid' AND h.mode = 'ExclusiveLock'
             AND h.virtualtransaction IN (SELECT virtualtransaction FROM writers)"#
    )
    .fetch_all(reads)
    .await?;
    // Locks name transactions by the lower half of their ids.
    let whole = |id: i64| {
        let id = (next & !u64::from(u32::MAX)) | id.unsigned_abs();
        match id > next {
            true => id.wrapping_sub(1 << 32),
            false => id,
        }
    };
    Ok(ids.into_iter().map(whole).min())
}
