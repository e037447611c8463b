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
use super::row::{count, epoch, label, readable};
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
        let found = observe(&self.inner.verbs, id.partition(), &[fence]).await?;
        let found = found.into_iter().find(|row| row.id() == id);
        found.map(ObservedRow::read).transpose()
    }
}

impl Statements {
    /// Looks at the executions of these fences, all of one partition.
    pub(crate) async fn observe(
        &self,
        partition: Partition,
        fences: &[Fence],
    ) -> Result<HashMap<ExecutionId, Look>, Error> {
        let rows = observe(&self.verbs, partition, fences).await?;
        let read = |row: ObservedRow| Ok((row.id(), row.read()?));
        rows.into_iter().map(read).collect()
    }

    /// The same for callers whose leases are all answered at once: what cannot be read of
    /// one execution fails none of the others.
    pub(crate) async fn observe_each(
        &self,
        partition: Partition,
        fences: &[Fence],
    ) -> Result<HashMap<ExecutionId, Look>, Error> {
        let rows = observe(&self.verbs, partition, fences).await?;
        let read = |row: ObservedRow| {
            let (id, outline) = (row.id(), row.outline());
            let look = readable(row.read()).unwrap_or(Look {
                observed: outline,
                own_end: None,
            });
            (id, look)
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

async fn observe(
    pool: &Pool,
    partition: Partition,
    fences: &[Fence],
) -> Result<Vec<ObservedRow>, Error> {
    let ids: Vec<Uuid> = fences.iter().map(|f| f.execution_id.uuid()).collect();
    let leases: Vec<Uuid> = fences.iter().map(|f| f.lease_id.0).collect();
    let epochs: Vec<i64> = fences.iter().map(|f| f.epoch as i64).collect();
    Ok(sqlx::query_file_as!(
        ObservedRow,
        "src/execution/observe.sql",
        partition.column(),
        &ids,
        &leases,
        &epochs
    )
    .fetch_all(pool)
    .await?)
}

/// One execution, as the statement answers it.
struct ObservedRow {
    execution_id: Uuid,
    exists: bool,
    lease_id: Option<Uuid>,
    lease_epoch: Option<i64>,
    lease_attempt: Option<i32>,
    lease_expired: Option<bool>,
    outcome: Option<String>,
    parked_state: Option<String>,
    epoch: Option<i64>,
    own_end: Option<String>,
    released_at: Option<OffsetDateTime>,
    due_at: Option<OffsetDateTime>,
    failure_class: Option<String>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    source: Option<String>,
    result_digest: Option<Vec<u8>>,
}

impl ObservedRow {
    fn id(&self) -> ExecutionId {
        ExecutionId::from_uuid(self.execution_id)
    }

    /// Returns what can be told of any row.
    fn outline(&self) -> Observed {
        match self.held() {
            _ if !self.exists => Observed::Missing,
            Some(fence) => Observed::Active {
                fence,
                expired: self.lease_expired.unwrap_or(false),
            },
            None => Observed::NotActive {
                state: match (&self.outcome, &self.parked_state) {
                    (Some(_), _) => StateKind::Terminal,
                    // Whatever it waits for, it does not run.
                    (None, Some(_)) => StateKind::Blocked,
                    (None, None) => StateKind::Waiting,
                },
                outcome: None,
                epoch: epoch(self.epoch.unwrap_or(0)),
                revoked: false,
                lapsed: false,
            },
        }
    }

    /// Returns the lease that is held.
    fn held(&self) -> Option<Fence> {
        Some(Fence {
            execution_id: self.id(),
            lease_id: LeaseId(self.lease_id?),
            epoch: epoch(self.lease_epoch?),
            attempt: count(self.lease_attempt?),
        })
    }

    fn read(self) -> Result<Look, Error> {
        let id = self.id();
        let outline = self.outline();
        let ended: Option<AttemptEnd> = match &self.own_end {
            None => None,
            Some(text) => Some(label("attempt", "ended", id, text)?),
        };
        let class: Option<FailureClass> = match &self.failure_class {
            None => None,
            Some(text) => Some(label("attempt", "failure_class", id, text)?),
        };
        let outcome: Option<Outcome> = match &self.outcome {
            None => None,
            Some(text) => Some(label("finished", "outcome", id, text)?),
        };
        let parked: Option<StateKind> = match &self.parked_state {
            None => None,
            Some(text) => Some(label("parked", "state", id, text)?),
        };
        let own_end = ended
            .zip(self.released_at)
            .map(|(ended, released_at)| OwnEnd {
                ended,
                released_at,
                due_at: self.due_at,
                failure: class.zip(self.failure_code).map(|(class, code)| Failure {
                    class,
                    code,
                    message: self.failure_message.unwrap_or_default(),
                    backtrace: None,
                }),
                source: self.source,
                result_digest: self.result_digest,
            });
        let observed = match outline {
            Observed::NotActive { state, epoch, .. } => Observed::NotActive {
                state: match outcome {
                    Some(_) => StateKind::Terminal,
                    None => parked.unwrap_or(state),
                },
                outcome,
                epoch,
                revoked: ended == Some(AttemptEnd::LeaseRevoked),
                lapsed: ended == Some(AttemptEnd::LeaseExpired),
            },
            other => other,
        };
        Ok(Look { observed, own_end })
    }
}
