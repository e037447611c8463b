//! dead_workers: no heartbeat in time → dead; dead for a day → removed.
//!
//! Executions of a dead worker can be claimed again when their leases expire. No event.

use super::sweeps::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Marks workers dead that sent no heartbeat in time and removes old ones; returns
    /// their number.
    pub(crate) async fn dead_workers(&self) -> Result<u64, Error> {
        let marked = sqlx::query!(
            "UPDATE worker SET dead_at = clock_timestamp(),
                               dead_reason = 'not heard from within its time to live'
             WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM worker
                 WHERE dead_at IS NULL AND expires_at <= statement_timestamp()
                 LIMIT $1 FOR UPDATE SKIP LOCKED))",
            SWEEP_MAX
        )
        .execute(&self.inner.reads)
        .await?;
        let removed = sqlx::query!(
            "DELETE FROM worker WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM worker
                 WHERE dead_at <= statement_timestamp() - interval '1 day'
                 LIMIT $1 FOR UPDATE SKIP LOCKED))",
            SWEEP_MAX
        )
        .execute(&self.inner.reads)
        .await?;
        Ok(marked.rows_affected() + removed.rows_affected())
    }
}
