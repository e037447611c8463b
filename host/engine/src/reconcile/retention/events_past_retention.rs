//! events_past_retention: events older than they are to be kept, or the oldest of a log that
//! exceeds its bound in bytes → removed.
//!
//! Whole rows of the log are removed, from its front. The log tells followers what is
//! new; what happened to an execution is read from its own rows, which last as long as
//! it does, so the two retentions do not depend on each other. A reader whose cursor was
//! removed meanwhile is refused.

use crate::reconcile::sweeps::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Removes events whose retention is over or for which there is no room, and what is
    /// kept of removed executions for their sake; returns the number of rows.
    pub(crate) async fn events_past_retention(&self) -> Result<u64, Error> {
        let retention_ms = self.inner.retention.events_column();
        let beyond = self.rows_beyond_bytes().await?;
        if retention_ms.is_none() && self.inner.retention.events_bytes_max().is_none() {
            return Ok(0);
        }
        let removed = sqlx::query_file_scalar!(
            "src/reconcile/retention/events_past_retention.sql",
            retention_ms,
            SWEEP_MAX,
            self.last_stripe(),
            beyond
        )
        .fetch_one(&self.inner.verbs)
        .await?;
        // What a reader asks of an execution that is gone lasts as long as its events.
        let gone = sqlx::query_file!(
            "src/reconcile/retention/removed_executions.sql",
            SWEEP_MAX,
            self.last_stripe()
        )
        .execute(&self.inner.verbs)
        .await?;
        Ok(removed.unsigned_abs() + gone.rows_affected())
    }
}
