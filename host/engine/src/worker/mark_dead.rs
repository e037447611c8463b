//! mark dead: registered → dead, at the request of an operator.
//!
//! If asked to, revokes its leases as well: each ends as `lease_revoked` through the
//! statement that ends every lease, and its execution is ready to be reclaimed, or has
//! failed at its cap. Locks: the worker's row. Events: `marked_dead`; `revoked` or
//! `failed` of each execution.

use model::{Invalid, Limits, WorkerRefusal};

use super::heartbeat::instance_name;
use crate::lease::EndLease;
use crate::row::fence;
use crate::{Declined, Engine, Error};

/// Leases that one batch revokes.
const BATCH: i64 = Limits::BATCH_MAX as i64;

/// A request to mark a worker dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkDead {
    /// Name of the worker instance.
    pub worker_instance_id: String,
    /// The namespace it must be registered for; absent: any.
    pub namespace: Option<String>,
    /// Why, for people: 1 to 256 bytes without control characters.
    pub reason: String,
    /// Whether its leases end now rather than when they expire.
    pub revoke_leases: bool,
}

/// What marking a worker dead changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkedDead {
    /// Whether the worker was dead before.
    pub already: bool,
    /// Number of leases that were revoked.
    pub revoked: u64,
}

impl Engine {
    /// Marks a registered worker dead. Succeeds again on one that is dead, and
    /// then revokes what it holds if asked to.
    ///
    /// # Refusals
    /// See [`WorkerRefusal`].
    pub async fn mark_worker_dead(
        &self,
        dead: MarkDead,
    ) -> Result<MarkedDead, Declined<WorkerRefusal>> {
        dead.check()?;
        let row = sqlx::query!(
            r#"WITH found AS MATERIALIZED (
                   SELECT worker_instance_id, dead_at IS NOT NULL AS already
                   FROM worker
                   WHERE worker_instance_id = $1 AND ($3::text IS NULL OR namespace = $3)
                   FOR UPDATE
               ),
               marked AS (
                   UPDATE worker w SET dead_at = clock_timestamp(), dead_reason = $2
                   FROM found f
                   WHERE w.worker_instance_id = f.worker_instance_id AND NOT f.already
                   RETURNING w.worker_instance_id, w.namespace
               ),
               events AS (
                   INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs, workers, details)
                   SELECT 0, array_agg('marked_dead'::event_kind), array_agg(NULL::uuid), array_agg(namespace),
                          array_agg(0), array_agg(worker_instance_id), array_agg($2::text)
                   FROM marked
                   HAVING count(*) > 0
               )
               SELECT already AS "already!" FROM found"#,
            dead.worker_instance_id,
            dead.reason,
            dead.namespace
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        let row = row.ok_or(WorkerRefusal::NotRegistered)?;
        let revoked = if dead.revoke_leases {
            self.revoke_leases_of(&dead).await?
        } else {
            0
        };
        Ok(MarkedDead {
            already: row.already,
            revoked,
        })
    }

    /// Revokes every lease of a worker, in its namespace if one is given; returns how many.
    async fn revoke_leases_of(&self, dead: &MarkDead) -> Result<u64, Error> {
        let why = format!("the worker was marked dead: {}", dead.reason);
        let mut ended = 0;
        loop {
            let rows = sqlx::query!(
                r#"SELECT l.execution_id, l.lease_id, l.epoch, l.attempt,
                          l.reclaims >= e.max_reclaims AS "at_cap!"
                   FROM lease l
                   CROSS JOIN LATERAL (
                       SELECT e.* FROM execution e
                       WHERE e.partition = l.partition AND e.id = l.execution_id OFFSET 0
                   ) AS e
                   WHERE l.worker_instance_id = $1 AND ($3::text IS NULL OR l.namespace = $3)
                   LIMIT $2"#,
                dead.worker_instance_id,
                BATCH,
                dead.namespace
            )
            .fetch_all(&self.inner.reads)
            .await?;
            let full = rows.len() as i64 == BATCH;
            let calls = rows
                .into_iter()
                .map(|row| {
                    let fence = fence(row.execution_id, row.lease_id, row.epoch, row.attempt);
                    EndLease::revoked(fence, &why, row.at_cap)
                })
                .collect();
            ended += self.end_leases(calls).await?;
            if !full {
                return Ok(ended);
            }
        }
    }
}

impl MarkDead {
    fn check(&self) -> Result<(), Invalid> {
        instance_name(&self.worker_instance_id)?;
        model::plain_text("reason", &self.reason, Limits::DEAD_REASON_BYTES_MAX)
    }
}
