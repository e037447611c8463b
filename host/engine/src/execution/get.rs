//! Reads: one execution, and its result.

use model::ExecutionId;

use super::info::ExecutionInfo;
use super::read::ReadCall;
use crate::checks::Payload;
use crate::{Engine, Error};

impl Engine {
    /// Reads one execution; `None` if the namespace has no such execution.
    pub async fn get(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
    ) -> Result<Option<ExecutionInfo>, Error> {
        let found = self.inner.batchers.info.call(ReadCall::new(id)).await?;
        let Some(mut info) = found.transpose()? else {
            return Ok(None);
        };
        if namespace.is_some_and(|name| info.namespace != name) {
            return Ok(None);
        }
        self.show_lane(&mut info).await?;
        Ok(Some(info))
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
}
