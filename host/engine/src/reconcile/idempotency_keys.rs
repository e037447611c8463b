//! idempotency_keys: past their window → forgotten. No event.

use super::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Forgets keys past their window; returns how many.
    pub(crate) async fn idempotency_keys(&self) -> Result<u64, Error> {
        let mut forgotten = 0;
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
            forgotten += done.rows_affected();
        }
        Ok(forgotten)
    }
}
