//! dead_workers: no heartbeat in time → dead; dead for a day → removed.
//!
//! Executions of a dead worker can be claimed again when their leases expire. Event: timed_out.

use super::sweeps::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Marks workers dead that sent no heartbeat in time and removes old ones; returns
    /// their number.
    pub(crate) async fn dead_workers(&self) -> Result<u64, Error> {
        let marked = sqlx::query_scalar!(
            r#"WITH marked AS (
                   UPDATE worker SET dead_at = clock_timestamp(),
                                     dead_reason = 'not heard from within its time to live'
                   WHERE ctid = ANY (ARRAY(
                       SELECT ctid FROM worker
                       WHERE dead_at IS NULL AND expires_at <= statement_timestamp()
                       LIMIT $1 FOR UPDATE SKIP LOCKED))
                   RETURNING worker_instance_id, worker_id, namespace
               ),
               events AS (
                   INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs, workers, details)
                   SELECT 0, array_agg('timed_out'::event_kind), array_agg(NULL::uuid), array_agg(namespace),
                          array_agg(0), array_agg(worker_instance_id), array_agg(worker_id)
                   FROM marked
                   HAVING count(*) > 0
               )
               SELECT count(*) AS "marked!" FROM marked"#,
            SWEEP_MAX
        )
        .fetch_one(&self.inner.reads)
        .await?
        .unsigned_abs();
        let removed = sqlx::query!(
            "DELETE FROM worker WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM worker
                 WHERE dead_at <= statement_timestamp() - interval '1 day'
                 LIMIT $1 FOR UPDATE SKIP LOCKED))",
            SWEEP_MAX
        )
        .execute(&self.inner.reads)
        .await?;
        Ok(marked + removed.rows_affected())
    }
}
