//! Reads: the children of an execution, and what other members pass to it.

use model::{ExecutionId, Failure, FailureClass, FlowId, Outcome};

use crate::checks::Payload;
use crate::row::{label, optional_label};
use crate::{Engine, Error};

/// A child of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Its execution, a member of the parent's flow.
    pub id: ExecutionId,
    /// Its name in the flow.
    pub name: Option<String>,
    /// How it ended; absent while it has not.
    pub outcome: Option<Outcome>,
    /// The media type of its result; absent without one.
    pub result_type: Option<String>,
    /// The size of its result in bytes; absent without one.
    pub result_bytes: Option<u64>,
    /// Why it ended without success; absent otherwise.
    pub failure: Option<Failure>,
}

/// A result that an edge passes to an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowInput {
    /// The name that the edge gives it.
    pub name: String,
    /// The execution whose result it is.
    pub execution_id: ExecutionId,
    /// How that ended; absent while it has not.
    pub outcome: Option<Outcome>,
    /// The media type of the result; absent without one.
    pub content_type: Option<String>,
    /// The size of the result in bytes; 0 without one.
    pub bytes: u64,
}

/// The children of an execution at a version of its flow.
pub(super) struct Children {
    pub(super) flow: FlowId,
    pub(super) version: i64,
    /// How often attempts of the execution have waited for children.
    pub(super) waits: i32,
    pub(super) children: Vec<Child>,
}

impl Engine {
    /// Lists the children of an execution, in the order in which they were started.
    pub async fn children(&self, parent: ExecutionId) -> Result<Vec<Child>, Error> {
        let found = self.children_of(parent).await?;
        Ok(found.map(|found| found.children).unwrap_or_default())
    }

    /// Reads the children of an execution; `None` if it is of no flow.
    pub(super) async fn children_of(&self, parent: ExecutionId) -> Result<Option<Children>, Error> {
        let rows = sqlx::query_file!(
            "src/flow/children/list.sql",
            parent.partition().column(),
            parent.uuid()
        )
        .fetch_all(&self.inner.verbs)
        .await?;
        let mut found: Option<Children> = None;
        for row in rows {
            let children = found.get_or_insert(Children {
                flow: FlowId::from_uuid(row.flow_id),
                version: row.version,
                waits: row.waits,
                children: Vec::new(),
            });
            let Some(id) = row.execution_id else { continue };
            let outcome = optional_label("finished", "outcome", id, row.outcome)?;
            let failure = match row.failure_code {
                Some(code) => {
                    let class = match row.failure_class {
                        Some(class) => label("finished", "failure_class", id, &class)?,
                        None => FailureClass::of_end(outcome.unwrap_or(Outcome::Cancelled)),
                    };
                    let message = row.failure_message.unwrap_or_default();
                    Some(Failure::new(class, &code, message))
                }
                None => None,
            };
            children.children.push(Child {
                id: ExecutionId::from_uuid(id),
                name: row.name,
                outcome,
                result_type: row.result_type,
                result_bytes: row.result_bytes.map(|bytes| bytes.unsigned_abs().into()),
                failure,
            });
        }
        Ok(found)
    }

    /// Lists the results that edges pass to an execution, by their names.
    pub async fn flow_inputs(&self, id: ExecutionId) -> Result<Vec<FlowInput>, Error> {
        let rows = sqlx::query!(
            r#"SELECT e.data_passing_ref AS "name!", e.upstream, t.outcome::text AS outcome,
                      t.result_type, t.result_bytes AS "result_bytes?"
               FROM flow_edge e
               LEFT JOIN LATERAL (
                   SELECT t.outcome, t.result_type, octet_length(t.result) AS result_bytes
                   FROM finished t
                   WHERE t.partition = $1 AND t.execution_id = e.upstream OFFSET 0
               ) AS t ON true
               WHERE e.partition = $1 AND e.downstream = $2 AND e.data_passing_ref IS NOT NULL
               ORDER BY 1, e.upstream"#,
            id.partition().column(),
            id.uuid()
        )
        .fetch_all(&self.inner.reads)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(FlowInput {
                    name: row.name,
                    execution_id: ExecutionId::from_uuid(row.upstream),
                    outcome: optional_label("finished", "outcome", row.upstream, row.outcome)?,
                    content_type: row.result_type,
                    bytes: row.result_bytes.unwrap_or_default().unsigned_abs().into(),
                })
            })
            .collect()
    }

    /// Reads the result that an edge passes to an execution under a name; `None` if no edge
    /// has the name, or there is no result.
    pub async fn flow_input(&self, id: ExecutionId, name: &str) -> Result<Option<Payload>, Error> {
        let row = sqlx::query!(
            r#"SELECT t.result AS "result!", t.result_type AS "result_type!"
               FROM flow_edge e
               JOIN finished t ON t.partition = e.partition AND t.execution_id = e.upstream
               WHERE e.partition = $1 AND e.downstream = $2 AND e.data_passing_ref = $3
                 AND t.result IS NOT NULL
               ORDER BY e.upstream LIMIT 1"#,
            id.partition().column(),
            id.uuid(),
            name
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        Ok(row.map(|row| Payload::new(row.result_type, row.result)))
    }
}
