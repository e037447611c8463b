//! blocked_routes: blocked for want of a capable worker, and one lives → waiting.
//!
//! A scheduler blocks what nobody can run, so that it hides nothing behind it in
//! the queue (`POST /v1/executions/{id}/block`); this is the way back. Whoever is
//! registered counts, hosts included. Event: `unblocked`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::Partition;
use uuid::Uuid;

use super::SWEEP_MAX;
use crate::{Engine, Error};

/// Most statements of one sweep of a partition.
const STATEMENTS_MAX: usize = 10;

/// The execution this host looked at last on each partition. Only a hint: where
/// so many wait that one sweep does not reach the end, the next one goes on.
#[derive(Default)]
pub(crate) struct Looked(Mutex<HashMap<Partition, Uuid>>);

impl Engine {
    /// Puts executions back into their queue that have a capable worker now;
    /// returns how many.
    pub(crate) async fn blocked_routes(&self) -> Result<u64, Error> {
        let mut woken = 0;
        for partition in self.instance().partitions.all() {
            let mut after = self.inner.looked.get(partition);
            for _ in 0..STATEMENTS_MAX {
                let row = sqlx::query_file!(
                    "src/reconcile/blocked_routes.sql",
                    partition.column(),
                    after,
                    SWEEP_MAX,
                )
                .fetch_one(&self.inner.verbs)
                .await?;
                woken += row.woken.unsigned_abs();
                after = row
                    .last
                    .filter(|_| row.looked == SWEEP_MAX)
                    .unwrap_or_default();
                if after.is_nil() {
                    break;
                }
            }
            self.inner.looked.set(partition, after);
        }
        if woken > 0 {
            self.inner.wake.ready();
        }
        Ok(woken)
    }
}

impl Looked {
    fn get(&self, partition: Partition) -> Uuid {
        let looked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looked.get(&partition).copied().unwrap_or_default()
    }

    fn set(&self, partition: Partition, after: Uuid) {
        let mut looked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looked.insert(partition, after);
    }
}
