//! streams_due: frames that are kept no longer → removed: those of streams whose time to
//! live is over, of best effort, and of executions that were removed. No event.
//!
//! A stream may have a million frames, so they are removed in chunks; the time at which the
//! stream is looked at again is changed once nothing is left to remove.

use model::{ExecutionId, Partition};
use time::{Duration, OffsetDateTime};

use crate::stream::{StreamRead, read_facts, remove_trimmed};
use crate::{Engine, Error};

/// Most streams of one sweep.
const STREAMS_MAX: i64 = 100;
/// Most chunks of one stream in one sweep.
const CHUNKS_MAX: usize = 20;

/// A stream of which something may have to be removed.
#[derive(Debug, Clone, Copy)]
struct DueStream {
    id: ExecutionId,
    attempt: u32,
    /// How long it is kept after the end of its attempt.
    ttl_ms: Option<i64>,
    /// How long frames of best effort can be read.
    best_effort_ttl_ms: Option<i32>,
    /// Whether its execution was removed.
    orphaned: bool,
}

impl Engine {
    /// Removes frames that are kept no longer; returns their number and that of the streams.
    pub(crate) async fn streams_due(&self) -> Result<u64, Error> {
        let rows = sqlx::query!(
            "SELECT execution_id, attempt, ttl_ms, best_effort_ttl_ms, orphaned
             FROM stream WHERE due_at <= statement_timestamp()
             ORDER BY due_at LIMIT $1",
            STREAMS_MAX
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let mut removed = 0;
        for row in rows {
            let due = DueStream {
                id: ExecutionId::from_uuid(row.execution_id),
                attempt: row.attempt.unsigned_abs(),
                ttl_ms: row.ttl_ms,
                best_effort_ttl_ms: row.best_effort_ttl_ms,
                orphaned: row.orphaned,
            };
            removed += 1 + self.remove_due(due).await?;
        }
        Ok(removed)
    }

    /// Removes what is due of one stream; returns the number of frames.
    async fn remove_due(&self, due: DueStream) -> Result<u64, Error> {
        let partition = due.id.partition();
        let stream = (due.id, due.attempt);
        let facts = read_facts(&self.inner.reads, partition, &[stream])
            .await?
            .remove(0);
        let whole = due.orphaned || facts.is_past_ttl;
        self.trim_due(partition, &due, whole).await?;
        let mut removed = 0;
        for _ in 0..CHUNKS_MAX {
            let (frames, left) = remove_trimmed(&self.inner.verbs, partition, &[stream]).await?;
            removed += frames;
            if left == 0 {
                self.look_again(partition, &due, &facts).await?;
                break;
            }
            // Another statement changed the stream at the same time; the next sweep.
            if frames == 0 {
                break;
            }
        }
        Ok(removed)
    }

    /// Trims a whole stream, or its frames of best effort whose time is over.
    async fn trim_due(
        &self,
        partition: Partition,
        due: &DueStream,
        whole: bool,
    ) -> Result<(), Error> {
        sqlx::query_file!(
            "src/reconcile/retention/trim_due.sql",
            partition.column(),
            due.id.uuid(),
            due.attempt as i32,
            whole
        )
        .execute(&self.inner.verbs)
        .await?;
        Ok(())
    }

    /// Sets when a stream is looked at again; removes the row of one without an execution.
    async fn look_again(
        &self,
        partition: Partition,
        due: &DueStream,
        facts: &StreamRead,
    ) -> Result<(), Error> {
        if due.orphaned {
            sqlx::query!(
                "DELETE FROM stream
                 WHERE partition = $1 AND execution_id = $2 AND attempt = $3 AND orphaned",
                partition.column(),
                due.id.uuid(),
                due.attempt as i32
            )
            .execute(&self.inner.verbs)
            .await?;
            return Ok(());
        }
        sqlx::query!(
            "UPDATE stream
             SET due_at = least($4::timestamptz, CASE WHEN best_effort > best_effort_trimmed
                                                     THEN $5::timestamptz END)
             WHERE partition = $1 AND execution_id = $2 AND attempt = $3 AND NOT orphaned",
            partition.column(),
            due.id.uuid(),
            due.attempt as i32,
            due.kept_until(facts),
            due.best_effort_until(facts.now)
        )
        .execute(&self.inner.verbs)
        .await?;
        Ok(())
    }
}

impl DueStream {
    /// Returns when the time to live of the stream is over at the earliest.
    fn kept_until(&self, facts: &StreamRead) -> Option<OffsetDateTime> {
        let ttl = Duration::milliseconds(self.ttl_ms?);
        let until = facts.closed.map_or(facts.now, |closed| closed.at);
        let until = until.checked_add(ttl);
        until.filter(|until| *until > facts.now)
    }

    /// Returns when frames of best effort that are there now have expired.
    fn best_effort_until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let ttl = Duration::milliseconds(self.best_effort_ttl_ms?.into());
        now.checked_add(ttl)
    }
}
