//! flows_past_retention: flow whose members ended long ago, or that never had any → removed.
//!
//! The flow goes first, as a whole; from then on its members are executions past their
//! retention as any other. No event.

use crate::reconcile::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Removes flows whose retention is over; returns their number.
    pub(crate) async fn flows_past_retention(&self) -> Result<u64, Error> {
        let Some(retention_ms) = self.inner.retention.finished_column() else {
            return Ok(0);
        };
        let mut removed = 0;
        for partition in self.instance().partitions.all() {
            let rows = sqlx::query_file_scalar!(
                "src/flow/retention.sql",
                partition.column(),
                retention_ms,
                SWEEP_MAX
            )
            .fetch_all(&self.inner.verbs)
            .await?;
            removed += rows.len() as u64;
        }
        Ok(removed)
    }
}
