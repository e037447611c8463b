//! retire: registered → removed, when a worker ends in order. Locks: its row. Event: retired.

use model::WorkerRefusal;

use super::heartbeat::instance_name;
use crate::{Declined, Engine};

impl Engine {
    /// Removes a worker, registered for a namespace or for any, from the registry. Leases it still holds are not touched.
    ///
    /// # Refusals
    /// See [`WorkerRefusal`].
    pub async fn retire_worker(
        &self,
        worker_instance_id: &str,
        namespace: Option<&str>,
    ) -> Result<(), Declined<WorkerRefusal>> {
        instance_name(worker_instance_id)?;
        let retired = sqlx::query_scalar!(
            r#"WITH happened AS (
                   DELETE FROM worker
                   WHERE worker_instance_id = $1 AND ($2::text IS NULL OR namespace = $2)
                   RETURNING worker_instance_id, worker_id, namespace
               ),
               events AS (
                   INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs, workers, details)
                   SELECT 0, array_agg('retired'::event_kind), array_agg(NULL::uuid), array_agg(namespace),
                          array_agg(0), array_agg(worker_instance_id), array_agg(worker_id)
                   FROM happened
                   HAVING count(*) > 0
               )
               SELECT count(*) AS "retired!" FROM happened"#,
            worker_instance_id,
            namespace
        )
        .fetch_one(&self.inner.reads)
        .await?;
        match retired {
            0 => Err(WorkerRefusal::NotRegistered.into()),
            _ => Ok(()),
        }
    }
}
