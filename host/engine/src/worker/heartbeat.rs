//! heartbeat: live → live, for longer. Locks: the worker's row. No event.

use model::{Invalid, WorkerRefusal};
use time::OffsetDateTime;

use crate::{Answer, Engine};

impl Engine {
    /// Hears from a worker, and returns until when it is now believed to live.
    ///
    /// # Refusals
    /// `not_registered` also when its time has passed: it registers again, and
    /// says anew what it can do.
    pub async fn heartbeat_worker(
        &self,
        worker_instance_id: &str,
    ) -> Answer<OffsetDateTime, WorkerRefusal> {
        if let Err(invalid) = instance_name(worker_instance_id) {
            return Ok(Err(invalid.into()));
        }
        let expires_at = sqlx::query_scalar!(
            "UPDATE worker
             SET heartbeat_at = clock_timestamp(),
                 expires_at = clock_timestamp() + liveness_ttl_ms * interval '1 millisecond'
             WHERE worker_instance_id = $1 AND dead_at IS NULL AND expires_at > clock_timestamp()
             RETURNING expires_at",
            worker_instance_id
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        Ok(expires_at.ok_or(WorkerRefusal::NotRegistered))
    }
}

/// Checks the name of an instance.
pub(super) fn instance_name(text: &str) -> Result<(), Invalid> {
    model::worker_name("worker_instance_id", text)
}
