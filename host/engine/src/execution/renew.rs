//! renew: active → active, with more time. check: whether leases still hold.
//!
//! Renewal demands that the caller still owns a lease that has not lapsed. Locks:
//! the lease rows. Event: `renewed`.

use std::collections::HashMap;

use model::{ExecutionId, Fence, LeaseRefusal, Limits, Partition};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Statements;
use crate::{Engine, Error};

impl Engine {
    /// Renews leases for `ttl_ms` from now, in one statement per partition, and
    /// returns for each, in order, when it now ends.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`].
    pub async fn renew(
        &self,
        fences: &[Fence],
        ttl_ms: u32,
    ) -> Result<Vec<Result<OffsetDateTime, LeaseRefusal>>, Error> {
        let ttl_ms = ttl_ms.clamp(*Limits::LEASE_TTL_MS.start(), *Limits::LEASE_TTL_MS.end());
        let mut renewed = HashMap::with_capacity(fences.len());
        for (partition, part) in by_partition(fences) {
            for chunk in part.chunks(Limits::BATCH_MAX * 20) {
                let columns = Columns::of(chunk);
                let rows = sqlx::query_file!(
                    "src/execution/renew.sql",
                    partition.column(),
                    &columns.ids,
                    &columns.leases,
                    &columns.epochs,
                    &columns.attempts,
                    ttl_ms as i32,
                )
                .fetch_all(&self.inner.verbs)
                .await?;
                renewed.extend(
                    rows.into_iter()
                        .map(|row| (row.execution_id, row.expires_at)),
                );
            }
        }
        self.answer(fences, |id| renewed.get(&id.uuid()).copied())
            .await
    }

    /// Tells for each lease, in order, whether it still holds; changes nothing.
    pub async fn check(&self, fences: &[Fence]) -> Result<Vec<Result<(), LeaseRefusal>>, Error> {
        let mut held = HashMap::with_capacity(fences.len());
        for (partition, part) in by_partition(fences) {
            let columns = Columns::of(&part);
            let rows = sqlx::query_scalar!(
                r#"SELECT w.execution_id AS "id!"
                   FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::integer[])
                       AS w(execution_id, lease_id, epoch, attempt)
                   CROSS JOIN LATERAL (
                       SELECT l.* FROM lease l
                       WHERE l.partition = $1 AND l.execution_id = w.execution_id OFFSET 0
                   ) AS l
                   WHERE l.lease_id = w.lease_id AND l.epoch = w.epoch AND l.attempt = w.attempt
                     AND l.expires_at > clock_timestamp()"#,
                partition.column(),
                &columns.ids,
                &columns.leases,
                &columns.epochs,
                &columns.attempts,
            )
            .fetch_all(&self.inner.verbs)
            .await?;
            held.extend(rows.into_iter().map(|id| (id, ())));
        }
        self.answer(fences, |id| held.get(&id.uuid()).copied())
            .await
    }

    async fn answer<T>(
        &self,
        fences: &[Fence],
        found: impl Fn(ExecutionId) -> Option<T>,
    ) -> Result<Vec<Result<T, LeaseRefusal>>, Error> {
        let misses: Vec<Fence> = fences
            .iter()
            .copied()
            .filter(|f| found(f.execution_id).is_none())
            .collect();
        let statements = self.statements();
        let mut looks = HashMap::new();
        for (partition, part) in by_partition(&misses) {
            looks.extend(statements.observe(partition, &part).await?);
        }
        Ok(fences
            .iter()
            .map(|fence| match found(fence.execution_id) {
                Some(value) => Ok(value),
                None => Err(looks
                    .get(&fence.execution_id)
                    .map_or(LeaseRefusal::ExecutionNotFound, |look| {
                        look.observed.refusal(fence)
                    })),
            })
            .collect())
    }

    /// Returns what the coalesced statements run on, for those that are not.
    pub(crate) fn statements(&self) -> Statements {
        Statements {
            verbs: self.inner.verbs.clone(),
            wake: self.inner.wake.clone(),
            standbys: self.inner.standbys.clone(),
        }
    }
}

/// Groups fences by partition, in the order of their ids.
fn by_partition(fences: &[Fence]) -> HashMap<Partition, Vec<Fence>> {
    let mut groups: HashMap<Partition, Vec<Fence>> = HashMap::new();
    for fence in fences {
        groups
            .entry(fence.execution_id.partition())
            .or_default()
            .push(*fence);
    }
    for group in groups.values_mut() {
        group.sort_by_key(|fence| fence.execution_id);
    }
    groups
}

struct Columns {
    ids: Vec<Uuid>,
    leases: Vec<Uuid>,
    epochs: Vec<i64>,
    attempts: Vec<i32>,
}

impl Columns {
    fn of(fences: &[Fence]) -> Self {
        Self {
            ids: fences.iter().map(|f| f.execution_id.uuid()).collect(),
            leases: fences.iter().map(|f| f.lease_id.0).collect(),
            epochs: fences.iter().map(|f| f.epoch as i64).collect(),
            attempts: fences.iter().map(|f| f.attempt as i32).collect(),
        }
    }
}
