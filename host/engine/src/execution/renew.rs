//! renew: active → active, with more time. check: whether leases still hold.
//!
//! Renewal demands that the caller still owns a lease that has not lapsed. Locks:
//! the lease rows. Event: `renewed`.

use std::collections::HashMap;

use model::{ExecutionId, Fence, LeaseRefusal, Limits, Partition};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Statements;
use super::observe::{Look, TRIES};
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
        let statements = self.statements();
        let mut renewed = HashMap::with_capacity(fences.len());
        let mut looks = HashMap::new();
        for (partition, mut open) in by_partition(fences) {
            for _ in 0..TRIES {
                for chunk in open.chunks(Limits::BATCH_MAX * 20) {
                    renewed.extend(statements.renew(partition, chunk, ttl_ms).await?);
                }
                open.retain(|fence| !renewed.contains_key(&fence.execution_id));
                if open.is_empty() {
                    break;
                }
                looks.extend(statements.observe_each(partition, &open).await?);
                open.retain(|fence| {
                    let look = looks.get(&fence.execution_id);
                    look.is_some_and(|look| look.observed.holds(fence, false))
                });
                if open.is_empty() {
                    break;
                }
            }
        }
        Ok(answers(fences, &looks, |id| renewed.get(&id).copied()))
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
            held.extend(rows.into_iter().map(|id| (ExecutionId::from_uuid(id), ())));
        }
        let misses: Vec<Fence> = fences
            .iter()
            .copied()
            .filter(|fence| !held.contains_key(&fence.execution_id))
            .collect();
        let mut looks = HashMap::new();
        for (partition, part) in by_partition(&misses) {
            looks.extend(self.statements().observe_each(partition, &part).await?);
        }
        Ok(answers(fences, &looks, |id| held.get(&id).copied()))
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

impl Statements {
    async fn renew(
        &self,
        partition: Partition,
        fences: &[Fence],
        ttl_ms: u32,
    ) -> Result<Vec<(ExecutionId, OffsetDateTime)>, Error> {
        let columns = Columns::of(fences);
        let rows = sqlx::query_file!(
            "src/execution/renew.sql",
            partition.column(),
            &columns.ids,
            &columns.leases,
            &columns.epochs,
            &columns.attempts,
            ttl_ms as i32,
        )
        .fetch_all(&self.verbs)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (ExecutionId::from_uuid(row.execution_id), row.expires_at))
            .collect())
    }
}

/// Answers each fence with what was found for it, or names the refusal.
fn answers<T>(
    fences: &[Fence],
    looks: &HashMap<ExecutionId, Look>,
    found: impl Fn(ExecutionId) -> Option<T>,
) -> Vec<Result<T, LeaseRefusal>> {
    fences
        .iter()
        .map(|fence| match found(fence.execution_id) {
            Some(value) => Ok(value),
            None => Err(looks
                .get(&fence.execution_id)
                .map_or(LeaseRefusal::ExecutionNotFound, |look| {
                    look.observed.refusal(fence)
                })),
        })
        .collect()
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
