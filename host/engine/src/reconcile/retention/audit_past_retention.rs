//! audit_past_retention: audit entries and sums of refusals older than they are to be kept →
//! removed. No event.

use crate::reconcile::sweeps::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Removes what the audit kept long enough; returns the number of rows.
    pub(crate) async fn audit_past_retention(&self) -> Result<u64, Error> {
        let Some(retention_ms) = self.inner.retention.audit_column() else {
            return Ok(0);
        };
        let entries = sqlx::query!(
            "DELETE FROM audit WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM audit
                 WHERE at <= statement_timestamp() - $1::bigint * interval '1 millisecond'
                 ORDER BY at, id LIMIT $2 FOR UPDATE SKIP LOCKED))",
            retention_ms,
            SWEEP_MAX
        )
        .execute(&self.inner.reads)
        .await?;
        let sums = sqlx::query!(
            "DELETE FROM audit_refusals WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM audit_refusals
                 WHERE minute <= statement_timestamp() - $1::bigint * interval '1 millisecond'
                 ORDER BY minute, address, reason LIMIT $2 FOR UPDATE SKIP LOCKED))",
            retention_ms,
            SWEEP_MAX
        )
        .execute(&self.inner.reads)
        .await?;
        Ok(entries.rows_affected() + sums.rows_affected())
    }
}
