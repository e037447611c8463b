//! Reads: one execution, its result, and how many there are.

use std::collections::BTreeMap;

use model::ExecutionId;

use super::info::ExecutionInfo;
use crate::checks::Payload;
use crate::{Engine, Error};

/// How many executions there are in each state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many are ready.
    pub waiting: u64,
    /// How many are neither ready nor running nor finished, by state.
    pub parked: BTreeMap<String, u64>,
    /// How many run under a lease.
    pub active: u64,
    /// How long the oldest ready one has been ready, in milliseconds; 0 if there is none.
    pub oldest_waiting_ms: u64,
}

impl Engine {
    /// Reads one execution; `None` if the namespace has no such execution.
    pub async fn get(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
    ) -> Result<Option<ExecutionInfo>, Error> {
        let found = self.infos(&[id]).await?.pop().flatten().transpose()?;
        Ok(found.filter(|info| namespace.is_none_or(|name| info.namespace == name)))
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
