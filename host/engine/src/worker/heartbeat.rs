//! heartbeat: live → live, for longer. Locks: the worker's row. No event.

use model::{Invalid, WorkerRefusal};
use time::OffsetDateTime;

use crate::{Declined, Engine};

impl Engine {
    /// Extends the time for which a worker, registered for a namespace or for any, is taken
    /// to be live; returns its end.
    ///
    /// # Refusals
    /// `not_registered` also when that time has passed: the worker registers again, with
    /// what it can do now.
    pub async fn heartbeat_worker(
        &self,
        worker_instance_id: &str,
        namespace: Option<&str>,
    ) -> Result<OffsetDateTime, Declined<WorkerRefusal>> {
        instance_name(worker_instance_id)?;
        let expires_at = sqlx::query_scalar!(
            "UPDATE worker
             SET heartbeat_at = clock_timestamp(),
                 expires_at = clock_timestamp() + liveness_ttl_ms * interval '1 millisecond'
             WHERE worker_instance_id = $1 AND dead_at IS NULL AND expires_at > clock_timestamp()
               AND ($2::text IS NULL OR namespace = $2)
             RETURNING expires_at",
            worker_instance_id,
            namespace
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        Ok(expires_at.ok_or(WorkerRefusal::NotRegistered)?)
    }
}

/// Checks the name of a worker instance.
pub(super) fn instance_name(text: &str) -> Result<(), Invalid> {
    model::worker_name("worker_instance_id", text)
}
