//! renew: active → active, with more time. check: whether leases still hold.
//!
//! Only a lease that is still held and has not expired is renewed. Locks:
//! the lease rows. Event: `renewed`.

use std::collections::HashMap;

use model::{ExecutionId, Fence, LeaseRefusal, Limits, Partition};
use time::OffsetDateTime;

use super::observe::{Observation, refusal, still_held};
use crate::columns::columns;
use crate::statements::{Statements, TRIES};
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
        let mut observed = HashMap::new();
        for (partition, mut open) in by_partition(fences) {
            for _ in 0..TRIES {
                for chunk in open.chunks(Limits::BATCH_MAX * 20) {
                    renewed.extend(statements.renew(partition, chunk, ttl_ms).await?);
                }
                open.retain(|fence| !renewed.contains_key(&fence.execution_id));
                if open.is_empty() {
                    break;
                }
                observed.extend(statements.observe_each(partition, &open).await?);
                open.retain(|fence| still_held(&observed, fence));
                if open.is_empty() {
                    break;
                }
            }
        }
        Ok(answers(fences, &observed, |fence| {
            renewed.get(&fence.execution_id).copied()
        }))
    }

    /// Tells for each lease, in order, whether it still holds; changes nothing.
    pub async fn check(&self, fences: &[Fence]) -> Result<Vec<Result<(), LeaseRefusal>>, Error> {
        let mut observed = HashMap::new();
        for (partition, part) in by_partition(fences) {
            observed.extend(self.statements().observe_each(partition, &part).await?);
        }
        Ok(answers(fences, &observed, |fence| {
            still_held(&observed, fence).then_some(())
        }))
    }
}

impl Statements {
    async fn renew(
        &self,
        partition: Partition,
        fences: &[Fence],
        ttl_ms: u32,
    ) -> Result<Vec<(ExecutionId, OffsetDateTime)>, Error> {
        let rows = columns!(
            query_file!("src/lease/renew.sql", partition.column(), ttl_ms as i32);
            for fence in fences => {
                ids = fence.execution_id.uuid();
                lease_ids = fence.lease_id.0;
                epochs = fence.epoch as i64;
                attempts = fence.attempt as i32;
            }
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
    observed: &HashMap<ExecutionId, Observation>,
    found: impl Fn(&Fence) -> Option<T>,
) -> Vec<Result<T, LeaseRefusal>> {
    let answer = |fence| found(fence).ok_or_else(|| refusal(observed, fence));
    fences.iter().map(answer).collect()
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
