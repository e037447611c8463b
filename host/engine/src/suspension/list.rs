//! Suspended executions, for operators: what each waits for, and since when.

use model::{BlockingReason, ExecutionId, Limits};
use time::OffsetDateTime;

use crate::row::{Seen, StoredTime, count, label, optional_time};
use crate::{Engine, Error, Page};

/// An execution that is suspended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspendedExecution {
    /// Id of the execution.
    pub execution_id: ExecutionId,
    /// Namespace of the execution.
    pub namespace: String,
    /// Kind of the execution, which names its handler.
    pub kind: String,
    /// The lane it returns to when it resumes.
    pub lane: String,
    /// What the execution waits for.
    pub blocking_reason: BlockingReason,
    /// The reason its handler gave, as a word; absent if none.
    pub reason: Option<String>,
    /// How many attempts have begun.
    pub attempts: u32,
    /// When it was suspended, by the database's clock.
    pub suspended_at: OffsetDateTime,
    /// When it times out; absent if nothing limits it.
    pub timeout_at: Option<OffsetDateTime>,
}

impl Engine {
    /// Lists suspended executions, those that have waited longest coming first. The
    /// next page begins after the last one's time and execution. A page is short if no more
    /// follow, or if there were so few among [`Limits::WALKED_MAX`]: see
    /// [`Page::examined`].
    pub async fn list_suspended(
        &self,
        namespace: Option<&str>,
        after: Option<(OffsetDateTime, ExecutionId)>,
        limit: u32,
    ) -> Result<Page<SuspendedExecution, (OffsetDateTime, ExecutionId)>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let (after_at, after_id) = after.unzip();
        let rows = sqlx::query_file!(
            "src/suspension/list.sql",
            namespace,
            after_at,
            after_id.map(ExecutionId::uuid),
            i64::from(limit) + 1,
            Limits::WALKED_MAX as i64,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Page::walked(
            limit,
            rows.into_iter().map(|row| {
                let id = ExecutionId::from_uuid(row.execution_id);
                let place = (row.parked_at, id);
                let seen = Seen {
                    holds: row.holds,
                    number: row.number,
                };
                let read = move || {
                    Ok(SuspendedExecution {
                        execution_id: id,
                        namespace: row.namespace,
                        kind: row.kind,
                        lane: row.lane,
                        blocking_reason: label("parked", "reason", id, &row.reason)?,
                        reason: row.reason_detail,
                        attempts: count(row.attempts),
                        suspended_at: row.parked_at,
                        timeout_at: optional_time("parked", "wake_at", id, row.wake_at)?,
                    })
                };
                (place, seen, read)
            }),
        )
    }
}
