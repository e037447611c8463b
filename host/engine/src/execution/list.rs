//! Lists: pages of executions, newest first.

use model::{
    AttemptType, BlockingReason, ExecutionId, Failure, FailureClass, Fence, FlowId, LeaseId,
    Limits, Outcome, PublicState, State, StateKind,
};
use uuid::Uuid;

use super::read::{ExecutionInfo, LeaseSummary, Progress};
use super::row::{count, epoch, label};
use crate::listed::StoredTime;
use crate::{Engine, Error, LaneState, Listed};

/// Which executions to list; absent fields match all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// In this namespace.
    pub namespace: Option<String>,
    /// In this state.
    pub state: Option<PublicState>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In this lane.
    pub lane: Option<String>,
    /// With this label.
    pub tag: Option<(String, String)>,
}

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListPage {
    /// The last execution of the page before.
    pub after: Option<ExecutionId>,
    /// Most rows, at most [`Limits::PAGE_MAX`].
    pub limit: u32,
}

impl Default for ListPage {
    fn default() -> Self {
        Self {
            after: None,
            limit: Limits::PAGE_DEFAULT,
        }
    }
}

impl Engine {
    /// Lists executions, newest first. The next page begins after the last id.
    pub async fn list(
        &self,
        filter: ListFilter,
        page: ListPage,
    ) -> Result<Listed<ExecutionInfo, ExecutionId>, Error> {
        let limit = page.limit.min(Limits::PAGE_MAX);
        let rows = self.infos(None, &filter, page.after, limit + 1).await?;
        Listed::read(limit, rows)
    }

    pub(crate) async fn infos(
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
            id.map(ExecutionId::uuid),
            filter.namespace,
            after.map(ExecutionId::uuid),
            i64::from(limit),
            filter.kind,
            filter.lane,
            filter.state.map(PublicState::as_str),
            tag_key,
            tag_value,
            id.map(|id| id.partition().column()),
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
    created_at: time::OffsetDateTime,
    deadline_at: Option<StoredTime>,
    input_type: String,
    input_bytes: i32,
    tags: Option<Vec<String>>,
    state: String,
    reason: Option<String>,
    reason_detail: Option<String>,
    wake_at: Option<StoredTime>,
    outcome: Option<String>,
    finished_at: Option<time::OffsetDateTime>,
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
    last_mutation_at: time::OffsetDateTime,
    next_type: String,
    resumes: bool,
    lease_id: Option<Uuid>,
    worker_instance_id: Option<String>,
    attempt: Option<i32>,
    acquired_at: Option<time::OffsetDateTime>,
    expires_at: Option<time::OffsetDateTime>,
    renewals: Option<i32>,
    progress_percent: Option<i16>,
    progress_message: Option<String>,
    started_at: Option<time::OffsetDateTime>,
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
            label(
                "parked",
                "reason",
                id,
                self.reason.as_deref().ok_or_else(|| missing("reason"))?,
            )
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
        let text = self.outcome.as_deref();
        text.map(|text| label("finished", "outcome", self.id, text))
            .transpose()
    }

    /// Returns the state of the lane if it does not serve.
    fn lane_held(&self) -> Result<Option<LaneState>, Error> {
        let text = self.lane_state.as_deref();
        let state = text.map(|text| label::<LaneState>("lane", "state", &self.lane, text));
        Ok(state.transpose()?.filter(|state| !state.serves()))
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
        let flat = row.tags.as_deref().unwrap_or_default();
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
            tags: flat
                .chunks_exact(2)
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect(),
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
