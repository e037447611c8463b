//! What operators did to an execution, as the statements that did it wrote it down.

use model::{ExecutionId, Limits};
use time::OffsetDateTime;

use crate::operate::Operator;
use crate::row::{StoredTime, bigint, epoch};
use crate::{Engine, Error, Page};

/// One thing an operator did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationEntry {
    /// When it was done, by the database's clock.
    pub at: OffsetDateTime,
    /// The verb, such as `cancel`.
    pub verb: String,
    /// The name that the operator gave.
    pub actor: String,
    /// Why they asked, for people; absent if they gave no reason.
    pub reason: Option<String>,
    /// What changed, for people; absent where the verb says it all.
    pub detail: Option<String>,
    /// The epoch of the execution afterwards; absent for verbs that leave it alone.
    pub epoch: Option<u64>,
}

/// The last of some verbs that operators did to an execution, which tells a repeat of it.
#[derive(Debug)]
pub(crate) struct LastOperation {
    pub(crate) verb: String,
    pub(crate) by: Operator,
    pub(crate) detail: Option<String>,
    pub(crate) epoch: Option<u64>,
}

impl Engine {
    /// Finds the last operation of one of these verbs.
    pub(crate) async fn last_operation(
        &self,
        id: ExecutionId,
        verbs: &[&str],
    ) -> Result<Option<LastOperation>, Error> {
        let row = sqlx::query!(
            "SELECT verb, actor, reason, detail, epoch FROM operation
             WHERE partition = $1 AND execution_id = $2 AND verb = ANY ($3)
             ORDER BY seq DESC LIMIT 1",
            id.partition().column(),
            id.uuid(),
            verbs as &[&str],
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        Ok(row.map(|row| LastOperation {
            verb: row.verb,
            by: Operator {
                actor: row.actor,
                reason: row.reason,
            },
            detail: row.detail,
            epoch: row.epoch.map(epoch),
        }))
    }

    /// Lists what operators did to an execution, oldest first, after the operation of a
    /// number; at most `limit`, which is at most [`Limits::PAGE_MAX`]. `None` if the
    /// namespace has no such execution.
    ///
    /// One that cannot be read is listed by its number in the log of operations.
    pub async fn operations(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Option<Page<OperationEntry, u64>>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let rows = sqlx::query_file!(
            "src/operator/operations.sql",
            id.partition().column(),
            id.uuid(),
            bigint(after.unwrap_or(0)),
            i64::from(limit) + 1,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let rows = rows.into_iter().map(|row| {
            let read = || {
                Ok(OperationEntry {
                    at: row.at.read("operation", "at", row.seq)?,
                    verb: row.verb,
                    actor: row.actor,
                    reason: row.reason,
                    detail: row.detail,
                    epoch: row.epoch.map(epoch),
                })
            };
            (row.seq.unsigned_abs(), read())
        });
        self.of_execution(id, namespace, Page::read(limit, rows)?)
            .await
    }
}
