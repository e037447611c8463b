//! Reads: one execution, its result, and how many there are.

use std::collections::BTreeMap;

use model::{BlockingReason, ExecutionId, Failure, FlowId, LeaseId, PublicState, StateVector};
use time::OffsetDateTime;

use super::Payload;
use crate::{Engine, Error};

/// An execution as others see it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionInfo {
    /// Its id.
    pub id: ExecutionId,
    /// Where it lives.
    pub namespace: String,
    /// Which handler it needs.
    pub kind: String,
    /// Which queue it is in.
    pub lane: String,
    /// 0 to 9000; within its partition a higher one is served first.
    pub priority: u16,
    /// Flow it is a member of.
    pub flow_id: Option<FlowId>,
    /// Who asked for it.
    pub creator: Option<String>,
    /// Key it was created under.
    pub idempotency_key: Option<String>,
    /// Labels.
    pub tags: BTreeMap<String, String>,
    /// The one word.
    pub public_state: PublicState,
    /// The six dimensions.
    pub state_vector: StateVector,
    /// What it waits for.
    pub blocking_reason: BlockingReason,
    /// More on that, for people.
    pub blocking_detail: Option<String>,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When its first attempt began.
    pub started_at: Option<OffsetDateTime>,
    /// When it finished.
    pub finished_at: Option<OffsetDateTime>,
    /// When it becomes due.
    pub wake_at: Option<OffsetDateTime>,
    /// When it expires.
    pub deadline_at: Option<OffsetDateTime>,
    /// Attempts begun.
    pub attempts: u32,
    /// Failures after which another attempt was made.
    pub retries: u32,
    /// Leases that ended without an outcome.
    pub reclaims: u32,
    /// How often it was replayed.
    pub replays: u32,
    /// Since when it is in its state; since it was put down, if it is parked.
    pub last_mutation_at: OffsetDateTime,
    /// Generation of ownership.
    pub epoch: u64,
    /// The lease it runs under.
    pub current_lease: Option<LeaseSummary>,
    /// How far it says it is.
    pub progress: Option<Progress>,
    /// Media type of its input.
    pub input_type: String,
    /// Size of its input.
    pub input_bytes: u64,
    /// Media type of its result.
    pub result_type: Option<String>,
    /// Size of its result.
    pub result_bytes: Option<u64>,
    /// Why it ended without success.
    pub failure: Option<Failure>,
    /// On whose behalf it was ended.
    pub source: Option<String>,
}

/// A held lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSummary {
    /// This grant.
    pub lease_id: LeaseId,
    /// Generation of ownership.
    pub epoch: u64,
    /// Who holds it.
    pub worker_instance_id: String,
    /// Attempt it runs, from zero.
    pub attempt: u32,
    /// Since when.
    pub acquired_at: OffsetDateTime,
    /// Until when, unless renewed.
    pub expires_at: OffsetDateTime,
    /// How often it was renewed.
    pub renewals: u32,
}

/// How far an attempt says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// 0 to 100.
    pub percent: Option<u8>,
    /// For people.
    pub message: Option<String>,
}

/// How many executions there are in each state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ready.
    pub waiting: u64,
    /// Neither ready nor running nor finished, by state.
    pub parked: BTreeMap<String, u64>,
    /// Running.
    pub active: u64,
    /// Age of the execution that has been ready longest, in milliseconds.
    pub oldest_waiting_ms: u64,
}

impl Engine {
    /// Reads one execution; `None` if there is none in the namespace.
    pub async fn get(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
    ) -> Result<Option<ExecutionInfo>, Error> {
        let filter = super::ListFilter {
            namespace: namespace.map(str::to_owned),
            ..Default::default()
        };
        let found = self.infos(Some(id), &filter, None, 1).await?.pop();
        found.map(|(_, info)| info).transpose()
    }

    /// Reads the result of an execution that ended with success.
    pub async fn result(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
    ) -> Result<Option<Payload>, Error> {
        let row = sqlx::query!(
            r#"SELECT f.result, f.result_type FROM finished f
               JOIN execution e ON e.partition = f.partition AND e.id = f.execution_id
               WHERE f.partition = $1 AND f.execution_id = $2 AND f.outcome = 'success'
                 AND ($3::text IS NULL OR e.namespace = $3)"#,
            id.partition().column(),
            id.uuid(),
            namespace,
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        Ok(row.and_then(|row| Some(Payload::new(row.result_type?, row.result?))))
    }

    /// Whether there is such an execution in the namespace.
    pub(crate) async fn exists(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
    ) -> Result<bool, Error> {
        Ok(sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM execution WHERE partition = $1 AND id = $2
                              AND ($3::text IS NULL OR namespace = $3)) AS "exists!""#,
            id.partition().column(),
            id.uuid(),
            namespace
        )
        .fetch_one(&self.inner.reads)
        .await?)
    }

    /// Counts executions that are not finished.
    pub async fn counts(&self) -> Result<Counts, Error> {
        let row = sqlx::query!(
            r#"SELECT (SELECT count(*) FROM ready) AS "waiting!",
                      (SELECT count(*) FROM lease) AS "active!",
                      (SELECT extract(epoch FROM clock_timestamp() - min(ready_at))::bigint * 1000
                       FROM ready) AS oldest_ms"#
        )
        .fetch_one(&self.inner.reads)
        .await?;
        let parked = sqlx::query!(
            r#"SELECT state::text AS "state!", count(*) AS "count!" FROM parked GROUP BY state"#
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Ok(Counts {
            waiting: row.waiting.unsigned_abs(),
            active: row.active.unsigned_abs(),
            oldest_waiting_ms: u64::try_from(row.oldest_ms.unwrap_or(0)).unwrap_or(0),
            parked: parked
                .into_iter()
                .map(|row| (row.state, row.count.unsigned_abs()))
                .collect(),
        })
    }
}
