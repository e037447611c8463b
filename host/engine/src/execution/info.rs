//! Executions as callers see them, read by their ids from the tables that hold their
//! state.

use std::collections::{BTreeMap, HashMap};

use model::{
    AttemptType, BlockingReason, EligibilityState, ExecutionId, Failure, FailureClass, Fence,
    FlowId, LeaseId, Outcome, PublicState, State, StateKind, StateVector,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::database::Pool;
use crate::lease::LeaseSummary;
use crate::row::{StoredTime, count, epoch, label, optional_label, optional_time, tags};
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

/// An execution, or why this version cannot show it.
pub(crate) type Info = Result<ExecutionInfo, Error>;

impl Engine {
    /// Reads executions by their ids, in the order of the ids; `None` for one that does
    /// not exist.
    pub(crate) async fn infos(&self, ids: &[ExecutionId]) -> Result<Vec<Option<Info>>, Error> {
        let mut infos = read_infos(&self.inner.reads, ids).await?;
        for info in infos.iter_mut().flatten().flatten() {
            self.show_lane(info).await?;
        }
        Ok(infos)
    }

    /// Shows an execution that could be claimed as blocked by its lane if that does not
    /// serve, as far as this host remembers.
    pub(super) async fn show_lane(&self, info: &mut ExecutionInfo) -> Result<(), Error> {
        if info.state_vector.eligibility_state != EligibilityState::EligibleNow {
            return Ok(());
        }
        let Some(state) = self.known_lane_state(&info.lane).await? else {
            return Ok(());
        };
        if !state.serves() {
            info.state_vector = info.state_vector.held_by_lane();
            info.blocking_reason = info.state_vector.blocking_reason;
            info.blocking_detail = Some(format!("lane `{}` is {}", info.lane, state.as_str()));
        }
        Ok(())
    }
}

/// Reads executions by their ids, in the order of the ids; `None` for one that does not
/// exist. Lanes are not looked at: see [`Engine::show_lane`].
pub(crate) async fn read_infos(
    pool: &Pool,
    ids: &[ExecutionId],
) -> Result<Vec<Option<Info>>, Error> {
    let partitions: Vec<i16> = ids.iter().map(|id| id.partition().column()).collect();
    let uuids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_file_as!(InfoRow, "src/execution/info.sql", &partitions, &uuids)
        .fetch_all(pool)
        .await?;
    let mut found: HashMap<Uuid, InfoRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    let read = |id| found.remove(id).map(ExecutionInfo::try_from);
    Ok(uuids.iter().map(read).collect())
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
    renewed_at: Option<OffsetDateTime>,
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
            last_heartbeat_at: self.renewed_at,
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
        let vector = state.vector(next, row.resumes);
        Ok(Self {
            state_vector: vector,
            public_state: vector.public_state,
            blocking_reason: vector.blocking_reason,
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
            blocking_detail: row.reason_detail,
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
            wake_at: optional_time("parked", "wake_at", row.id, row.wake_at)?,
            deadline_at: optional_time("execution", "deadline_at", row.id, row.deadline_at)?,
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
