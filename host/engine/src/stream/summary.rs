//! read_summary: the document that the patches of a stream have made.

use model::{ExecutionId, StreamRefusal};

use super::{StreamSummary, attempt_column, read_facts};
use crate::row::StoredTime;
use crate::{Declined, Engine};

impl Engine {
    /// Reads the summary document of an attempt's stream; `None` if nothing was merged, or
    /// if it is not kept any more.
    ///
    /// # Refusals
    /// See [`StreamRefusal`].
    pub async fn read_summary(
        &self,
        id: ExecutionId,
        attempt: u32,
        namespace: Option<&str>,
    ) -> Result<Option<StreamSummary>, Declined<StreamRefusal>> {
        let (pool, partition) = (&self.inner.reads, id.partition());
        let facts = read_facts(pool, partition, &[(id, attempt)])
            .await?
            .remove(0);
        facts.check(namespace)?;
        if facts.is_past_ttl {
            return Ok(None);
        }
        let row = sqlx::query!(
            r#"SELECT d.version, d.document, d.first_applied_at AS "first_applied_at: StoredTime",
                      d.updated_at AS "updated_at: StoredTime"
               FROM stream_summary d
               WHERE d.partition = $1 AND d.execution_id = $2 AND d.attempt = $3"#,
            partition.column(),
            id.uuid(),
            attempt_column(attempt)
        )
        .fetch_optional(pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let time = |column, at: StoredTime| at.read("stream_summary", column, id);
        Ok(Some(StreamSummary {
            document_json: row.document,
            version: row.version.unsigned_abs(),
            first_applied_at: time("first_applied_at", row.first_applied_at)?,
            last_updated_at: time("updated_at", row.updated_at)?,
        }))
    }
}
