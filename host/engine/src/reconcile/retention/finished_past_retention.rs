//! finished_past_retention: finished longer ago than it is to be kept → removed, with
//! every row it has. No event: the log says when the execution ended.
//!
//! The end of an execution is the hottest write there is, so it pays nothing for this:
//! an index on `finished_at` was measured to add 73 bytes of log to each end, nearly 5 %
//! of a lifecycle; a block range index adds none, but loses its order once space is used
//! again. Ids are in the order of creation, so executions without a retention of their
//! own are found by reading the primary key of `finished` from the oldest id to the
//! first that is younger than the retention. Executions that ran long, or are kept
//! longer, are skipped, and a cursor is remembered. Executions with a retention of their
//! own are rare and have a timer from their creation on.
//!
//! A removed execution is unknown from then on, as if it had never been. An execution
//! stays at least as long as its idempotency key is remembered.

use crate::reconcile::sweeps::SWEEP_MAX;
use crate::{Engine, Error};

/// Most statements of one sweep of a partition, so that a stretch of executions that
/// stay is passed quickly and still does not occupy a connection for long.
const STATEMENTS_MAX: usize = 20;

impl Engine {
    /// Removes executions whose retention is over; returns their number.
    pub(crate) async fn finished_past_retention(&self) -> Result<u64, Error> {
        let cursors = &self.inner.sweeps.retention_cursors;
        let mut removed = 0;
        for partition in self.instance().partitions.all() {
            let mut cursor = cursors.get(partition);
            for _ in 0..STATEMENTS_MAX {
                let row = sqlx::query_file!(
                    "src/reconcile/retention/finished_past_retention.sql",
                    partition.column(),
                    cursor.after,
                    cursor.future,
                    SWEEP_MAX,
                    self.inner.retention.finished_column(),
                )
                .fetch_one(&self.inner.verbs)
                .await?;
                removed += row.removed.unsigned_abs();
                let (next, at_end) = cursor.next(row.last, row.old >= SWEEP_MAX);
                cursor = next;
                if at_end && row.due < SWEEP_MAX {
                    break;
                }
            }
            cursors.set(partition, cursor);
        }
        Ok(removed)
    }
}
