//! Whether an execution exists, for lists of what belongs to it.

use model::ExecutionId;

use crate::{Engine, Error, Page};

impl Engine {
    /// Returns the namespace of an execution, which never changes; `None` if there is no
    /// such execution.
    pub async fn namespace_of(&self, id: ExecutionId) -> Result<Option<String>, Error> {
        let namespace = sqlx::query_scalar!(
            "SELECT e.namespace FROM execution e WHERE e.partition = $1 AND e.id BETWEEN $2 AND $2
             ORDER BY e.id LIMIT 1",
            id.partition().column(),
            id.uuid(),
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        Ok(namespace)
    }

    /// Returns a page of what belongs to an execution; `None` if the namespace has no such
    /// execution. A row proves that the execution exists, so only an empty page, or a
    /// namespace, costs a lookup.
    pub(crate) async fn of_execution<T, P>(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        page: Page<T, P>,
    ) -> Result<Option<Page<T, P>>, Error> {
        let proven = !(page.rows.is_empty() && page.unreadable.is_empty());
        let exists = namespace.is_none() && proven || self.exists(id, namespace).await?;
        Ok(exists.then_some(page))
    }
}
