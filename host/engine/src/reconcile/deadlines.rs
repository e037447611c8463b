//! deadlines: not finished when its deadline passed → expired.
//!
//! Event: `execution_expired`.

use model::{CancelSource, EngineCode, ExecutionId};

use super::sweeps::SWEEP_MAX;
use crate::execution::{FinishCall, FinishGuard};
use crate::{Engine, Error};

impl Engine {
    /// Expires executions past their deadline; returns their number.
    pub(crate) async fn deadlines(&self) -> Result<u64, Error> {
        let mut expired = 0;
        for partition in self.instance().partitions.all() {
            // A timer outlives an execution that finished by itself.
            sqlx::query!(
                "DELETE FROM timer t WHERE t.partition = $1 AND t.due_at <= statement_timestamp()
                 AND t.kind = 'execution_deadline'
                 AND EXISTS (SELECT FROM finished f
                             WHERE f.partition = $1 AND f.execution_id = t.execution_id)",
                partition.column()
            )
            .execute(&self.inner.reads)
            .await?;
            let due = sqlx::query_scalar!(
                "SELECT execution_id FROM timer
                 WHERE partition = $1 AND due_at <= statement_timestamp() AND kind = 'execution_deadline'
                 ORDER BY due_at LIMIT $2",
                partition.column(),
                SWEEP_MAX
            )
            .fetch_all(&self.inner.reads)
            .await?;
            let calls = due
                .into_iter()
                .map(|id| overdue(ExecutionId::from_uuid(id)))
                .collect();
            expired += self.finish_all(calls).await?;
        }
        Ok(expired)
    }
}

fn overdue(id: ExecutionId) -> FinishCall {
    let (guard, code) = (FinishGuard::PastDeadline, EngineCode::ExecutionDeadline);
    FinishCall {
        message: Some("the execution was not finished by its deadline".to_owned()),
        ..FinishCall::expired(id, guard, code, CancelSource::SystemTimeout)
    }
}
