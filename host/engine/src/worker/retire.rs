//! retire: registered → removed, when a worker ends in order. Locks: its row. No event.

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
        let done = sqlx::query!(
            "DELETE FROM worker
             WHERE worker_instance_id = $1 AND ($2::text IS NULL OR namespace = $2)",
            worker_instance_id,
            namespace
        )
        .execute(&self.inner.reads)
        .await?;
        match done.rows_affected() {
            0 => Err(WorkerRefusal::NotRegistered.into()),
            _ => Ok(()),
        }
    }
}
