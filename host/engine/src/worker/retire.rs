//! retire: registered → forgotten, for a worker that ends well. No event.

use model::WorkerRefusal;

use super::heartbeat::instance_name;
use crate::{Answer, Engine};

impl Engine {
    /// Forgets a worker. Leases it still holds are not touched.
    ///
    /// # Refusals
    /// See [`WorkerRefusal`].
    pub async fn retire_worker(&self, worker_instance_id: &str) -> Answer<(), WorkerRefusal> {
        if let Err(invalid) = instance_name(worker_instance_id) {
            return Ok(Err(invalid.into()));
        }
        let done = sqlx::query!(
            "DELETE FROM worker WHERE worker_instance_id = $1",
            worker_instance_id
        )
        .execute(&self.inner.reads)
        .await?;
        Ok(if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(WorkerRefusal::NotRegistered)
        })
    }
}
