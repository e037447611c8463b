//! One execution as callers see it, read from the tables that hold its state.

use std::collections::BTreeMap;

use model::{
    AttemptType, BlockingReason, ExecutionId, Failure, FailureClass, Fence, FlowId, LaneState,
    LeaseId, Outcome, PublicState, State, StateKind, StateVector,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::list::ListFilter;
use crate::lease::LeaseSummary;
use crate::row::StoredTime;
use crate::row::{count, epoch, label, optional_label, tags};
use crate::{Engine, Error};

/// An execution as callers see it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionInfo {
    /// The id it was given when it was created.
    pub id: ExecutionId,
    /// The namespace it belongs to.
    pub namespace: String,
    /// The kind of handler it needs.
    pub kind: String,
    /// The lane whose queue it is in, or returns to.
    pub lane: String,
    /// 0 to 9000; within its partition a higher one is served first.
    pub priority: u16,
    /// The flow it is a member of.
    pub flow_id: Option<FlowId>,
    /// The caller who created it, as they named themselves.
    pub creator: Option<String>,
    /// The idempotency key it was created under.
    pub idempotency_key: Option<String>,
    /// Labels by key, as they are now.
    pub tags: BTreeMap<String, String>,
    /// The state in one word.
    pub public_state: PublicState,
    /// The state in its six dimensions.
    pub state_vector: StateVector,
    /// What it waits for; `none` while it runs and once it has finished.
    pub blocking_reason: BlockingReason,
    /// More on what it waits for, for people.
    pub blocking_detail: Option<String>,
    /// When it was created, by the database's clock.
    pub created_at: OffsetDateTime,
    /// When its first attempt began; absent before.
    pub started_at: Option<OffsetDateTime>,
    /// When it finished; absent before.
    pub finished_at: Option<OffsetDateTime>,
    /// When it becomes due, or its suspension times out.
    pub wake_at: Option<OffsetDateTime>,
    /// When it expires; absent if it has no deadline.
    pub deadline_at: Option<OffsetDateTime>,
    /// How many attempts have begun.
    pub attempts: u32,
    /// How often another attempt followed a failure.
    pub retries: u32,
    /// How many leases ended without an outcome.
    pub reclaims: u32,
    /// How often it was replayed.
    pub replays: u32,
    /// When it entered its state; if it is parked, when its last lease ended.
    pub last_mutation_at: OffsetDateTime,
    /// Grows with every lease of the execution.
    pub epoch: u64,
    /// The lease it runs under; absent unless it is active.
    pub current_lease: Option<LeaseSummary>,
    /// How far its attempt has reported to be.
    pub progress: Option<Progress>,
    /// The media type of its input.
    pub input_type: String,
    /// The size of its input in bytes.
    pub input_bytes: u64,
    /// The media type of its result; absent without one.
    pub result_type: Option<String>,
    /// The size of its result in bytes; absent without one.
    pub result_bytes: Option<u64>,
    /// Why it ended without success; absent otherwise.
    pub failure: Option<Failure>,
    /// On whose behalf it was ended, if not by its handler.
    pub source: Option<String>,
}

/// How far an attempt has reported to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// 0 to 100; absent if it was not reported.
    pub percent: Option<u8>,
    /// What it does now, for people.
    pub message: Option<String>,
}

impl Engine {
    /// Reads executions, newest first: the one with this id, or those that the filter
    /// admits.
    pub(super) async fn infos(
        &self,
        id: Option<ExecutionId>,
        filter: &ListFilter,
        after: Option<ExecutionId>,
        limit: u32,
    ) -> Result<Vec<(ExecutionId, Result<ExecutionInfo, Error>)>, Error> {
        let (tag_key, tag_value) = filter.tag.clone().unzip();
        let rows = sqlx::query_file_as!(
            InfoRow,
            "src/execution/info.sql",
            id.map(|id| id.partition().column()),
            id.map(ExecutionId::uuid),
            filter.namespace,
            filter.kind,
            filter.lane,
            filter.state.map(PublicState::as_str),
            tag_key,
            tag_value,
            after.map(ExecutionId::uuid),
            i64::from(limit),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let read = |row: InfoRow| (ExecutionId::from_uuid(row.id), row.try_into());
        Ok(rows.into_iter().map(read).collect())
    }
}

/// A row of `info.sql`.
struct InfoRow {
    id: Uuid,
    namespace: String,
    kind: String,
    lane: String,
    priority: i16,
    flow_id: Option<Uuid>,
    creator: Option<String>,
    idempotency_key: Option<String>,
    lane_state: Option<String>,
    created_at: OffsetDateTime,
    deadline_at: Option<StoredTime>,
    input_type: String,
    input_bytes: i32,
    tags: Option<Vec<String>>,
    state: String,
    reason: Option<String>,
    reason_detail: Option<String>,
    wake_at: Option<StoredTime>,
    outcome: Option<String>,
    finished_at: Option<OffsetDateTime>,
    source: Option<String>,
    failure_class: Option<String>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    result_type: Option<String>,
    result_bytes: Option<i32>,
    epoch: i64,
    attempts: i32,
    retries: i32,
    reclaims: i32,
    replays: i32,
    last_mutation_at: OffsetDateTime,
    next_type: String,
    resumes: bool,
    lease_id: Option<Uuid>,
    worker_instance_id: Option<String>,
    attempt: Option<i32>,
    acquired_at: Option<OffsetDateTime>,
    expires_at: Option<OffsetDateTime>,
    renewals: Option<i32>,
    progress_percent: Option<i16>,
    progress_message: Option<String>,
    started_at: Option<OffsetDateTime>,
}

impl InfoRow {
    fn lease(&self) -> Option<LeaseSummary> {
        Some(LeaseSummary {
            lease_id: LeaseId(self.lease_id?),
            epoch: epoch(self.epoch),
            worker_instance_id: self.worker_instance_id.clone()?,
            attempt: count(self.attempt?),
            acquired_at: self.acquired_at?,
            expires_at: self.expires_at?,
            renewals: count(self.renewals?),
        })
    }

