//! What a handler was asked to do: input, labels and frozen policy.

use std::collections::BTreeMap;

use model::{ExecutionId, ExecutionPolicy};

use super::{Payload, frozen_policy};
use crate::{Engine, Error};

/// What an execution was created with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionContext {
    /// Which handler it needs.
    pub kind: String,
    /// What the handler gets.
    pub input: Payload,
    /// Labels, as they are now.
    pub tags: BTreeMap<String, String>,
    /// The frozen policy.
    pub policy: ExecutionPolicy,
}

impl Engine {
    /// Reads what an execution was created with; `None` if there is none in the
    /// namespace.
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
            tags: row
                .tags
                .chunks_exact(2)
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect(),
            policy: match row.policy {
                Some(text) => frozen_policy(id.uuid(), &text)?,
                None => ExecutionPolicy::default(),
            },
        }))
    }
}
