//! events_past_retention: events older than they are to be kept → removed.
//!
//! Whole rows of the log are removed, from its front. The log tells followers what is
//! new; what happened to an execution is read from its own rows, which last as long as
//! it does, so the two retentions do not depend on each other. A reader whose cursor was
//! removed meanwhile is refused.

use crate::reconcile::sweeps::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Removes events whose retention is over; returns the number of rows of the log.
    pub(crate) async fn events_past_retention(&self) -> Result<u64, Error> {
        let Some(retention_ms) = self.inner.retention.events_column() else {
            return Ok(0);
        };
        let removed = sqlx::query_file_scalar!(
            "src/reconcile/retention/events_past_retention.sql",
            retention_ms,
            SWEEP_MAX,
            self.last_stripe()
        )
        .fetch_one(&self.inner.verbs)
        .await?;
        // What a reader asks of an execution that is gone lasts as long as its events.
        sqlx::query!(
            "DELETE FROM removed_execution WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM removed_execution
                 WHERE removed_at <= statement_timestamp() - $1::bigint * interval '1 millisecond'
                 ORDER BY removed_at LIMIT $2 FOR UPDATE SKIP LOCKED))",
            retention_ms,
            SWEEP_MAX
        )
        .execute(&self.inner.verbs)
        .await?;
        Ok(removed.unsigned_abs())
    }
}
