//! due_delays: delayed and due → waiting. Event: `promoted`.

use super::sweeps::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Promotes delayed executions that are due; returns their number.
    pub(crate) async fn due_delays(&self) -> Result<u64, Error> {
        let mut moved = 0;
        for partition in self.instance().partitions.all() {
            let promoted = sqlx::query_file_scalar!(
                "src/reconcile/due_delays.sql",
                partition.column(),
                SWEEP_MAX
            )
            .fetch_one(&self.inner.verbs)
            .await?;
            moved += promoted.unsigned_abs();
        }
        if moved > 0 {
            self.inner.wake.ready();
        }
        Ok(moved)
    }
}
