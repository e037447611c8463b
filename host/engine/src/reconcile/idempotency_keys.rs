//! idempotency_keys: past their window → removed. No event.

use super::sweeps::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Removes keys past their window; returns their number.
    pub(crate) async fn idempotency_keys(&self) -> Result<u64, Error> {
        let mut removed = 0;
        for partition in self.instance().partitions.all() {
            let done = sqlx::query!(
                "DELETE FROM idempotency WHERE ctid = ANY (ARRAY(
                     SELECT ctid FROM idempotency
                     WHERE partition = $1 AND expires_at <= statement_timestamp()
                     ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))",
                partition.column(),
                SWEEP_MAX
            )
            .execute(&self.inner.reads)
            .await?;
            removed += done.rows_affected();
        }
        Ok(removed)
    }
}
