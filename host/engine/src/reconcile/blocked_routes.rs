//! blocked_routes: blocked for want of a capable worker, and one is live → waiting.
//!
//! A scheduler blocks an execution that no worker can run, so that it hides nothing
//! behind it in the queue (`POST /v1/executions/{id}/block`); this is the way back. Every
//! registered worker counts, hosts included. Event: `unblocked`.

use super::sweeps::SWEEP_MAX;
use crate::{Engine, Error};

/// Most statements of one sweep of a partition.
const STATEMENTS_MAX: usize = 10;

impl Engine {
    /// Returns executions to their queue that have a capable worker now; returns their
    /// number.
    pub(crate) async fn blocked_routes(&self) -> Result<u64, Error> {
        let cursors = &self.inner.sweeps.blocked_routes_cursors;
        let mut unblocked = 0;
        for partition in self.instance().partitions.all() {
            let mut after = cursors.get(partition);
            for _ in 0..STATEMENTS_MAX {
                let row = sqlx::query_file!(
                    "src/reconcile/blocked_routes.sql",
                    partition.column(),
                    after,
                    SWEEP_MAX,
                )
                .fetch_one(&self.inner.verbs)
                .await?;
                unblocked += row.unblocked.unsigned_abs();
                after = row
                    .last
                    .filter(|_| row.candidates == SWEEP_MAX)
                    .unwrap_or_default();
                if after.is_nil() {
                    break;
                }
            }
            cursors.set(partition, after);
        }
        if unblocked > 0 {
            self.inner.wake.ready();
        }
        Ok(unblocked)
    }
}
