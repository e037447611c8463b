//! What a handler was asked to do: input, labels and frozen policy.

use std::collections::BTreeMap;

use model::{ExecutionId, ExecutionPolicy};

use crate::checks::Payload;
use crate::row::{policy, tags};
use crate::{Engine, Error};

/// What an execution was created with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionContext {
    /// The kind of handler it needs.
    pub kind: String,
    /// What the handler is given.
    pub input: Payload,
    /// Labels by key, as they are now.
    pub tags: BTreeMap<String, String>,
    /// The policy, frozen when it was created.
    pub policy: ExecutionPolicy,
}

impl Engine {
    /// Reads what an execution was created with; `None` if the
    /// namespace has no such execution.
    pub async fn context(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
    ) -> Result<Option<ExecutionContext>, Error> {
        let row = sqlx::query!(
            r#"SELECT e.kind, e.input, e.input_type, e.policy,
                      ARRAY(SELECT unnest(ARRAY[t.key, t.value]) FROM tag t
                            WHERE t.partition = e.partition AND t.execution_id = e.id) AS "tags!"
               FROM execution e
               WHERE e.partition = $1 AND e.id = $2 AND ($3::text IS NULL OR e.namespace = $3)"#,
            id.partition().column(),
            id.uuid(),
            namespace
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(ExecutionContext {
            kind: row.kind,
            input: Payload::new(row.input_type, row.input),
            tags: tags(Some(row.tags)),
            policy: policy(id.uuid(), row.policy.as_deref())?,
        }))
    }
}
