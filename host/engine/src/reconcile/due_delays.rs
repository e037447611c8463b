//! due_delays: delayed and due → waiting. Event: `promoted`.

use super::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Promotes delayed executions whose time has come; returns how many.
    pub(crate) async fn due_delays(&self) -> Result<u64, Error> {
        let mut moved = 0;
        for partition in self.instance().partitions.all() {
            let lanes = sqlx::query_file_scalar!(
                "src/reconcile/due_delays.sql",
                partition.column(),
                SWEEP_MAX
            )
            .fetch_all(&self.inner.verbs)
            .await?;
            moved += lanes.len() as u64;
        }
        if moved > 0 {
            self.inner.wake.ready();
        }
        Ok(moved)
    }
}
