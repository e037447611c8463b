//! Reads of one execution each that share a statement with those in flight at the same
//! time: of callers, and of waiters that were woken together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{ExecutionId, Outcome, Partition};
use uuid::Uuid;

use super::info::{Info, read_infos};
use crate::Error;
use crate::batch::{BatchItem, Flush};
use crate::database::Pool;
use crate::row::label;

/// A read of one execution.
pub(crate) struct ReadCall {
    id: ExecutionId,
    number: u64,
}

impl ReadCall {
    pub(super) fn new(id: ExecutionId) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self {
            id,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl BatchItem for ReadCall {
    /// Many reads of one execution share a statement.
    type Key = (ExecutionId, u64);

    fn partition(&self) -> Partition {
        self.id.partition()
    }

    fn key(&self) -> (ExecutionId, u64) {
        (self.id, self.number)
    }
}

/// Returns the executions of a batch, each once.
fn ids(batch: &[Box<ReadCall>]) -> Vec<ExecutionId> {
    let mut ids: Vec<ExecutionId> = batch.iter().map(|call| call.id).collect();
    // They are in the order of the keys.
    ids.dedup();
    ids
}

/// Reads executions as callers see them, but for their lanes.
pub(crate) struct Infos(pub(crate) Pool);

impl Flush<ReadCall> for Infos {
    /// Absent for an execution that does not exist.
    type Verdict = Option<Info>;

    async fn flush(
        &self,
        _partition: Partition,
        batch: &[Box<ReadCall>],
        _retried: bool,
    ) -> Result<Vec<Option<Info>>, Error> {
        let ids = ids(batch);
        let infos = read_infos(&self.0, &ids).await?;
        let found: HashMap<ExecutionId, Option<Info>> = ids.into_iter().zip(infos).collect();
        let answers = batch
            .iter()
            .map(|call| found.get(&call.id).cloned().flatten());
        Ok(answers.collect())
    }
}

/// Reads how executions ended.
pub(crate) struct Outcomes(pub(crate) Pool);

impl Flush<ReadCall> for Outcomes {
    /// Absent for an execution that has not ended.
    type Verdict = Option<Outcome>;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<ReadCall>],
        _retried: bool,
    ) -> Result<Vec<Option<Outcome>>, Error> {
        let ids: Vec<Uuid> = ids(batch).iter().map(|id| id.uuid()).collect();
        let rows = sqlx::query!(
            r#"SELECT f.execution_id, f.outcome::text AS "outcome!"
               FROM unnest($2::uuid[]) AS w(id)
               CROSS JOIN LATERAL (
                   SELECT f.execution_id, f.outcome FROM finished f
                   WHERE f.partition = $1 AND f.execution_id = w.id OFFSET 0
               ) AS f"#,
            partition.column(),
            &ids
        )
        .fetch_all(&self.0)
        .await?;
        let ended = rows
            .into_iter()
            .map(|row| {
                let outcome = label("finished", "outcome", row.execution_id, &row.outcome)?;
                Ok((row.execution_id, outcome))
            })
            .collect::<Result<HashMap<Uuid, Outcome>, Error>>()?;
        let answers = batch.iter().map(|call| ended.get(&call.id.uuid()).copied());
        Ok(answers.collect())
    }
}
