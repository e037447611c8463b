//! A second look after a guarded write matched nothing.
//!
//! A statement finds a lease by its address. A renewal or a progress report that
//! commits in between moves the row, and the statement that waited for it
//! matches nothing although the lease holds; it is tried again.

use std::collections::HashMap;

use crate::pool::Pool;
use model::{AttemptEnd, ExecutionId, Fence, LeaseId, Observed, Outcome, Partition, StateKind};
use time::OffsetDateTime;
use uuid::Uuid;

use super::row::{count, epoch, label};
use super::{Payload, Statements};
use crate::{Engine, Error};

/// Tries of a write whose lease was rewritten while it waited for it.
pub(crate) const TRIES: u32 = 10;

/// What one execution looks like to whoever carries a fence.
#[derive(Debug)]
pub(crate) struct Look {
    /// For the refusal.
    pub(crate) observed: Observed,
    /// How the caller's own lease ended, if it did.
    pub(crate) own_end: Option<AttemptEnd>,
    /// What the execution ended with, if the caller's lease finished it.
    pub(crate) own_result: Option<Option<Payload>>,
    /// When it becomes due, if it is parked.
    pub(crate) wake_at: Option<OffsetDateTime>,
}

impl Engine {
    /// Looks at an execution from the view of whoever carries this fence.
    pub(crate) async fn look_under(&self, fence: Fence) -> Result<Option<Look>, Error> {
        let id = fence.execution_id;
        let mut looks = observe(&self.inner.verbs, id.partition(), &[fence]).await?;
        Ok(looks.remove(&id))
    }
}

impl Statements {
    /// Looks at the executions of these fences, all of one partition.
    pub(crate) async fn observe(
        &self,
        partition: Partition,
        fences: &[Fence],
    ) -> Result<HashMap<ExecutionId, Look>, Error> {
        observe(&self.verbs, partition, fences).await
    }
}

async fn observe(
    pool: &Pool,
    partition: Partition,
    fences: &[Fence],
) -> Result<HashMap<ExecutionId, Look>, Error> {
    let ids: Vec<Uuid> = fences.iter().map(|f| f.execution_id.uuid()).collect();
    let leases: Vec<Uuid> = fences.iter().map(|f| f.lease_id.0).collect();
    let epochs: Vec<i64> = fences.iter().map(|f| f.epoch as i64).collect();
    let rows = sqlx::query_file!(
        "src/execution/observe.sql",
        partition.column(),
        &ids,
        &leases,
        &epochs
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = ExecutionId::from_uuid(row.execution_id);
            let own_end: Option<AttemptEnd> = match &row.own_end {
                None => None,
                Some(text) => Some(label("attempt", "ended", id, text)?),
            };
            let outcome: Option<Outcome> = match &row.outcome {
                None => None,
                Some(text) => Some(label("finished", "outcome", id, text)?),
            };
            let held = match (row.lease_id, row.lease_epoch, row.lease_attempt) {
                (Some(lease), Some(at), Some(attempt)) => Some(Fence {
                    execution_id: id,
                    lease_id: LeaseId(lease),
                    epoch: epoch(at),
                    attempt: count(attempt),
                }),
                _ => None,
            };
            let parked: Option<StateKind> = match &row.parked_state {
                None => None,
                Some(text) => Some(label("parked", "state", id, text)?),
            };
            let observed = match held {
                _ if !row.exists => Observed::Missing,
                Some(fence) => Observed::Active {
                    fence,
                    expired: row.lease_expired.unwrap_or(false),
                },
                None => Observed::NotActive {
                    state: match outcome {
                        Some(_) => StateKind::Terminal,
                        None => parked.unwrap_or(StateKind::Waiting),
                    },
                    outcome,
                    epoch: epoch(row.epoch.unwrap_or(0)),
                    revoked: own_end == Some(AttemptEnd::LeaseRevoked),
                    lapsed: own_end == Some(AttemptEnd::LeaseExpired),
                },
            };
            let look = Look {
                observed,
                own_end,
                own_result: row
                    .own_finish
                    .then(|| Some(Payload::new(row.result_type?, row.result?))),
                wake_at: row.wake_at,
            };
            Ok((id, look))
        })
        .collect()
}
