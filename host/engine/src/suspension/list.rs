//! Executions that wait for a signal: what an operator asks first is what they
//! wait for, and since when.

use model::{BlockingReason, ExecutionId, Limits};
use time::OffsetDateTime;

use crate::listed::StoredTime;
use crate::row::{count, label};
use crate::{Engine, Error, Listed};

/// An execution that is suspended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspendedExecution {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Where it lives.
    pub namespace: String,
    /// Which handler it needs.
    pub kind: String,
    /// Which queue it returns to.
    pub lane: String,
    /// What it waits for.
    pub blocking_reason: BlockingReason,
    /// The code the handler gave.
    pub reason: Option<String>,
    /// Attempts begun.
    pub attempts: u32,
    /// Since when.
    pub suspended_at: OffsetDateTime,
    /// Until when at most.
    pub timeout_at: Option<OffsetDateTime>,
}

impl Engine {
    /// Lists suspended executions, those that have waited longest coming first. The
    /// next page begins after the last one's time and execution.
    pub async fn list_suspended(
        &self,
        namespace: Option<&str>,
        after: Option<(OffsetDateTime, ExecutionId)>,
        limit: u32,
    ) -> Result<Listed<SuspendedExecution, (OffsetDateTime, ExecutionId)>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let (after_at, after_id) = after.unzip();
        let rows = sqlx::query!(
            r#"SELECT p.execution_id, e.namespace, e.kind, p.lane, p.reason::text AS "reason!",
                      p.reason_detail, p.attempts, p.parked_at, p.wake_at AS "wake_at: StoredTime"
               FROM parked p
               CROSS JOIN LATERAL (
                   SELECT e.* FROM execution e
                   WHERE e.partition = p.partition AND e.id = p.execution_id OFFSET 0
               ) AS e
               WHERE p.state = 'suspended'
                 AND ($1::text IS NULL OR e.namespace = $1)
                 AND (p.parked_at, p.execution_id)
                     > (coalesce($2::timestamptz, '-infinity'), coalesce($3::uuid, '00000000-0000-0000-0000-000000000000'))
               ORDER BY p.parked_at, p.execution_id
               LIMIT $4"#,
            namespace,
            after_at,
            after_id.map(ExecutionId::uuid),
            i64::from(limit) + 1,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Listed::read(
            limit,
            rows.into_iter().map(|row| {
                let id = ExecutionId::from_uuid(row.execution_id);
                let place = (row.parked_at, id);
                let read = || {
                    Ok(SuspendedExecution {
                        execution_id: id,
                        namespace: row.namespace,
                        kind: row.kind,
                        lane: row.lane,
                        blocking_reason: label("parked", "reason", id, &row.reason)?,
                        reason: row.reason_detail,
                        attempts: count(row.attempts),
                        suspended_at: row.parked_at,
                        timeout_at: row
                            .wake_at
                            .map(|at| at.read("parked", "wake_at", id))
                            .transpose()?,
                    })
                };
                (place, read())
            }),
        )
    }
}
