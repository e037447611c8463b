//! dead_workers: not heard from in time → dead; dead for a day → forgotten.
//!
//! Executions of a dead worker come back when their leases lapse. No event.

use super::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Gives up workers that fell silent and forgets old ones; returns how many.
    pub(crate) async fn dead_workers(&self) -> Result<u64, Error> {
        let given_up = sqlx::query!(
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
        let forgotten = sqlx::query!(
            "DELETE FROM worker WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM worker
                 WHERE dead_at <= statement_timestamp() - interval '1 day'
                 LIMIT $1 FOR UPDATE SKIP LOCKED))",
            SWEEP_MAX
        )
        .execute(&self.inner.reads)
        .await?;
        Ok(given_up.rows_affected() + forgotten.rows_affected())
    }
}
