//! Reads why a write under a fence matched nothing.
//!
//! A statement finds a lease by its address. A renewal or a progress report that
//! commits in between moves the row, and the statement that waited for it
//! matches nothing although the lease holds; it is tried again.

use std::collections::HashMap;

use model::{
    AttemptEnd, ExecutionId, Failure, FailureClass, Fence, LeaseRefusal, Observed, Outcome,
    Partition, StateKind,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::columns::columns;
use crate::database::Pool;
use crate::row::{epoch, fence, optional_label, readable};
use crate::statements::Statements;
use crate::{Engine, Error};

/// What one execution is to a caller with a fence.
#[derive(Debug)]
pub(crate) struct Observation {
    /// The facts by which `model` names the refusal.
    pub(crate) observed: Observed,
    /// How the caller's own lease ended, if it did.
    pub(crate) own_end: Option<OwnEnd>,
}

impl Observation {
    /// Whether the caller's own lease ended in this way.
    pub(crate) fn ended_as(&self, end: AttemptEnd) -> bool {
        self.own_end.as_ref().is_some_and(|own| own.ended == end)
    }
}

/// The end of a lease as it was recorded: what a repeat of the verb that brought it about
/// is compared with and answered from, in whichever state the execution is since.
#[derive(Debug)]
pub(crate) struct OwnEnd {
    pub(crate) ended: AttemptEnd,
    pub(crate) released_at: OffsetDateTime,
    /// When the next attempt was due, or this one was to resume; absent if the end left no
    /// delay.
    pub(crate) due_at: Option<OffsetDateTime>,
    pub(crate) failure: Option<Failure>,
    /// On whose behalf, if the execution still is as that end left it.
    pub(crate) source: Option<String>,
    /// That of the result, see [`crate::checks::Payload::digest`].
    pub(crate) result_digest: Option<Vec<u8>>,
}

impl Engine {
    /// Reads what an execution is to a caller with this fence; `None` if there is none.
    pub(crate) async fn observe(&self, fence: Fence) -> Result<Option<Observation>, Error> {
        let id = fence.execution_id;
        let found = observe(&self.inner.verbs, id.partition(), &[fence]).await?;
        let found = found.into_iter().find(|row| row.id() == id);
        found.map(ObservedRow::read).transpose()
    }
}

impl Statements {
    /// Reads what executions of one partition are to callers with these fences.
    pub(crate) async fn observe(
        &self,
        partition: Partition,
        fences: &[Fence],
    ) -> Result<HashMap<ExecutionId, Observation>, Error> {
        let rows = observe(&self.verbs, partition, fences).await?;
        let read = |row: ObservedRow| Ok((row.id(), row.read()?));
        rows.into_iter().map(read).collect()
    }

    /// The same for a caller who asks about many leases: what cannot be read of one
    /// execution does not fail the others.
    pub(crate) async fn observe_each(
        &self,
        partition: Partition,
        fences: &[Fence],
    ) -> Result<HashMap<ExecutionId, Observation>, Error> {
        let rows = observe(&self.verbs, partition, fences).await?;
        let read = |row: ObservedRow| {
            let (id, outline) = (row.id(), row.outline());
            let observation = readable(row.read()).unwrap_or(Observation {
                observed: outline,
                own_end: None,
            });
            (id, observation)
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

async fn observe(
    pool: &Pool,
    partition: Partition,
    fences: &[Fence],
) -> Result<Vec<ObservedRow>, Error> {
    Ok(columns!(
        query_file_as!(ObservedRow, "src/lease/observe.sql", partition.column());
        for fence in fences => {
            ids = fence.execution_id.uuid();
            lease_ids = fence.lease_id.0;
            epochs = fence.epoch as i64;
        }
    )
    .fetch_all(pool)
    .await?)
}

/// Whether a lease holds, although a write under its fence matched nothing.
pub(super) fn still_held(observed: &HashMap<ExecutionId, Observation>, fence: &Fence) -> bool {
    let observation = observed.get(&fence.execution_id);
    observation.is_some_and(|it| it.observed.holds(fence, false))
}

/// Names the refusal of a call whose write matched nothing.
pub(super) fn refusal(observed: &HashMap<ExecutionId, Observation>, fence: &Fence) -> LeaseRefusal {
    let observation = observed.get(&fence.execution_id);
    observation.map_or(LeaseRefusal::ExecutionNotFound, |it| {
        it.observed.refusal(fence)
    })
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

    /// Returns what every row says, also one of which some column cannot be read.
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
                    // The exact state may be what cannot be read.
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
        let (lease_id, epoch) = (self.lease_id?, self.lease_epoch?);
        Some(fence(
            self.execution_id,
            lease_id,
            epoch,
            self.lease_attempt?,
        ))
    }

    fn read(self) -> Result<Observation, Error> {
        let id = self.id();
        let outline = self.outline();
        let ended: Option<AttemptEnd> =
            optional_label("attempt", "ended", id, self.own_end.as_deref())?;
        let class: Option<FailureClass> = optional_label(
            "attempt",
            "failure_class",
            id,
            self.failure_class.as_deref(),
        )?;
        let outcome: Option<Outcome> =
            optional_label("finished", "outcome", id, self.outcome.as_deref())?;
        let parked: Option<StateKind> =
            optional_label("parked", "state", id, self.parked_state.as_deref())?;
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
        Ok(Observation { observed, own_end })
    }
}
