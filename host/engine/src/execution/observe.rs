//! A second look after a guarded write matched nothing.
//!
//! A statement finds a lease by its address. A renewal or a progress report that
//! commits in between moves the row, and the statement that waited for it
//! matches nothing although the lease holds; it is tried again.

use std::collections::HashMap;

use crate::pool::Pool;
use model::{
    AttemptEnd, ExecutionId, Failure, FailureClass, Fence, LeaseId, Observed, Outcome, Partition,
    StateKind,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Statements;
use super::row::{count, epoch, label};
use crate::{Engine, Error};

/// Tries of a write whose lease was rewritten while it waited for it.
pub(crate) const TRIES: u32 = 10;

/// What one execution looks like to whoever carries a fence.
#[derive(Debug)]
pub(crate) struct Look {
    /// For the refusal.
    pub(crate) observed: Observed,
    /// How the caller's own lease ended, if it did.
    pub(crate) own_end: Option<OwnEnd>,
}

impl Look {
    /// Whether the caller's own lease ended so.
    pub(crate) fn ended_as(&self, end: AttemptEnd) -> bool {
        self.own_end.as_ref().is_some_and(|own| own.ended == end)
    }
}

/// The end of a lease as it was recorded: what a repeat of the verb that brought it about
/// is compared with and answered from, whatever became of the execution since.
#[derive(Debug)]
pub(crate) struct OwnEnd {
    pub(crate) ended: AttemptEnd,
    pub(crate) released_at: OffsetDateTime,
    /// When the execution was to go on, after a retry or a delay.
    pub(crate) due_at: Option<OffsetDateTime>,
    pub(crate) failure: Option<Failure>,
    /// On whose behalf, if the execution still is as that end left it.
    pub(crate) source: Option<String>,
    /// Of the result, see [`super::Payload::digest`].
    pub(crate) result_digest: Option<Vec<u8>>,
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
            let ended: Option<AttemptEnd> = match &row.own_end {
                None => None,
                Some(text) => Some(label("attempt", "ended", id, text)?),
            };
            let class: Option<FailureClass> = match &row.failure_class {
                None => None,
                Some(text) => Some(label("attempt", "failure_class", id, text)?),
            };
            let own_end = ended
                .zip(row.released_at)
                .map(|(ended, released_at)| OwnEnd {
                    ended,
                    released_at,
                    due_at: row.due_at,
                    failure: class.zip(row.failure_code).map(|(class, code)| Failure {
                        class,
                        code,
                        message: row.failure_message.unwrap_or_default(),
                        backtrace: None,
                    }),
                    source: row.source,
                    result_digest: row.result_digest,
                });
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
                    revoked: ended == Some(AttemptEnd::LeaseRevoked),
                    lapsed: ended == Some(AttemptEnd::LeaseExpired),
                },
            };
            Ok((id, Look { observed, own_end }))
        })
        .collect()
}