    /// Reads the state from the table that holds it.
    fn state(&self) -> Result<State, Error> {
        let id = self.id;
        let missing = |column| Error::corrupt("parked", column, id, "absent");
        let reason = || -> Result<BlockingReason, Error> {
            let text = self.reason.as_deref().ok_or_else(|| missing("reason"))?;
            label("parked", "reason", id, text)
        };
        Ok(match label("parked", "state", id, &self.state)? {
            StateKind::Waiting => State::Waiting,
            StateKind::Delayed => State::Delayed {
                until: self
                    .wake_at
                    .ok_or_else(|| missing("wake_at"))?
                    .read("parked", "wake_at", id)?,
                why: reason()?,
            },
            StateKind::RateLimited => State::RateLimited { by: reason()? },
            StateKind::WaitingChildren => State::WaitingChildren,
            StateKind::Blocked => State::Blocked { by: reason()? },
            StateKind::Suspended => State::Suspended { why: reason()? },
            StateKind::Active => {
                let lease = self
                    .lease()
                    .ok_or_else(|| Error::corrupt("lease", "lease_id", id, "absent"))?;
                State::Active {
                    lease: Fence {
                        execution_id: ExecutionId::from_uuid(id),
                        lease_id: lease.lease_id,
                        epoch: lease.epoch,
                        attempt: lease.attempt,
                    },
                }
            }
            StateKind::Terminal => {
                let outcome = self.outcome()?;
                State::Terminal {
                    outcome: outcome
                        .ok_or_else(|| Error::corrupt("finished", "outcome", id, "absent"))?,
                }
            }
        })
    }

    fn outcome(&self) -> Result<Option<Outcome>, Error> {
        optional_label("finished", "outcome", self.id, self.outcome.as_deref())
    }

    /// Returns the state of the lane if it does not serve.
    fn lane_held(&self) -> Result<Option<LaneState>, Error> {
        let state = optional_label("lane", "state", &self.lane, self.lane_state.as_deref())?;
        Ok(state.filter(|state: &LaneState| !state.serves()))
    }

    fn failure(&self) -> Result<Option<Failure>, Error> {
        let Some(code) = &self.failure_code else {
            return Ok(None);
        };
        let class = match &self.failure_class {
            Some(text) => label("finished", "failure_class", self.id, text)?,
            None => FailureClass::of_end(self.outcome()?.unwrap_or(Outcome::Cancelled)),
        };
        Ok(Some(Failure::new(
            class,
            code,
            self.failure_message.clone().unwrap_or_default(),
        )))
    }
}

impl TryFrom<InfoRow> for ExecutionInfo {
    type Error = Error;

    fn try_from(row: InfoRow) -> Result<Self, Error> {
        let state = row.state()?;
        let next: AttemptType = label("ready", "next_type", row.id, &row.next_type)?;
        let mut vector = state.vector(next, row.resumes);
        let mut detail = row.reason_detail.clone();
        if let (StateKind::Waiting, Some(lane)) = (state.kind(), row.lane_held()?) {
            vector = vector.held_by_lane();
            detail = Some(format!("lane `{}` is {}", row.lane, lane.as_str()));
        }
        Ok(Self {
            state_vector: vector,
            public_state: vector.public_state,
            blocking_reason: vector.blocking_reason,
            blocking_detail: detail,
            current_lease: row.lease(),
            failure: row.failure()?,
            progress: (row.progress_percent.is_some() || row.progress_message.is_some()).then(
                || Progress {
                    percent: row
                        .progress_percent
                        .and_then(|percent| u8::try_from(percent).ok()),
                    message: row.progress_message.clone(),
                },
            ),
            tags: tags(row.tags),
            id: ExecutionId::from_uuid(row.id),
            namespace: row.namespace,
            kind: row.kind,
            lane: row.lane,
            priority: row.priority.unsigned_abs(),
            flow_id: row.flow_id.map(FlowId::from_uuid),
            creator: row.creator,
            idempotency_key: row.idempotency_key,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            wake_at: row
                .wake_at
                .map(|at| at.read("parked", "wake_at", row.id))
                .transpose()?,
            deadline_at: row
                .deadline_at
                .map(|at| at.read("execution", "deadline_at", row.id))
                .transpose()?,
            attempts: count(row.attempts),
            retries: count(row.retries),
            reclaims: count(row.reclaims),
            replays: count(row.replays),
            last_mutation_at: row.last_mutation_at,
            epoch: epoch(row.epoch),
            input_type: row.input_type,
            input_bytes: row.input_bytes.unsigned_abs().into(),
            result_type: row.result_type,
            result_bytes: row.result_bytes.map(|bytes| bytes.unsigned_abs().into()),
            source: row.source,
        })
    }
}
